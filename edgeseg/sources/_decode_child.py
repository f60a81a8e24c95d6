"""One life of a decoding child: packets go in, pictures come out, all in one loop of one thread."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import socket
import struct
import subprocess
import termios
from collections import deque
from dataclasses import dataclass
from typing import Any

from av.codec.context import CodecContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from edgeseg.errors import SourceError
from edgeseg.ffmpeg import clean_line, kill_group
from edgeseg.sources._showinfo import UNKNOWN, Announced, Look, ShowInfo

# How long a picture that has begun to come may take (struct timeval), before other things are looked after.
_RECEIVE_TIMEOUT = struct.pack("@ll", 0, 200_000)
_LOG_BYTES = 1 << 16
_LONGEST_LINE = 1 << 16
_DYING_S = 2.0
_COMPLAINT = re.compile(r"\[(?:error|fatal|panic)\] (.+)")
# What ffmpeg says after the reason, whatever the reason was.
_AFTERMATH = re.compile(
    r"Task finished|Terminating thread|Nothing was written|Conversion failed|Error opening output file"
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture, the child's time of it, and what the child said of it."""

    picture: VideoFrame
    at: int | None
    look: Look


class DecodeChild:
    """An ffmpeg that decodes. Nothing here blocks for longer than it is told to, and nothing is raised when it dies.

    The log comes before the picture that it describes, so a picture is read straight into memory of its own size,
    which FFmpeg's decoder of raw pictures then wraps without a copy. It comes through a socket: one call reads a whole
    picture, where a pipe takes some thirty and as many wake-ups (docs/decisions/0013).

    Args:
        command: what to run.
        stream: what the container says of the pictures.
        max_pixels: a picture that is said to be larger is damage, and the end of this child.

    Raises:
        SourceError: from the constructor, it cannot be run.
    """

    def __init__(self, command: list[str], stream: VideoCodecContext, max_pixels: int) -> None:
        self._process: subprocess.Popen[bytes]
        self._out, its_out = socket.socketpair()
        try:
            with its_out:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=its_out.fileno(),
                    stderr=subprocess.PIPE,
                    bufsize=0,
                    start_new_session=True,
                )
        except OSError as exc:
            self._out.close()
            raise SourceError(f"cannot run the decoder {command[0]}: {exc.strerror}", permanent=True) from exc
        assert self._process.stdin is not None
        assert self._process.stderr is not None
        self._in, self._log = self._process.stdin, self._process.stderr
        os.set_blocking(self._in.fileno(), False)
        os.set_blocking(self._log.fileno(), False)
        self._out.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _RECEIVE_TIMEOUT)
        self.decoded: deque[Decoded] = deque()
        self._written_bytes = self._given_bytes = 0
        self._stream = stream
        self._max_pixels = max_pixels
        self._unsent: deque[memoryview] = deque()
        self._no_more = False
        self._unread_log = b""
        self._words: deque[str] = deque(maxlen=12)
        self._show_info = ShowInfo()
        self._announced: deque[Announced] = deque()
        self._filling: tuple[Packet[Any], memoryview] | None = None
        self._wrapping: tuple[Look, VideoCodecContext] | None = None
        self._out_ended = self._log_ended = False

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self._out_ended and self._log_ended

    @property
    def unsent(self) -> bool:
        """Whether something is still to be written to it."""
        return bool(self._unsent)

    @property
    def progress(self) -> tuple[int, int]:
        """The bytes that it has taken and given. Where they stay the same while it has something to do, it hangs."""
        return self._written_bytes - self._unread_bytes, self._given_bytes

    @property
    def has_work(self) -> bool:
        """Whether something waits for it, or is on its way from it."""
        return self.unsent or self.announces or self._unread_bytes > 0

    @property
    def _unread_bytes(self) -> int:
        if self._in.closed:
            return 0
        return int(struct.unpack("=i", fcntl.ioctl(self._in.fileno(), termios.FIONREAD, b"\0" * 4))[0])

    @property
    def announces(self) -> bool:
        """Whether a picture is on its way."""
        return bool(self._announced) and not self._out_ended

    @property
    def words(self) -> str:
        """What it said first and has not to do with a picture: ffmpeg begins with the reason."""
        return "; ".join(line.rstrip(".") for line in list(self._words)[:2])

    def send(self, wire: bytes) -> None:
        """Have ``wire`` written as the child takes it."""
        self._unsent.append(memoryview(wire))

    def no_more(self) -> None:
        """Let the child end when it has decoded what it was sent."""
        self._no_more = True
        self._close_input_if_done()

    def step(self, timeout_s: float) -> None:
        """Move what can be moved, after waiting up to ``timeout_s`` for it."""
        waits = select.poll()
        if self._unsent:
            waits.register(self._in, select.POLLOUT)
        # A picture that nobody has described yet is waited for by its description.
        if not self._out_ended and (self._announced or self._log_ended):
            waits.register(self._out, select.POLLIN)
        if not self._log_ended:
            waits.register(self._log, select.POLLIN)
        ready = {fd for fd, _ in waits.poll(max(0.0, timeout_s) * 1000)}
        if self._log.fileno() in ready:
            self._read_log()
        if self._out.fileno() in ready:
            self._read_picture()
        if self._unsent and self._in.fileno() in ready:
            self._write()

    def end(self) -> int | None:
        """Kill it. Returns its exit code; None when it does not even die, as children do that hang in a driver."""
        for pipe in (self._in, self._out, self._log):
            with contextlib.suppress(OSError):
                pipe.close()
        if self._process.poll() is None:
            kill_group(self._process)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_DYING_S)
        return self._process.returncode

    def exit_code(self, timeout_s: float = 0.5) -> int | None:
        """The exit code of a child that has ended by itself."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout_s)
        return None

    def _write(self) -> None:
        try:
            done = os.writev(self._in.fileno(), list(self._unsent)[:64])
        except BlockingIOError:
            return
        except OSError:
            # It has died; what it still gave is read to the end.
            self._unsent.clear()
            return
        self._written_bytes += done
        while self._unsent and done >= len(self._unsent[0]):
            done -= len(self._unsent.popleft())
        if done:
            self._unsent[0] = self._unsent[0][done:]
        self._close_input_if_done()

    def _close_input_if_done(self) -> None:
        if self._no_more and not self._unsent:
            with contextlib.suppress(OSError):
                self._in.close()

    def _read_log(self) -> None:
        try:
            piece = os.read(self._log.fileno(), _LOG_BYTES)
        except BlockingIOError:
            return
        self._given_bytes += len(piece)
        self._log_ended = not piece
        *lines, self._unread_log = (self._unread_log + piece).split(b"\n")
        self._unread_log = self._unread_log[-_LONGEST_LINE:]
        for raw in lines:
            line = raw.decode("utf-8", "replace")
            self._announced.extend(self._show_info.announced(line))
            if (complaint := _COMPLAINT.search(clean_line(raw))) and not _AFTERMATH.search(complaint[1]):
                self._words.append(complaint[1])

    def _read_picture(self) -> None:
        while self._announced:
            if self._filling is None:
                look = self._announced[0].look
                if look.width * look.height > self._max_pixels:
                    self._words.appendleft(f"its pictures are {look.width}x{look.height}")
                    self._out_ended = self._log_ended = True
                    return
                try:
                    packet = Packet(look.size)
                except ValueError:  # no ffmpeg says so, but a program in its place may
                    self._words.appendleft(f"its pictures are {look.pixel_format}")
                    self._out_ended = self._log_ended = True
                    return
                self._filling = packet, memoryview(packet)
            packet, room = self._filling
            try:
                got = self._out.recv_into(room, 0, socket.MSG_WAITALL)
            except BlockingIOError:
                return  # it hangs in the middle of a picture; the log may say why
            self._given_bytes += got
            if not got:
                self._out_ended = True
                return
            self._filling = packet, room[got:]
            if got == len(room):
                self._filling = None
                self._hand_over(packet, self._announced.popleft())
        if self._log_ended:
            self._out_ended = True  # nothing can be made of what nobody has described

    def _hand_over(self, packet: Packet[Any], said: Announced) -> None:
        if self._wrapping is None or self._wrapping[0] != said.look:
            self._wrapping = said.look, _wrapper(said.look, self._stream)
        for picture in self._wrapping[1].decode(packet):
            self.decoded.append(Decoded(picture, said.pts, said.look))


def _wrapper(look: Look, stream: VideoCodecContext) -> VideoCodecContext:
    """What makes a picture of its bytes, without a copy. Where it has no tag, the container's counts."""
    context = CodecContext.create("rawvideo", "r")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = look.width, look.height, look.pixel_format
    context.color_range = look.range or stream.color_range
    context.colorspace = stream.colorspace if look.space == UNKNOWN else look.space
    context.color_primaries = stream.color_primaries if look.primaries == UNKNOWN else look.primaries
    context.color_trc = stream.color_trc if look.transfer == UNKNOWN else look.transfer
    return context
