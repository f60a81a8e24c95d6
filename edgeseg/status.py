"""What the running parts tell about themselves: plain counters that their owners write and the service reads.

One thread writes each field, so plain assignment is enough; a reader may see a value that is one frame old.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from edgeseg.types import Frame, State, StreamHeader, Tag

# Seconds. Fine where a frame's budget lies (33 ms at 30 fps), coarse beyond a second.
LATENCY_BUCKETS = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.033, 0.066, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0)

# A rate is told for so long after the last picture.
_NO_RATE_S = 2.0
# What a rate is the mean of, roughly.
_RATE_OVER_S = 1.0


class Histogram:
    """Cumulative buckets without the cost of a metrics library on the way of a frame (half a microsecond each)."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...] = LATENCY_BUCKETS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


@dataclass(slots=True)
class OutputStatus:
    """One publisher, recorder or group of viewers."""

    name: str
    kind: str
    where: str  # already redacted: safe to show
    state: State = State.STARTING
    reason: str = ""  # why it is not running, redacted
    starts: int = 0
    sent_tags: int = 0
    sent_bytes: int = 0
    dropped_tags: int = 0
    queue_length: int = 0
    viewers: int = 0
    activity: str = ""  # what it is at while it runs, where that is worth a word
    recordings: int = 0  # segments closed
    last_file: str = ""

    @property
    def reconnects(self) -> int:
        return max(0, self.starts - 1)


@dataclass(frozen=True, slots=True)
class GovernorStatus:
    """What the governor of a live stream does: nothing at level 0."""

    level: int = 0
    top: int = 0  # the highest level, once it has been needed
    keep: float = 1.0  # share of the source's pictures that is shown
    mask_every: int = 1  # so many pictures share a mask


@dataclass(slots=True)
class StreamStatus:
    """One stream, from its source to its encoder."""

    name: str
    effect: str = ""
    model: str = ""
    state: State = State.STARTING
    reason: str = ""  # why it is not running, redacted
    source_starts: int = 0
    encoder_starts: int = 0
    width: int = 0
    height: int = 0
    fps: float = 0.0
    frames: dict[tuple[str, str], int] = field(default_factory=dict)  # (stage, outcome) -> count
    stages: dict[str, Histogram] = field(default_factory=dict)  # stage -> seconds
    latency: Histogram = field(default_factory=Histogram)  # captured -> tag leaves the encoder
    mask_age: Histogram = field(default_factory=Histogram)  # what it was made of captured -> composited with it
    queues: dict[str, int] = field(default_factory=dict)
    encoded_bytes: int = 0
    present: bool = False  # somebody is in the picture
    appearances: int = 0  # how often somebody came
    device: str = ""  # that the model runs on
    model_reloads: dict[str, int] = field(default_factory=lambda: {"ok": 0, "failed": 0})
    governor: GovernorStatus | None = None  # none: not a live source, or switched off
    last_output_at: float = 0.0  # monotonic; 0 = never
    outputs: list[OutputStatus] = field(default_factory=list)

    def count(self, stage: str, outcome: str, n: int = 1) -> None:
        key = (stage, outcome)
        self.frames[key] = self.frames.get(key, 0) + n

    def runs_on(self, device: str) -> None:
        self.device = device

    def model_reloaded(self, well: bool) -> None:
        self.model_reloads["ok" if well else "failed"] += 1

    def took(self, stage: str, seconds: float) -> None:
        """``stage`` took so long for one picture."""
        histogram = self.stages.get(stage)
        (self.stage(stage) if histogram is None else histogram).observe(seconds)

    def stage(self, name: str) -> Histogram:
        histogram = self.stages.get(name)
        if histogram is None:
            histogram = self.stages[name] = Histogram()
        return histogram

    def paced(self, gap_ms: int) -> None:
        """A picture came out, by the stream's time ``gap_ms`` after the one before: ``fps`` follows."""
        if gap_ms > 0:
            # A gap weighs as much as it is long: each alike, the short ones of a heap would count for too much.
            weight = min(1.0, gap_ms / 1000 / _RATE_OVER_S)
            self.fps += weight * (1000 / gap_ms - self.fps)

    def rate(self, now: float) -> float:
        """Pictures of the source a second, as they come out at ``now`` (monotonic seconds); 0 when they do not."""
        if not self.last_output_at or not self.fps or now - self.last_output_at > max(_NO_RATE_S, 3 / self.fps):
            return 0.0
        return self.fps

    @property
    def reconnects(self) -> int:
        return max(0, self.source_starts - 1)


class LatestFrame:
    """Holds a copy-free claim on the newest composited frame, for snapshots.

    ``offer`` is called by the worker with the frame that goes to the encoder; ``take`` gives a private copy.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._ready = threading.Event()
        self._frame: Frame | None = None

    def offer(self, frame: Frame) -> None:
        """Copy ``frame`` if somebody asked for one; free of cost otherwise."""
        if not self._wanted.is_set():
            return
        self._wanted.clear()
        self._frame = Frame(
            frame.y.copy(), frame.u.copy(), frame.v.copy(), frame.pts, frame.time_base, frame.colour, frame.captured_at
        )
        self._ready.set()

    def take(self, timeout_s: float = 2.0) -> Frame | None:
        """The next composited frame, or None when none came in time. Blocks: not for the event loop."""
        with self._lock:
            self._ready.clear()
            self._wanted.set()
            if not self._ready.wait(timeout_s):
                self._wanted.clear()
                return None
            frame, self._frame = self._frame, None
            return frame


class StreamView(Protocol):
    """What the service may ask of a running stream."""

    status: StreamStatus
    latest: LatestFrame

    def subscribe(self, subscriber: Subscriber) -> None: ...

    def unsubscribe(self, subscriber: Subscriber) -> None: ...


class Subscriber(Protocol):
    """Somebody the hub gives tags to: called on the hub's thread, must never block.

    See ``edgeseg.encoding.hub.Hub`` for the order of calls.
    """

    def header(self, header: StreamHeader) -> None: ...

    def replay(self, tags: Sequence[Tag]) -> None: ...

    def tag(self, tag: Tag) -> None: ...

    def end(self) -> None: ...


@dataclass(slots=True)
class DaemonStatus:
    """The whole process."""

    version: str
    started_at: float = field(default_factory=time.monotonic)
    build: dict[str, str] = field(default_factory=dict)
