"""The files of a recording: their names, and what becomes of one that was not closed."""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

_log = logging.getLogger(__name__)

PART = ".part"

# ffmpeg's name of each container's format, and how it is asked to leave something playable behind kill -9.
FORMATS: dict[str, tuple[str, dict[str, str | int]]] = {
    "mp4": ("mp4", {"movflags": "+empty_moov+default_base_moof+frag_keyframe", "frag_duration": 1_000_000}),
    "mkv": ("matroska", {"cluster_time_limit": 1000}),
    "ts": ("mpegts", {"muxdelay": 0, "muxpreload": 0}),
}


def new_part(directory: Path, stream: str, container: str, now: datetime | None = None) -> Path:
    """A path for a segment that begins now: UTC, to the millisecond, never one that exists in any state."""
    stamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%S.%f")[:-3] + "Z"
    for counter in range(1000):
        name = f"{stream}-{stamp}{f'-{counter}' if counter else ''}.{container}"
        part = directory / (name + PART)
        if not (part.exists() or (directory / name).exists()):
            return part
    raise FileExistsError(f"{directory}/{stream}-{stamp}")


def closed_name(part: Path) -> Path:
    """What a segment is called once it is closed."""
    return part.with_name(part.name.removesuffix(PART))


def publish_segment(part: Path) -> Path:
    """Make a closed segment visible under its name, and safe against a power cut."""
    final = closed_name(part)
    _sync(part)
    part.rename(final)
    _sync(part.parent)
    return final


def leftovers(directory: Path, stream: str) -> list[Path]:
    """Segments of this stream that nobody has closed."""
    pattern = re.compile(rf"{re.escape(stream)}-\d{{8}}T\d{{6}}\.\d{{3}}Z(-\d+)?\.(mp4|mkv|ts){re.escape(PART)}")
    return sorted(path for path in directory.glob(f"*{PART}") if pattern.fullmatch(path.name))


def salvage(parts: Iterable[Path]) -> list[Path]:
    """Keep each part that can be played as ``….recovered.<container>``, remove the others; gives those kept."""
    kept = []
    for part in parts:
        final = closed_name(part)
        target = final.with_name(f"{final.stem}.recovered{final.suffix}")
        with contextlib.suppress(OSError):
            if playable(part):
                part.rename(target)
                kept.append(target)
                _log.warning("recovered %s, which was never closed", target)
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


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
