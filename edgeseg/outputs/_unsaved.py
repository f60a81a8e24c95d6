"""What a recorder's child was given and may not have on the disk yet: it is given to the next one if it dies."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from edgeseg.outputs._preroll import Held

# A group is on the disk when so much came after it: a pipe of 1 MiB and FFmpeg's buffers, a fragment and the wait for
# sound. Generous, because it only costs memory.
_SURE_BYTES, _SURE_MS = 3 << 19, 3000
_LIMIT_BYTES = 16 << 20


@dataclass(slots=True)
class _Group:
    held: list[Held] = field(default_factory=list)
    bytes: int = 0


class Unsaved:
    """The last groups of pictures that one child was given. Belongs to one thread.

    Without ``sure_bytes`` and ``sure_ms`` of stream behind it, a group is kept; beyond ``limit_bytes`` all are given up
    until the next keyframe.
    """

    def __init__(
        self, *, sure_bytes: int = _SURE_BYTES, sure_ms: int = _SURE_MS, limit_bytes: int = _LIMIT_BYTES
    ) -> None:
        self._sure_bytes = sure_bytes
        self._sure_ms = sure_ms
        self._limit_bytes = limit_bytes
        self._groups: deque[_Group] = deque()
        self._bytes = 0

    def clear(self) -> None:
        """Another child begins."""
        self._groups.clear()
        self._bytes = 0

    def add(self, held: Held) -> None:
        """The child is given this."""
        if held.tag.keyframe:
            self._groups.append(_Group())
        elif not self._groups:
            return
        size = len(held.tag.wire)
        group = self._groups[-1]
        group.held.append(held)
        group.bytes += size
        self._bytes += size
        while len(self._groups) > 1 and self._is_saved(self._groups[0], held.tag.timestamp_ms):
            self._bytes -= self._groups.popleft().bytes
        if self._bytes > self._limit_bytes:
            self.clear()

    def since(self, time_ms: float) -> list[Held]:
        """What follows the last keyframe that is not after ``time_ms``; all that is kept when that one is not."""
        groups = list(self._groups)
        start = next((n for n in reversed(range(len(groups))) if _begin_ms(groups[n]) <= time_ms), 0)
        return [held for group in groups[start:] for held in group.held]

    def _is_saved(self, group: _Group, now_ms: int) -> bool:
        next_ms = _begin_ms(self._groups[1])
        return self._bytes - group.bytes >= self._sure_bytes and now_ms - next_ms >= self._sure_ms


def _begin_ms(group: _Group) -> int:
    return group.held[0].tag.timestamp_ms
