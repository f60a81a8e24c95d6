"""Tells an encoder that hangs from one that is slow, or that has nothing to do."""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path

# Less is no work: threads that wait wake up now and then.
_WORKS_S = 0.05
# The most of a limit that may pass unseen, between two looks.
_UNSEEN = 0.25


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of an encoder's child at one moment.

    Args:
        taken_bytes: how much it has read of its pipe, since its start.
        waiting_bytes: how much lies there.
        tags: how many it has given.
        cpu_s: how long it has worked, all threads together.
        excused: it has to wait for us: somebody holds up a tag that it gave.
    """

    taken_bytes: int
    waiting_bytes: int
    tags: int
    cpu_s: float
    excused: bool = False


class Stopwatch:
    """How long something has been so. What passed between two looks counts up to a quarter of ``limit_s``.

    So a machine that sleeps, a daemon that is starved as much as its child, and a source that pauses never make a limit
    pass: nobody has looked.
    """

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._so_far_s = 0.0
        self._looked_at: float | None = None

    def look(self, now: float, still: bool) -> bool:
        """Whether it is ``still`` so, and has been for longer than the limit."""
        if not still or self._looked_at is None:
            self._so_far_s = 0.0
        else:
            self._so_far_s += min(now - self._looked_at, self.limit_s * _UNSEEN)
        self._looked_at = now
        return self._so_far_s > self.limit_s


class Progress:
    """Judges an encoder by what is seen of it. Several threads may look, each with what it has just seen.

    It hangs when bytes wait for it and it reads nothing, says nothing and does not work, for ``stall_s``; or when
    it does read or work but says nothing, for ``silent_s``. Before its first tag only the second holds: a program may
    be loaded from a slow card. What was seen before another thread's look, but comes after it, says nothing.
    """

    def __init__(self, stall_s: float, silent_s: float) -> None:
        self._lock = threading.Lock()
        self._judged_at = float("-inf")
        self._idle = Stopwatch(stall_s)
        self._silent = Stopwatch(silent_s)
        self._taken_bytes = self._tags = 0
        self._worked_s = 0.0

    def hung_for(self, now: float, seen: Seen) -> float | None:
        """The limit in seconds that has passed, or None: it does what it can. ``now`` is before what was seen."""
        with self._lock:
            if now < self._judged_at:
                return None
            self._judged_at = now
            return self._judge(now, seen)

    def _judge(self, now: float, seen: Seen) -> float | None:
        spoke = seen.tags > self._tags or seen.excused
        # While a picture is written the first number may lag behind: only growth says anything.
        moves = spoke or seen.taken_bytes > self._taken_bytes or seen.cpu_s - self._worked_s >= _WORKS_S
        if moves:
            self._worked_s = seen.cpu_s
        self._taken_bytes = max(self._taken_bytes, seen.taken_bytes)
        self._tags = max(self._tags, seen.tags)
        idle = self._idle.look(now, not moves and seen.waiting_bytes > 0 and seen.tags > 0)
        silent = self._silent.look(now, not spoke)
        if idle or silent:
            return (self._idle if idle else self._silent).limit_s
        return None


def cpu_seconds(pid: int) -> float:
    """How long a process has worked since its start; 0 where the system does not tell."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        # The name in brackets may hold anything, also a bracket.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0
