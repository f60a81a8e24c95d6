"""Whether somebody is in the picture, told from the masks that are made anyway."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2

from edgeseg.status import StreamStatus
from edgeseg.types import Mask

# For so long a mask that is lost, or a camera that is away, says nothing about who is there; then nobody is.
UNKNOWN_MS = 60_000
# Who is noticed late was there before, but whoever keeps what was before has to know how long.
DATED_BACK_MS = 2000
# What the recorder holds at most while it waits for an event: 4 Mbit/s for ten seconds are 5 MB.
PREROLL_BYTES = 64 << 20
_REMEMBERED = 32


@dataclass(frozen=True, slots=True)
class PresenceSettings:
    """When somebody counts as there.

    ``min_area`` is the share of the mask (0..1) that has to be above one half, in ``frames`` pictures in a row; after
    ``gone_frames`` pictures in a row without, nobody is there any more. ``inverted`` masks keep what is not the person:
    in them the area below one half counts.
    """

    min_area: float = 0.005
    frames: int = 5
    gone_frames: int = 10
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class Sighting:
    """Somebody was there from ``start_ms`` to ``seen_ms`` (the stream's time), and still is unless ``over``."""

    start_ms: int
    seen_ms: int
    over: bool = False

    def holds(self, ms: int, before_ms: int, after_ms: int) -> bool:
        """Whether ``ms`` lies in it, or so little before or after.

        One that is not over goes on while nothing is known, for ``UNKNOWN_MS``.
        """
        patience_ms = after_ms if self.over else max(after_ms, UNKNOWN_MS)
        return self.start_ms - before_ms <= ms <= self.seen_ms + patience_ms


class Presence:
    """Follows the masks of one stream.

    ``look`` belongs to the stream's worker; ``sightings`` may be read from any thread. What is said about a picture is
    said before that picture is encoded. A sighting is dated back to the first of its pictures, by ``DATED_BACK_MS`` at
    most. A picture without a mask says nothing: it neither begins nor ends a sighting, until nothing was known for
    ``UNKNOWN_MS``.

    Args:
        settings: when somebody counts as there.
        status: is told, for the metrics.
    """

    def __init__(self, settings: PresenceSettings, status: StreamStatus | None = None) -> None:
        self._settings = settings
        self._status = status
        self._sightings: tuple[Sighting, ...] = ()
        self._known_ms = 0
        self._run = 0
        self._run_from_ms = 0
        self._without = 0

    @property
    def sightings(self) -> tuple[Sighting, ...]:
        """The last few, oldest first."""
        return self._sightings

    @property
    def present(self) -> bool:
        """Whether somebody is there, as far as is known."""
        return bool(self._sightings) and not self._sightings[-1].over

    def look(self, mask: Mask | None, timestamp_ms: int) -> None:
        """Take the refined mask of the picture that is shown at ``timestamp_ms``; None where there is none."""
        if timestamp_ms - self._known_ms > UNKNOWN_MS:
            self._nobody()
        if mask is None:
            return
        self._known_ms = timestamp_ms
        if self.area(mask) >= self._settings.min_area:
            self._without = 0
            self._somebody(timestamp_ms)
        else:
            self._run = 0
            self._without += 1
            if self._without >= self._settings.gone_frames:
                self._nobody()

    def area(self, mask: Mask) -> float:
        """The share of the mask that is the person, 0..1."""
        # The highest bit says "above one half".
        share = cv2.countNonZero(mask.alpha & 128) / mask.alpha.size
        return 1 - share if self._settings.inverted else share

    def _somebody(self, ms: int) -> None:
        if self.present:
            last = self._sightings[-1]
            self._sightings = (*self._sightings[:-1], Sighting(last.start_ms, ms))
            return
        if self._run == 0:
            self._run_from_ms = ms
        self._run += 1
        if self._run >= self._settings.frames:
            sighting = Sighting(max(self._run_from_ms, ms - DATED_BACK_MS), ms)
            self._sightings = (*self._sightings[-_REMEMBERED:], sighting)
            if self._status is not None:
                self._status.present = True
                self._status.appearances += 1

    def _nobody(self) -> None:
        self._run = self._without = 0
        if self.present:
            self._sightings = (*self._sightings[:-1], replace(self._sightings[-1], over=True))
            if self._status is not None:
                self._status.present = False
