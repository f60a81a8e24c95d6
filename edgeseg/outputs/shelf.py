"""The recordings of one stream: what is there, and how one of them is removed."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeseg.outputs.index import Index, index_of
from edgeseg.outputs.recordstatus import RecordStatus
from edgeseg.outputs.segments import leftovers, recordings, stamp_ms
from edgeseg.status import OutputStatus

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """One closed segment."""

    shelf: Shelf
    path: Path
    started_ms: int
    ended_s: float
    bytes: int


class Shelf:
    """The recordings of one stream in one directory; as retention sees them."""

    def __init__(self, directory: Path, stream: str, status: OutputStatus | None) -> None:
        self.directory = directory
        self.stream = stream
        self.index: Index = index_of(directory)
        self._status = status if isinstance(status, RecordStatus) else None
        self._lock = threading.Lock()
        self._told = ""

    def closed(self) -> list[Kept]:
        """The closed segments, oldest first; nothing when the directory cannot be read."""
        try:
            found = [self._look_at(path) for path in recordings(self.directory, self.stream)]
        except FileNotFoundError:
            return []  # nothing was recorded yet, or the disk is away: its recorder says so
        except OSError as exc:
            self._complain(self.directory, exc)
            return []
        return [kept for kept in found if kept is not None]

    def open_bytes(self) -> int:
        """The size of what is being written now."""
        try:
            return sum(path.stat().st_size for path in leftovers(self.directory, self.stream))
        except OSError:
            return 0

    def remove(self, segment: Kept, reason: str) -> bool:
        """Remove a segment; False when that is not possible."""
        try:
            segment.path.unlink()
        except FileNotFoundError:
            return True
        except OSError as exc:
            self._complain(segment.path, exc)
            return False
        _log.debug("%s: removed %s (%s)", self.stream, segment.path, reason)
        self.index.removed(self.stream, segment.path.name, reason)
        if self._status is not None:
            with self._lock:
                self._status.removed[reason] = self._status.removed.get(reason, 0) + 1
        return True

    def device(self) -> int | None:
        """The file system that the directory is on; None when there is no directory."""
        try:
            return self.directory.stat().st_dev
        except OSError:
            return None

    def free_bytes(self) -> int:
        """What may still be written to that file system.

        Raises:
            OSError: it is not there.
        """
        found = os.statvfs(self.directory)
        return found.f_bavail * found.f_frsize

    def tell(self, kept: Sequence[Kept], free_bytes: int) -> None:
        """Write down what is kept."""
        if self._status is not None:
            self._status.kept_segments = len(kept)
            self._status.kept_bytes = sum(segment.bytes for segment in kept)
            self._status.oldest_at = kept[0].started_ms / 1000 if kept else 0.0
            self._status.free_bytes = free_bytes

    def _look_at(self, path: Path) -> Kept | None:
        try:
            stat = path.stat()
        except FileNotFoundError:
            return None  # somebody else has just removed it
        started_ms = stamp_ms(self.stream, path.name) or 0
        # A clock that was wrong when the segment began may have been put right by its end.
        return Kept(self, path, started_ms, max(started_ms / 1000, stat.st_mtime), stat.st_size)

    def _complain(self, where: Path, exc: OSError) -> None:
        words = exc.strerror or str(exc)
        if words != self._told:
            self._told = words
            _log.warning("%s: retention is held up at %s: %s", self.stream, where, words)
