"""The last seconds of a stream, kept in memory for what is about to happen."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from edgeseg.types import Tag


@dataclass(frozen=True, slots=True)
class Held:
    """A tag and the wall clock (ms since the epoch) when it came."""

    tag: Tag
    wall_ms: int


class PreRoll:
    """Whole groups of pictures, as many as are asked for, and never more than ``limit_bytes``.

    Only the oldest group may lack its keyframe, when what came before was taken. Belongs to one thread.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._groups: deque[list[Held]] = deque()
        self._bytes = 0

    def add(self, held: Held) -> bool:
        """Keep a tag; False when older ones had to go for it, or when it was too much itself."""
        if held.tag.keyframe or not self._groups:
            self._groups.append([])
        self._groups[-1].append(held)
        self._bytes += len(held.tag.wire)
        whole = self._bytes <= self._limit_bytes
        while self._bytes > self._limit_bytes:
            self._drop()
        return whole

    def forget_before(self, ms: int) -> None:
        """Drop what is not needed to start at ``ms``."""
        while len(self._groups) > 1 and self._groups[1][0].tag.timestamp_ms <= ms:
            self._drop()

    def can_start_by(self, ms: int) -> bool:
        """Whether a keyframe at or before ``ms`` is there."""
        return any(_starts(group) and group[0].tag.timestamp_ms <= ms for group in self._groups)

    def take(self) -> list[Held]:
        """Everything, to go on where the last taking ended."""
        held = [held for group in self._groups for held in group]
        self.clear()
        return held

    def take_from(self, ms: int) -> list[Held]:
        """All from the last keyframe at or before ``ms``, or else from the first one; the rest is dropped."""
        self.forget_before(ms)
        if self._groups and not _starts(self._groups[0]):
            self._drop()
        return self.take()

    def clear(self) -> None:
        """Forget everything."""
        self._groups.clear()
        self._bytes = 0

    def _drop(self) -> None:
        self._bytes -= sum(len(held.tag.wire) for held in self._groups.popleft())


def _starts(group: list[Held]) -> bool:
    return group[0].tag.keyframe
