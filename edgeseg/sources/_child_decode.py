"""Decoding in a child process: what it is given, when it is replaced, and what hardware that does not work means."""

from __future__ import annotations

import logging
import signal
import time
from typing import Any

import av
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from edgeseg.errors import SourceError
from edgeseg.sources._decode_child import DecodeChild
from edgeseg.sources._packets import PacketWriter
from edgeseg.sources.decode_command import Decoding, can_decode, decode_command, is_for_ever, is_of_software

_log = logging.getLogger(__name__)
# How long a packet's picture is waited for. Most have one at once, those before which others are shown have it later.
_PATIENCE_S = 0.05
# How long nothing at all may move while the child has something to read.
_HUNG_S = 5.0
# So many packets without one picture, and hardware does not take this stream: it keeps back a few for their order.
_TRIAL_PACKETS = 60
# Children that may die one after the other; so many pictures from one, and it was chance.
_MOST_DEATHS = 3
_WELL_AGAIN = 100


class ChildDecoder:
    """Decodes one stream in ffmpeg children, one after the other if need be.

    A picture's own damage is the child's to get over. A child that dies or hangs is replaced, and the pictures up to
    the next keyframe are lost; after the third in a row the source fails. Hardware that gives no picture at all is an
    error, or a reason to decode in software, as ``decoding`` says. All calls come from one thread.

    Args:
        decoding: how to decode.
        stream: what the packets belong to.
        name: the source's, for sentences.
        max_pixels: larger pictures are refused.
    """

    def __init__(self, decoding: Decoding, stream: VideoStream, name: str, max_pixels: int) -> None:
        self._decoding = decoding
        self._stream = stream
        self._codec = stream.codec_context.name
        self._name = name
        self._max_pixels = max_pixels
        self._child: DecodeChild | None = None
        self._writer: PacketWriter | None = None
        self._waits_for_keyframe = False
        self._held: list[bytes] = []
        self._sent = self._received = self._behind = 0
        self._works = False
        self._deaths = 0
        self._progress, self._progress_at = (0, 0), 0.0
        self._started_at = 0.0

    def decode(self, packet: Packet[Any] | None) -> list[VideoFrame]:
        """The pictures that came out, most often that of ``packet``; one without content gives all that are left.

        Raises:
            SourceError: hardware does not take this stream, or the children keep dying.
        """
        # What is there before a packet is sent was late, and its successors should not be.
        late = self._exchange(0.0)
        if packet is None or (self._waits_for_keyframe and not packet.is_keyframe):
            return late
        if not packet.size:
            return late + self._drain()
        self._send(packet)
        return late + self._exchange(_PATIENCE_S)

    def close(self) -> None:
        """End the child. May be called twice."""
        if self._child is not None:
            self._child.end()
            self._child = None

    def _send(self, packet: Packet[Any]) -> None:
        if self._child is None:
            self._start()
            self._writer = PacketWriter(self._stream)
            self._waits_for_keyframe = False
        assert self._child is not None
        assert self._writer is not None
        try:
            wire = self._writer.wire(packet)
        except av.error.FFmpegError:
            return  # a packet that no container takes is none that a decoder takes
        self._child.send(wire)
        self._sent += 1
        if self._is_on_trial:
            self._held.append(wire)

    def _start(self) -> None:
        settings = self._decoding.settings
        self._sent = self._received = self._behind = 0
        self._works = False
        self._held = []
        self._progress_at = self._started_at = time.monotonic()
        if not can_decode(settings, self._codec):
            self._decoding.fall_back(self._unusable(f"it has no decoder for {self._codec}", for_ever=True))
        command = decode_command(self._decoding.settings, self._codec, self._max_pixels)
        self._child = DecodeChild(command, self._stream.codec_context, self._max_pixels)

    def _exchange(self, patience_s: float) -> list[VideoFrame]:
        """Write what is to be written, and take what comes: as many pictures as packets, but for those kept back."""
        began, wait_s = time.monotonic(), 0.0
        pictures: list[VideoFrame] = []
        while (child := self._child) is not None:
            child.step(wait_s)
            pictures += self._taken()
            now, wait_s = time.monotonic(), 0.0
            if self._child is not child:
                continue  # another one took its place
            if child.ended:
                self._lost(_how(child.exit_code()), child.words)
            elif self._hangs(now):
                self._lost(f"took and gave nothing for {_HUNG_S:g} s", child.words)
            elif self._is_on_trial and len(self._held) >= _TRIAL_PACKETS and now - self._started_at >= _HUNG_S:
                self._second_try(self._unusable(child.words or f"no picture came of {len(self._held)} packets"))
            elif child.unsent or child.announces:
                wait_s = _HUNG_S / 10
            elif self._sent - self._received <= self._behind:
                break
            elif now - began < patience_s:
                wait_s = began + patience_s - now
            else:
                # Kept back for the order of the pictures, or lost; if it was only late, it will come with the next.
                self._behind = self._sent - self._received if patience_s else self._behind
                break
        return pictures

    @property
    def _is_on_trial(self) -> bool:
        """Whether hardware has still to show that it takes this stream."""
        return self._decoding.settings.hwaccel is not None and not self._works

    def _hangs(self, now: float, draining: bool = False) -> bool:
        assert self._child is not None
        progress = self._child.progress
        if progress != self._progress or not (draining or self._child.has_work):
            self._progress, self._progress_at = progress, now
        return now - self._progress_at >= _HUNG_S

    def _drain(self) -> list[VideoFrame]:
        """What is left in the child when nothing more is sent."""
        pictures: list[VideoFrame] = []
        while (child := self._child) is not None:
            child.no_more()
            child.step(_HUNG_S / 10)
            pictures += self._taken()
            if self._child is not child:
                continue
            if child.ended and self._is_on_trial:
                self._lost(_how(child.exit_code()), child.words)
            elif child.ended or self._hangs(time.monotonic(), draining=True):
                self.close()
        return pictures

    def _taken(self) -> list[VideoFrame]:
        assert self._child is not None
        assert self._writer is not None
        pictures = []
        while self._child.decoded:
            decoded = self._child.decoded.popleft()
            if self._is_on_trial and is_of_software(decoded.look.pixel_format, self._codec):
                self._second_try(self._unusable(f"ffmpeg decodes this {self._codec} in software instead"))
                return []
            self._works, self._held = True, []
            self._received += 1
            self._deaths = self._deaths if self._received < _WELL_AGAIN else 0
            decoded.picture.pts = self._writer.source_pts(decoded.at)
            decoded.picture.time_base = self._stream.time_base
            pictures.append(decoded.picture)
        # What seemed to be kept back may have been late.
        self._behind = min(self._behind, max(0, self._sent - self._received))
        return pictures

    def _lost(self, how: str, words: str) -> None:
        """The child is of no use any more: another one goes on at the next keyframe, or with everything."""
        if self._is_on_trial:
            self._second_try(self._unusable(words or f"ffmpeg {how}", for_ever=is_for_ever(words)))
            return
        self.close()
        self._deaths += 1
        self._waits_for_keyframe = True
        why = f"{how}: {words}" if words else how
        if self._deaths >= _MOST_DEATHS:
            raise SourceError(f"the decoder of {self._name} failed {self._deaths} times in a row; the last one {why}")
        _log.warning("the decoder of %s %s; going on at the next keyframe", self._name, why)

    def _second_try(self, exc: SourceError) -> None:
        """What was sent so far goes to a child that decodes in software."""
        assert self._child is not None
        self.close()
        self._decoding.fall_back(exc)
        held = self._held
        self._start()
        assert self._child is not None
        for wire in held:
            self._child.send(wire)
        self._sent, self._held = len(held), held

    def _unusable(self, why: str, *, for_ever: bool = False) -> SourceError:
        return SourceError(
            f"{self._decoding.settings.hwaccel} cannot decode {self._name}: {why}",
            hint="check the driver and the rights on the device, or set source.decode.fallback: software",
            permanent=for_ever,
        )


def _how(code: int | None) -> str:
    if code is None:
        return "gave up"
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
