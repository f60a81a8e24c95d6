"""The encoder: one ffmpeg child per stream, raw pictures in, FLV tags out. It never touches network or disk."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Callable

from edgeseg.encoding.command import EncoderSettings, encode_command
from edgeseg.encoding.matroska import AUDIO_TRACK, VIDEO_TRACK, RawFormat, block_head, header
from edgeseg.encoding.progress import Progress, Seen, cpu_seconds
from edgeseg.encoding.rawpipe import RawPipe
from edgeseg.errors import EncoderError
from edgeseg.ffmpeg import LastWords, kill_group
from edgeseg.flv import FlvReader
from edgeseg.frames import Canvas
from edgeseg.queues import Closed, FrameQueue, WhenFull
from edgeseg.types import Tag, TagKind

# Enough for a keyframe's longer encode. No more: when the encoder is what is too slow, a full queue is latency.
_QUEUE_S = 0.2
# How often a thread that waits for room looks whether the child still works.
_CHECK_S = 0.1
# How often it is asked at most: that costs some system calls.
_LOOK_S = 0.05
# How long a child that has said everything may take to exit.
_LAST_BREATH_S = 0.2
# How long one that was killed may take to be gone.
_DYING_S = 2.0

_Item = tuple[int, Canvas | bytes]


class Encoder:
    """Feeds an ffmpeg child and hands its tags on.

    ``video`` and ``audio`` are called by the stream's threads; ``on_tag`` runs on the encoder's reading thread.
    ``recycle`` gets every canvas back once the child has read it, or it was dropped. A child that hangs (see
    ``Progress``) is killed, and that call raises.

    Args:
        settings: how to encode.
        raw: what the pictures are.
        when_full: what to do with pictures that come faster than they are encoded.
        on_tag: called with each tag and, for pictures, with its delay since ``captured_at`` in seconds.
        recycle: takes canvases back.
        on_drop: called when a picture had to make room.
        name: for threads.
        stall_s: how long the child may neither read what waits for it, nor give tags, nor work.
        silent_s: how long it may give no tag, whatever it does.
        near_ms: the time of the first picture, roughly: FLV counts only to 2**31 ms.
    """

    def __init__(
        self,
        settings: EncoderSettings,
        raw: RawFormat,
        *,
        when_full: WhenFull,
        on_tag: Callable[[Tag, float | None], None],
        recycle: Callable[[Canvas], None],
        on_drop: Callable[[], None] = lambda: None,
        name: str = "encoder",
        stall_s: float = 1.25,
        silent_s: float = 10.0,
        near_ms: int = 0,
    ) -> None:
        self.raw = raw
        self._settings = settings
        self._on_tag = on_tag
        self._recycle = recycle
        self._on_drop = on_drop
        self._name = name
        self._progress = Progress(stall_s, silent_s)
        self._near_ms = near_ms
        self._queue: FrameQueue[_Item] = FrameQueue(
            max(2, round(_QUEUE_S * float(raw.fps))),
            when_full,
            self._dropped,
            counts=lambda item: isinstance(item[1], Canvas),
        )
        self._captured: dict[int, float] = {}
        self._failure: EncoderError | None = None
        self._finishing = False
        self._delivering = False
        self._tags = 0
        self._looked_at = time.monotonic()
        self._start_child()

    def _start_child(self) -> None:
        command = encode_command(self._settings, self.raw)
        try:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as exc:
            raise EncoderError(f"cannot run the encoder {command[0]}: {exc.strerror}") from exc
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        assert self._child.stderr is not None
        self._words = LastWords(self._child.stderr, self._name)
        self._pipe = RawPipe(self._child.stdin, self._recycle)
        self._writer = threading.Thread(target=self._write_loop, name=f"{self._name}:write", daemon=True)
        self._reader = threading.Thread(target=self._read_loop, name=f"{self._name}:read", daemon=True)
        self._writer.start()
        self._reader.start()

    @property
    def queue_length(self) -> int:
        return len(self._queue)

    def video(self, canvas: Canvas, timestamp_ms: int) -> None:
        """Hand over a composited picture; it belongs to the encoder until ``recycle`` is called with it.

        Raises:
            EncoderError: the child died or hangs.
        """
        self._captured[timestamp_ms] = canvas.frame.captured_at
        self._hand_over((timestamp_ms, canvas))

    def audio(self, payload: bytes, timestamp_ms: int) -> None:
        """Hand over one packet of sound. Raises as ``video`` does."""
        self._hand_over((timestamp_ms, payload))

    def finish(self, timeout_s: float = 3.0) -> bool:
        """Let everything that was handed over come out as tags, then end the child.

        Never raises; False when the child did not end well, so that the last pictures may be lost.
        """
        self._finishing = True
        self._queue.close()
        deadline = time.monotonic() + timeout_s
        self._writer.join(max(0.0, deadline - time.monotonic()))
        self._reader.join(max(0.0, deadline - time.monotonic()))
        self._end_child(max(_LAST_BREATH_S, deadline - time.monotonic()))
        self._queue.clear()
        return self._child.returncode == 0

    def kill(self) -> None:
        """End the child at once. Never raises."""
        self._finishing = True
        self._queue.close()
        self._queue.clear()
        self._end_child()

    def _hand_over(self, item: _Item) -> None:
        """Put ``item`` into the queue, however long that takes; on failure it is recycled and the failure raised."""
        try:
            self._check_progress()
            while not self._queue.put(item, timeout_s=_CHECK_S):
                self._check_progress()
        except Closed:
            self._dropped(item)
            raise self._failure or EncoderError("the encoder has been closed") from None
        except EncoderError:
            self._dropped(item)
            raise

    def _check_progress(self) -> None:
        now = time.monotonic()
        if self._failure is None and now - self._looked_at >= _LOOK_S:
            self._looked_at = now
            hung_s = self._progress.hung_for(now, self._see())
            if hung_s is not None:
                self._fail(f"the encoder gave nothing for {hung_s:g} s and was killed")
                self._end_child()
        if self._failure is not None:
            raise self._failure

    def _see(self) -> Seen:
        waiting_bytes = self._pipe.unread_bytes()
        taken_bytes = self._pipe.written_bytes - waiting_bytes
        # While ``on_tag`` holds a tag (a consumer may wait for a slow disk), the child is not to blame.
        return Seen(taken_bytes, waiting_bytes, self._tags, cpu_seconds(self._child.pid), self._delivering)

    def _dropped(self, item: _Item) -> None:
        timestamp_ms, what = item
        if isinstance(what, Canvas):
            self._captured.pop(timestamp_ms, None)
            self._recycle(what)
            self._on_drop()

    def _write_loop(self) -> None:
        try:
            self._pipe.write(header(self.raw))
            while True:
                item = self._queue.get()
                if item is None:
                    continue
                timestamp_ms, what = item
                if isinstance(what, Canvas):
                    self._pipe.picture(block_head(VIDEO_TRACK, timestamp_ms, what.buffer.size), what)
                else:
                    self._pipe.write(block_head(AUDIO_TRACK, timestamp_ms, len(what)), what)
        except Closed:
            pass
        except OSError:
            self._fail("the encoder died")
        finally:
            with contextlib.suppress(OSError):
                assert self._child.stdin
                self._child.stdin.close()

    def _read_loop(self) -> None:
        assert self._child.stdout
        reading = os.fdopen(os.dup(self._child.stdout.fileno()), "rb", buffering=1 << 16)
        try:
            with reading:
                for tag in FlvReader(reading, near_ms=self._near_ms):
                    self._delivering = True
                    captured = None
                    if tag.kind is TagKind.VIDEO and not tag.config:
                        captured = self._captured_until(tag.timestamp_ms)
                    self._on_tag(tag, None if captured is None else time.monotonic() - captured)
                    self._tags += 1
                    self._delivering = False
        except EncoderError as exc:
            self._fail(exc.message)
        finally:
            if not self._finishing:
                self._fail("the encoder ended")

    def _captured_until(self, timestamp_ms: int) -> float | None:
        """When the picture of this time was captured; forgets it and those before, which may have been left out."""
        captured = None
        for handed_over in list(self._captured):
            if handed_over > timestamp_ms:
                break
            captured = self._captured.pop(handed_over, None)
        return captured

    def _fail(self, what: str) -> None:
        if self._failure is None and not self._finishing:
            words = self._words.text()
            self._failure = EncoderError(f"{what}: {words}" if words else what)
            self._queue.close()
            self._queue.clear()

    def _end_child(self, patience_s: float = _LAST_BREATH_S) -> None:
        if self._child.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(patience_s if not self._writer.is_alive() else 0)
        if self._child.poll() is None:
            kill_group(self._child)
        # A child that hangs in a driver does not even die; it must not take the stream with it.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(_DYING_S)
        self._writer.join(1.0)
        self._reader.join(1.0)
        if self._child.poll() is not None and not self._writer.is_alive():
            self._pipe.release()
        assert self._child.stdout
        self._child.stdout.close()
