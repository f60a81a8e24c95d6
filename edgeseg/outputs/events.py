"""Decides which tags are recorded when only events are: from before somebody comes until after they have left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from edgeseg.outputs._preroll import Held, PreRoll
from edgeseg.presence import DATED_BACK_MS, PREROLL_BYTES, Sighting
from edgeseg.types import Tag


@dataclass(frozen=True, slots=True)
class Event:
    """Somebody appeared at ``start_ms`` of the stream, which was ``wall_ms`` since the epoch."""

    start_ms: int
    wall_ms: int


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next: close what is open if ``closes``, then write ``held``, which belong to ``event``."""

    event: Event | None = None
    held: tuple[Held, ...] = ()
    closes: bool = False
    begins: bool = False


class _Phase(Enum):
    WAITING = 1  # nobody is there, nothing is open
    WRITING = 2
    HOLDING = 3  # the event is over, unless another one begins so soon that it is the same


class EventGate:
    """Takes every tag of a stream and gives those of events, each once and in their order.

    An event lasts from ``pre_roll_ms`` before somebody appears, or rather from the keyframe before that, until
    ``post_roll_ms`` after they were last seen. Where the next would begin before the end of the one before, or with a
    group of pictures that is in it already, it is the same event: so a file stays open for about ``pre_roll_ms`` longer
    than something is written to it. Belongs to one thread.

    Args:
        sightings: who was seen when, in the stream's time; read with each tag, and known for it by then.
        pre_roll_ms: see above.
        post_roll_ms: see above.
        limit_bytes: how much of the stream is kept in memory at most. Beyond it, events begin later.
    """

    def __init__(
        self,
        sightings: Callable[[], tuple[Sighting, ...]],
        *,
        pre_roll_ms: int,
        post_roll_ms: int,
        limit_bytes: int = PREROLL_BYTES,
    ) -> None:
        self._sightings = sightings
        self._pre_ms = pre_roll_ms
        self._post_ms = post_roll_ms
        self._ring = PreRoll(limit_bytes)
        self._phase = _Phase.WAITING
        self._event: Event | None = None

    @property
    def waiting(self) -> bool:
        """Whether nothing is being recorded now."""
        return self._phase is not _Phase.WRITING

    def start_anew(self) -> None:
        """What comes next does not follow what came: the recorder was opened again. An event goes on all the same."""
        self._ring.clear()
        if self._phase is _Phase.HOLDING:
            self._event = None
        self._phase = _Phase.WAITING

    def next(self, tag: Tag, wall_ms: int) -> Step:
        """Take a tag that came at ``wall_ms`` (ms since the epoch)."""
        ms = tag.timestamp_ms
        whole = self._ring.add(Held(tag, wall_ms))
        sighting = next((s for s in self._sightings() if s.holds(ms, self._pre_ms, self._post_ms)), None)
        if self._phase is _Phase.WRITING:
            if sighting is not None:
                return Step(self._event, tuple(self._ring.take()))
            self._phase = _Phase.HOLDING
        if self._phase is _Phase.HOLDING:
            if sighting is not None and whole and not self._ring.can_start_by(sighting.start_ms - self._pre_ms):
                self._phase = _Phase.WRITING
                return Step(self._event, tuple(self._ring.take()))
            if sighting is None and whole and not self._ring.can_start_by(ms - self._pre_ms - DATED_BACK_MS):
                return Step()
            self._phase, self._event = _Phase.WAITING, None
            step = self._wait(sighting, ms)
            return Step(step.event, step.held, closes=True, begins=step.begins)
        return self._wait(sighting, ms)

    def _wait(self, sighting: Sighting | None, ms: int) -> Step:
        """Begin an event if there is one and a keyframe to start with, else forget what is too old for the next."""
        if sighting is None:
            self._event = None
            self._ring.forget_before(ms - self._pre_ms - DATED_BACK_MS)
            return Step()
        held = tuple(self._ring.take_from(sighting.start_ms - self._pre_ms))
        if not held:
            return Step()
        begins = self._event is None
        if self._event is None:
            first = held[0]
            self._event = Event(sighting.start_ms, first.wall_ms + sighting.start_ms - first.tag.timestamp_ms)
        self._phase = _Phase.WRITING
        return Step(self._event, held, begins=begins)
