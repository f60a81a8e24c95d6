"""The files of a recording: their names, and what becomes of one that was not closed."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import time
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

_log = logging.getLogger(__name__)

PART = ".part"

# ffmpeg's name of each container's format, and how it is asked to leave something playable behind kill -9.
FORMATS: dict[str, tuple[str, dict[str, str | int]]] = {
    "mp4": ("mp4", {"movflags": "+empty_moov+default_base_moof+frag_keyframe", "frag_duration": 500_000}),
    "mkv": ("matroska", {"cluster_time_limit": 1000}),
    "ts": ("mpegts", {"muxdelay": 0, "muxpreload": 0}),
}

_RECOVERED = ".recovered"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY, _DAY_MS = _EPOCH.toordinal(), 86_400_000
# What follows "<stream>-" in the name of a segment.
_REST = re.compile(
    r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)\.(\d{3})Z(?:-(\d{1,4}))?(\.recovered)?\.(?:mp4|mkv|ts)(\.part)?"
)


def wall_ms() -> int:
    """The wall clock, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def stamp_ms(stream: str, name: str) -> int | None:
    """The time in the name of a file of ``stream``, in ms since the epoch; None for a name that is not ours."""
    if not name.startswith(f"{stream}-"):
        return None
    found = _REST.fullmatch(name, len(stream) + 1)
    if found is None:
        return None
    year, month, day, hour, minute, second, milli = map(int, found.groups()[:7])
    try:
        return (
            (date(year, month, day).toordinal() - _EPOCH_DAY) * _DAY_MS
            + ((hour * 60 + minute) * 60 + second) * 1000
            + milli
        )
    except ValueError:
        return None


def is_recovered(name: str) -> bool:
    """Whether the name says that the segment was saved after a crash."""
    return Path(name.removesuffix(PART)).stem.endswith(_RECOVERED)


class Names:
    """Gives each segment a name that was never used and sorts after all earlier ones, whatever the wall clock does.

    A name tells when its segment began, in UTC to the millisecond. While the clock is behind the last name (it was
    put back), names go on from there by one millisecond each, until the clock has caught up.
    """

    def __init__(self, directory: Path, stream: str, container: str, now_ms: Callable[[], int] = wall_ms) -> None:
        self._directory = directory
        self._stream = stream
        self._container = container
        self._now_ms = now_ms
        self._last_ms = 0

    def follow(self, names: Iterable[str]) -> None:
        """Whatever comes next is to sort after those of ``names`` that are this stream's."""
        for name in names:
            self._last_ms = max(self._last_ms, stamp_ms(self._stream, name) or 0)

    def next(self, began_ms: int | None = None) -> Path:
        """Make an empty part for a segment that began at ``began_ms`` (ms since the epoch), or begins now.

        Raises:
            OSError: the disk does not take it.
        """
        ms = max(self._now_ms() if began_ms is None else began_ms, self._last_ms + 1)
        while not self._take(part := self._part(ms)):
            ms += 1
        self._last_ms = ms
        return part

    def _take(self, part: Path) -> bool:
        if _closed(part).exists() or _closed(part, recovered=True).exists():
            return False
        try:
            part.touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def _part(self, ms: int) -> Path:
        stamp = (_EPOCH + timedelta(milliseconds=ms)).strftime("%Y%m%dT%H%M%S.%f")[:-3]
        return self._directory / f"{self._stream}-{stamp}Z.{self._container}{PART}"


def recordings(directory: Path, stream: str) -> list[Path]:
    """The closed segments of this stream, oldest first."""
    return _ours(directory, stream, part=False)


def leftovers(directory: Path, stream: str) -> list[Path]:
    """Segments of this stream that are not closed, oldest first."""
    return _ours(directory, stream, part=True)


def publish_segment(part: Path, *, recovered: bool = False) -> Path:
    """Make a segment visible under its name, and safe against a power cut. Never replaces a file.

    Raises:
        OSError: it cannot be renamed, and still is what it was.
    """
    _sync(part)
    final = _rename(part, recovered=recovered)
    _sync(part.parent)
    return final


def salvage(parts: Iterable[Path]) -> list[Path]:
    """Keep each part that can be played as ``….recovered.<container>``, remove the others; gives those kept."""
    kept = []
    for part in parts:
        with contextlib.suppress(OSError):
            closed = _closed(part)
            if part.stat().st_size == 0 or (closed.exists() and closed.samefile(part)):
                part.unlink()  # nothing was written yet, or it was just being renamed
            elif playable(part):
                kept.append(publish_segment(part, recovered=True))
                _log.warning("recovered %s, which was never closed", kept[-1])
            else:
                part.unlink()
                _log.warning("removed %s, which was never closed and has no picture", part)
    return kept


def playable(path: Path) -> bool:
    """Whether a player would show at least one picture."""
    import av

    if path.stat().st_size == 0:
        return False
    try:
        with av.open(str(path)) as container:
            return next(container.decode(video=0), None) is not None
    except (av.FFmpegError, IndexError, ValueError):
        return False


def measure(path: Path) -> tuple[int, int]:
    """How many pictures a recording holds and how many milliseconds they last, read without decoding."""
    import av

    times: list[float] = []
    with contextlib.suppress(av.FFmpegError, IndexError, ValueError), av.open(str(path)) as container:
        # A part that was cut off ends with an error: what came before it counts.
        times.extend(
            float(packet.dts * packet.time_base)
            for packet in container.demux(video=0)
            if packet.size and not packet.is_corrupt and packet.dts is not None and packet.time_base is not None
        )
    if len(times) < 2:
        return len(times), 0
    span_s = times[-1] - times[0]
    return len(times), round(span_s * len(times) / (len(times) - 1) * 1000)


def _ours(directory: Path, stream: str, *, part: bool) -> list[Path]:
    with os.scandir(directory) as entries:
        names = [entry.name for entry in entries if entry.name.endswith(PART) is part]
    found = [(ms, len(name), name) for name in names if (ms := stamp_ms(stream, name)) is not None]
    # Of one millisecond, those that were counted on have the longer names.
    return [directory / name for _, _, name in sorted(found)]


def _closed(part: Path, number: int = 0, *, recovered: bool = False) -> Path:
    """What a part is called once it is closed; ``number`` counts on where that name is taken."""
    plain = part.with_name(part.name.removesuffix(PART))
    counted = f"-{number}" if number else ""
    return plain.with_name(f"{plain.stem}{counted}{_RECOVERED if recovered else ''}{plain.suffix}")


def _rename(part: Path, *, recovered: bool) -> Path:
    for number in range(1000):
        final = _closed(part, number, recovered=recovered)
        try:
            # A link never replaces what is there, as a rename would.
            os.link(part, final)
        except FileExistsError:
            continue
        except OSError:
            # FAT has no links.
            if final.exists():
                continue
            part.rename(final)
        else:
            part.unlink()
        return final
    raise FileExistsError(f"{part}: every name for it is taken")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
