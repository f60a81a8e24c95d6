"""The list of recordings beside them: ``recordings.jsonl``, one line for each segment that was closed or removed.

Lines are only ever appended, and forced to disk; a line that a crash has torn is passed over. When most lines are
about segments that are gone, the file is written anew beside itself and renamed. One daemon writes to a directory.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from weakref import WeakValueDictionary

from edgeseg.outputs.indexlines import Entry, closed_line, removed_line, replay
from edgeseg.outputs.segments import is_recovered, recordings, stamp_ms, wall_ms

_log = logging.getLogger(__name__)

INDEX = "recordings.jsonl"
# How many lines may be about what is gone before the file is written anew.
_DEAD_LINES = 1000
# How many lines may wait for a disk that takes none; `repair` finds out what was in the others.
_MAX_OWED = 1000


def read_index(directory: Path, stream: str | None = None) -> list[Entry]:
    """The recordings of ``stream`` (or of all) that the index says are there, in the order of their lines.

    Raises:
        OSError: the index is there and cannot be read.
    """
    entries, _ = replay(_lines(Path(directory) / INDEX))
    return [entry for entry in entries.values() if stream in (None, entry.stream)]


class Index:
    """The index of one directory; take it from ``index_of``. Every method may be called from any thread.

    Nothing here raises on a disk that fails: a recording is worth more than its line. What could not be written is
    written with the next line, or found out again by ``repair``.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / INDEX
        self._lock = threading.Lock()
        self._owed: list[bytes] = []
        self._dead = 0
        self._told = ""

    def closed(self, entry: Entry) -> None:
        """A segment was closed."""
        self._append([closed_line(entry)])

    def removed(self, stream: str, file: str, reason: str) -> None:
        """A segment is no longer there, because of ``reason``."""
        self._append([removed_line(stream, file, reason, wall_ms())])
        self._dead += 2

    def repair(self, stream: str) -> list[Entry]:
        """Make the index say what is on the disk: call it before the first segment. Gives what is there of ``stream``.

        Torn lines go. A segment without a line gets one, with its end taken from the file's time of change. A line
        whose segment is gone is answered by another.
        """
        try:
            entries, bad = replay(_lines(self._path))
            if bad:
                self._rewrite()
            known = {name: entry for (of, name), entry in entries.items() if of == stream}
            on_disk = {path.name: path for path in recordings(self._directory, stream)}
            adopted = [_adopt(stream, path) for name, path in on_disk.items() if name not in known]
        except OSError as exc:
            self._complain(exc)
            return []
        gone = [removed_line(stream, name, "missing", wall_ms()) for name in known if name not in on_disk]
        self._append([*map(closed_line, adopted), *gone])
        there = [*(entry for name, entry in known.items() if name in on_disk), *adopted]
        return sorted(there, key=lambda entry: stamp_ms(stream, entry.file) or 0)

    def compact(self) -> None:
        """Write the index anew when most of it is about what is gone."""
        if self._dead > _DEAD_LINES:
            try:
                self._rewrite()
            except OSError as exc:
                self._complain(exc)

    def _append(self, lines: Iterable[bytes]) -> None:
        with self._lock:
            lines = [*self._owed, *lines]
            if not lines:
                return
            try:
                _append_synced(self._path, b"".join(lines))
            except OSError as exc:
                self._owed = lines[-_MAX_OWED:]
                self._complain(exc)
                return
            self._owed = []
            self._told = ""

    def _rewrite(self) -> None:
        with self._lock:
            entries, _ = replay(_lines(self._path))
            beside = self._path.with_name(f"{INDEX}.new")
            beside.unlink(missing_ok=True)
            _append_synced(beside, b"".join(map(closed_line, entries.values())))
            beside.replace(self._path)
            self._dead = 0

    def _complain(self, exc: OSError) -> None:
        words = exc.strerror or str(exc)
        if words != self._told:
            self._told = words
            _log.warning("%s: cannot be brought up to date: %s", self._path, words)


_indexes: WeakValueDictionary[str, Index] = WeakValueDictionary()
_indexes_lock = threading.Lock()


def index_of(directory: Path) -> Index:
    """The index of ``directory``: the same one for everybody who records there."""
    key = os.path.realpath(directory)
    with _indexes_lock:
        index = _indexes.get(key)
        if index is None:
            index = _indexes[key] = Index(Path(directory))
        return index


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except FileNotFoundError:
        return []


def _adopt(stream: str, path: Path) -> Entry:
    found = path.stat()
    start_ms = stamp_ms(stream, path.name) or 0
    end_ms = max(start_ms, found.st_mtime_ns // 1_000_000)
    return Entry(stream, path.name, start_ms, end_ms, found.st_size, recovered=is_recovered(path.name))


def _append_synced(path: Path, data: bytes) -> None:
    """All of ``data`` in one write, on a line of its own, or none of it."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        data = b"\n" + data if torn else data
        try:
            if os.write(descriptor, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)
    if size == 0:
        _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
