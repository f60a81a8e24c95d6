"""One segment while it is written, and what is missing between one and the next."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from edgeseg.outputs.child import Child
from edgeseg.outputs.events import Event
from edgeseg.retiming import Rebase
from edgeseg.types import Tag, TagKind

# So much more than the usual step from one picture to the next is a gap: something is missing, or the source paused.
GAP_MS = 500
# An output that starts again begins with the last keyframe: so much may be in the old segment and in the new one.
_LONGEST_GROUP_MS = 20_000


class Loss:
    """What the end of a segment lacks on the disk, known once it is closed. Any thread may wait for it."""

    def __init__(self) -> None:
        self._ms = 0
        self._known = threading.Event()

    def is_now(self, ms: int) -> None:
        """The segment is closed, and so much is missing."""
        self._ms = ms
        self._known.set()

    def wait_ms(self, timeout_s: float) -> int:
        """How much is missing, 0 for what is no gap."""
        self._known.wait(timeout_s)
        return self._ms if self._ms > GAP_MS else 0


class Segment:
    """Belongs to one thread at a time, but for ``cancel``.

    Args:
        child: what writes the file.
        part: the file.
        start_ms: the stream's time of its first tag.
        wall_ms: the wall clock at that moment.
        gap_before_ms: what is missing before it; None where that is not known.
        event: what it is recorded for, if not only because everything is.
        before: what the one before turns out to lack, if that one is closed by another thread.
    """

    def __init__(
        self,
        child: Child,
        part: Path,
        start_ms: int,
        wall_ms: int,
        gap_before_ms: int | None,
        event: Event | None = None,
        before: Loss | None = None,
    ) -> None:
        self.part = part
        self.start_ms = start_ms
        self.wall_ms = wall_ms
        self.gap_before_ms = gap_before_ms
        self.event = event
        self.before = before
        self.loss = Loss()
        self.gaps_ms = 0
        self.frames = 0
        self.last_ms = start_ms
        self.last_at = time.monotonic()
        self.step_ms = 0
        self._child = child
        self._rebase = Rebase()

    @property
    def duration_ms(self) -> int:
        """From the first picture to the end of the last, in the stream's time."""
        return self.last_ms - self.start_ms + self.step_ms

    def write(self, tag: Tag) -> None:
        """Hand a tag to the child, and remember its time.

        Raises:
            ChildDied: see ``Child.write``.
            ChildStalled: see ``Child.write``.
        """
        self._child.write(self._rebase.next(tag).wire)
        if tag.kind is TagKind.VIDEO:
            step_ms = max(0, tag.timestamp_ms - self.last_ms)
            if self.frames > 1 and step_ms - self.step_ms > GAP_MS:
                self.gaps_ms += step_ms - self.step_ms
            self.step_ms = step_ms
            self.frames += 1
            self.last_ms = tag.timestamp_ms
            self.last_at = time.monotonic()

    def drain(self) -> None:
        """Wait until the child has read everything.

        Raises:
            ChildDied: see ``Child.drain``.
            ChildStalled: see ``Child.drain``.
        """
        self._child.drain()

    def finish(self) -> None:
        """Let the child come to its end, without waiting for it."""
        self._child.finish()

    def cancel(self) -> None:
        """Kill the child."""
        self._child.cancel()

    def close(self, grace_s: float) -> int:
        """Wait for the child's end; its return code."""
        return self._child.close(grace_s)

    def words(self) -> str:
        """The child's last words."""
        return self._child.words()


class Ending:
    """Where the recording of a stream has ended last, so that it is known what is missing before the next segment.

    Args:
        now_ms: the wall clock, in milliseconds since the epoch.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._earlier_ms: int | None = None
        self._end_ms: int | None = None
        self._at = 0.0

    def earlier(self, wall_ms: int) -> None:
        """An earlier process has recorded until then."""
        self._earlier_ms = wall_ms

    def at(self, segment: Segment, duration_ms: int) -> None:
        """``segment`` came to its end, and so much of it is on the disk."""
        self._end_ms = segment.start_ms + duration_ms
        self._at = segment.last_at

    def gap_ms(self, start_ms: int) -> int | None:
        """What is missing before a segment that begins now, at the stream's time ``start_ms``; None if nobody knows."""
        if self._end_ms is None:
            return None if self._earlier_ms is None else max(0, self._now_ms() - self._earlier_ms)
        gap_ms = start_ms - self._end_ms
        if gap_ms < -_LONGEST_GROUP_MS:  # the stream's time began anew
            gap_ms = round((time.monotonic() - self._at) * 1000)
        return gap_ms if gap_ms > GAP_MS else 0
