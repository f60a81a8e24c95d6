"""Reads a source at the pace of its own clock, and puts its pictures and sounds on the stream's time axis."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from edgeseg.status import StreamStatus
from edgeseg.timeline import Timeline
from edgeseg.types import AudioPacket, Frame, Source


@dataclass(frozen=True, slots=True)
class VideoSettings:
    """The output's size, how the picture is fitted into it, and its highest rate; None means as the source."""

    size: tuple[int, int] | None = None
    fit: str = "contain"
    fps: Fraction | None = None
    realtime: bool = True


class Reader:
    """Reads a source in order, at the pace that the settings ask for, with output times.

    ``waits``: the source's pictures can wait, so they are given at the pace of their times.
    """

    def __init__(
        self,
        source: Source,
        timeline: Timeline,
        video: VideoSettings,
        waits: bool,
        stop: threading.Event,
        status: StreamStatus,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._timeline = timeline
        self._period_ms = 1000 / float(video.fps) if video.fps else 0.0
        self._paced = video.realtime and waits
        self._stop = stop
        self._status = status
        self._clock = clock
        self._started: tuple[float, int] | None = None
        self._due_ms = 0.0

    def __iter__(self) -> Reader:
        return self

    def __next__(self) -> tuple[Frame | AudioPacket, int]:
        """The next frame or packet and its output time in ms; ends with the source or the stop event."""
        while not self._stop.is_set():
            started = time.perf_counter()
            item = self._source.read()
            if item is None:
                break
            if isinstance(item, AudioPacket):
                timestamp_ms = self._timeline.audio(item.pts, item.time_base)
                if timestamp_ms is not None:
                    return item, timestamp_ms
                continue
            self._status.stage("read").observe(time.perf_counter() - started)
            self._status.count("source", "read")
            frame_ms = self._timeline.video(item.pts, item.time_base, item.captured_at)
            if self._skips(frame_ms):
                self._status.count("source", "skipped")
                continue
            return self._paced_frame(item, frame_ms)
        raise StopIteration

    def _skips(self, timestamp_ms: int) -> bool:
        """Whether the picture is one too many for the wanted rate; half a millisecond of rounding is forgiven."""
        if not self._period_ms:
            return False
        if timestamp_ms < self._due_ms - 0.5:
            return True
        # From the grid, not from the picture, or 30 would become 20 when 25 are wanted.
        self._due_ms = max(self._due_ms + self._period_ms, timestamp_ms - self._period_ms)
        return False

    def _paced_frame(self, frame: Frame, timestamp_ms: int) -> tuple[Frame, int]:
        """Wait until a picture that can wait is due. Its life begins then: decoding ahead is not latency."""
        if not self._paced:
            return frame, timestamp_ms
        if self._started is None:
            self._started = (self._clock(), timestamp_ms)
        due = self._started[0] + (timestamp_ms - self._started[1]) / 1000
        wait_s = due - self._clock()
        if wait_s > 0:
            self._stop.wait(wait_s)
        return replace(frame, captured_at=self._clock()), timestamp_ms
