"""Which recordings are kept: by age, by size, and by what has to stay free on their disk; the oldest go first.

Only closed segments are ever removed, and only files whose name says that a recorder of ours made them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from edgeseg.errors import OutputError
from edgeseg.outputs.shelf import Kept, Shelf
from edgeseg.status import OutputStatus

_log = logging.getLogger(__name__)

_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Retention:
    """How much is kept; None sets no limit.

    Attributes:
        max_age_s: seconds since a segment was closed.
        max_bytes: all segments together, the open one included.
        min_free_bytes: what has to stay free on the file system; below it nothing new is recorded either.
    """

    max_age_s: float | None = None
    max_bytes: int | None = None
    min_free_bytes: int | None = None


class Keeper:
    """The one place that looks at the recordings of all streams, now and then on a thread of its own.

    Recorders call ``make_room`` on their own threads; passes may overlap, a segment is removed once.

    Args:
        overall: limits for all recordings together, beside those of each stream.
        every_s: how often it looks when nobody asks.
        now_s: the wall clock, in seconds since the epoch.
    """

    def __init__(
        self, overall: Retention | None = None, *, every_s: float = _EVERY_S, now_s: Callable[[], float] = time.time
    ) -> None:
        self._overall = overall or Retention()
        self._every_s = every_s
        self._now_s = now_s
        self._shelves: dict[Shelf, Retention] = {}
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def shelf(self, directory: Path, stream: str, limits: Retention, status: OutputStatus | None = None) -> Shelf:
        """Look after the recordings of ``stream`` in ``directory`` from now on."""
        shelf = Shelf(Path(directory), stream, status)
        self._shelves[shelf] = limits
        return shelf

    def start(self) -> None:
        """Begin to look, at once and then regularly."""
        self._wake.set()
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)
        self._thread.start()

    def close(self, timeout_s: float = 2.0) -> None:
        """End the thread. A disk that hangs is left alone."""
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def ask(self) -> None:
        """Look soon; returns at once."""
        self._wake.set()

    def tidy(self) -> None:
        """Look at everything now, on the caller's thread."""
        self._tidy(self._shelves)

    def make_room(self, shelf: Shelf, *, full: bool = False) -> None:
        """See to it that ``shelf`` may be written to. Quick while there is room.

        Args:
            shelf: where something is about to be written.
            full: a write has just failed for want of room, whatever the file system says.

        Raises:
            OutputError: less is free than has to stay free, and nothing more may be removed.
        """
        need = self._need(shelf)
        try:
            free = shelf.free_bytes()
            if full or free < need:
                device = shelf.device()
                free = self._tidy([other for other in self._shelves if other.device() == device])
            else:
                self.ask()
        except OSError:
            return  # what is wrong with the directory is for its recorder to say
        if free < need:
            raise OutputError(
                f"cannot record to {shelf.directory}: {_size(free)} are free and {_size(need)} are to stay free",
                hint="free some, or lower min_free",
            )

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(self._every_s)
            self._wake.clear()
            if self._closing.is_set():
                return
            try:
                self.tidy()
            except Exception:  # noqa: BLE001
                # Without this thread the disk would fill up: it goes on, whatever there was.
                _log.exception("retention: a pass failed")

    def _need(self, shelf: Shelf) -> int:
        return max(self._shelves[shelf].min_free_bytes or 0, self._overall.min_free_bytes or 0)

    def _tidy(self, shelves: Iterable[Shelf]) -> int:
        """One pass over ``shelves``; gives what is free on the file system of the last of them."""
        kept: dict[Shelf, list[Kept]] = {}
        for shelf in list(shelves):
            limits = self._shelves[shelf]
            kept[shelf] = _shrink(self._expire(shelf.closed(), limits.max_age_s), limits.max_bytes, [shelf])
        merged = sorted((found for group in kept.values() for found in group), key=lambda found: found.started_ms)
        merged = self._expire(merged, self._overall.max_age_s)
        if len(kept) == len(self._shelves):
            merged = _shrink(merged, self._overall.max_bytes, kept)
        free = 0
        devices = {shelf: shelf.device() for shelf in kept}
        for device in dict.fromkeys(devices.values()):
            there = [shelf for shelf in kept if devices[shelf] == device]
            left, free = self._free([found for found in merged if found.shelf in there], there[0])
            for shelf in there:
                shelf.tell([found for found in left if found.shelf is shelf], free)
                shelf.index.compact()
        return free

    def _expire(self, segments: list[Kept], max_age_s: float | None) -> list[Kept]:
        if max_age_s is None:
            return segments
        deadline_s = self._now_s() - max_age_s
        return [
            segment for segment in segments if segment.ended_s >= deadline_s or not segment.shelf.remove(segment, "age")
        ]

    def _free(self, segments: list[Kept], shelf: Shelf) -> tuple[list[Kept], int]:
        """Remove from ``segments``, all of one file system, until enough is free; gives what is left, and free."""
        left = []
        try:
            free = shelf.free_bytes()
            for segment in segments:
                if free >= self._need(segment.shelf) or not segment.shelf.remove(segment, "space"):
                    left.append(segment)
                else:
                    # Some file systems give back what was removed seconds later: more must not go for that.
                    free = max(free + segment.bytes, shelf.free_bytes())
        except OSError:
            return segments, 0  # the disk went away
        return left, free


def _shrink(segments: list[Kept], max_bytes: int | None, shelves: Iterable[Shelf]) -> list[Kept]:
    if max_bytes is None:
        return segments
    excess = sum(segment.bytes for segment in segments) + sum(shelf.open_bytes() for shelf in shelves) - max_bytes
    left = []
    for segment in segments:
        if excess > 0 and segment.shelf.remove(segment, "size"):
            excess -= segment.bytes
        else:
            left.append(segment)
    return left


def _size(amount: int) -> str:
    for unit, words in ((1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB")):
        if amount >= unit:
            return f"{amount / unit:.3g} {words}"
    return f"{amount // 1000} kB"
