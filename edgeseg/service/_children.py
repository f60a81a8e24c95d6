"""What the daemon's child processes (ffmpeg) use, read from /proc."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SELF = Path("/proc/self/task")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class ChildrenUsage:
    """``cpu_s`` never goes down: what ended children used stays in it."""

    alive: int
    resident_bytes: int
    cpu_s: float


def children_usage() -> ChildrenUsage:
    """The direct children, those that have ended included. Under a millisecond."""
    alive, pages, ticks = 0, 0, 0
    for pid in _children():
        try:
            # The second field is the program's name in brackets and may hold anything.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        alive += 1
        ticks += int(fields[11]) + int(fields[12])
        pages += int(fields[21])
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ChildrenUsage(alive, pages * _PAGE, ticks / _TICKS + ended.ru_utime + ended.ru_stime)


def thread_count() -> int:
    """Native threads included, which Python does not know."""
    try:
        return sum(1 for _ in _SELF.iterdir())
    except OSError:
        return 1


def _children() -> Iterator[str]:
    # The kernel lists a child under the thread that started it.
    try:
        tasks = list(_SELF.iterdir())
    except OSError:
        return
    for task in tasks:
        try:
            yield from (task / "children").read_text().split()
        except OSError:
            continue
