"""The lines of the index of recordings: what one says, and what many of them come to."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One closed segment. Times are UTC, in milliseconds since the epoch, as the wall clock was.

    Attributes:
        frames: pictures in it; None where nobody has counted.
        gap_before_ms: what is missing between the segment before and this one; None where that is not known.
        gaps_ms: what is missing within it.
        recovered: it was not closed by its recorder, but saved afterwards.
        reason: why it was recorded: "always" or "presence"; None where nobody has written that down.
        appeared_ms: when somebody appeared, for "presence": all segments of one event have the same.
        pre_roll_ms: how much of it is from before that.
    """

    stream: str
    file: str
    start_ms: int
    end_ms: int
    bytes: int
    frames: int | None = None
    gap_before_ms: int | None = None
    gaps_ms: int = 0
    recovered: bool = False
    reason: str | None = None
    appeared_ms: int | None = None
    pre_roll_ms: int = 0


@dataclass(frozen=True, slots=True)
class _Removed:
    stream: str
    file: str


def closed_line(entry: Entry) -> bytes:
    """The line of a segment that was closed."""
    line = {
        "event": "closed",
        **{key: getattr(entry, key) for key in Entry.__dataclass_fields__},
        "duration_ms": entry.end_ms - entry.start_ms,
    }
    return _line(line | {"start": _iso(entry.start_ms), "end": _iso(entry.end_ms)})


def removed_line(stream: str, file: str, reason: str, at_ms: int) -> bytes:
    """The line of a segment that was removed at ``at_ms``."""
    return _line({"event": "removed", "stream": stream, "file": file, "reason": reason, "at": _iso(at_ms)})


def _line(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).strftime(f"%Y-%m-%dT%H:%M:%S.{ms % 1000:03d}Z")


def replay(lines: Iterable[bytes]) -> tuple[dict[tuple[str, str], Entry], int]:
    """What is there after all ``lines``, by stream and file; and how many lines made no sense."""
    entries: dict[tuple[str, str], Entry] = {}
    bad = 0
    for line in lines:
        event = _parse(line)
        if isinstance(event, Entry):
            entries[event.stream, event.file] = event
        elif event is not None:
            entries.pop((event.stream, event.file), None)
        else:
            bad += 1
    return entries, bad


def _parse(line: bytes) -> Entry | _Removed | None:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or not all(isinstance(fields.get(key), str) for key in ("stream", "file")):
        return None
    if fields.get("event") == "removed":
        return _Removed(fields["stream"], fields["file"])
    try:
        start_ms, end_ms, size, gaps_ms = (_whole(fields[key]) for key in ("start_ms", "end_ms", "bytes", "gaps_ms"))
        frames, gap_ms = (None if fields[key] is None else _whole(fields[key]) for key in ("frames", "gap_before_ms"))
    except (KeyError, ValueError):
        return None
    if fields.get("event") != "closed":
        return None
    recovered = fields.get("recovered") is True
    entry = Entry(fields["stream"], fields["file"], start_ms, end_ms, size, frames, gap_ms, gaps_ms, recovered)
    return replace(entry, **_event(fields))


def _event(fields: dict[str, Any]) -> dict[str, Any]:
    """What a line says about the reason; lines of earlier versions say nothing."""
    reason, appeared_ms, pre_roll_ms = (fields.get(key) for key in ("reason", "appeared_ms", "pre_roll_ms"))
    return {
        "reason": reason if isinstance(reason, str) else None,
        "appeared_ms": appeared_ms if type(appeared_ms) is int else None,
        "pre_roll_ms": pre_roll_ms if type(pre_roll_ms) is int else 0,
    }


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{value!r} is not a whole number")
    return value
