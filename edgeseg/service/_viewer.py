"""One viewer's place between the hub's thread and the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Sequence

from edgeseg.retiming import ViewerTimeline
from edgeseg.status import OutputStatus
from edgeseg.types import StreamHeader, Tag

QUEUE_MS = 2000
QUEUE_BYTES = 16 << 20


class Viewer:
    """A hub subscriber with a bounded queue that a coroutine empties.

    The hub's side never blocks. When the coroutine is more than ``QUEUE_MS`` behind, what waits is dropped, and it goes
    on at the next keyframe.

    Time starts at 0 for each viewer, with the cached group squeezed together so that players are live at once.

    Args:
        loop: the event loop that ``next`` is awaited on.
        status: whose ``dropped_tags`` to count.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, status: OutputStatus) -> None:
        self._loop = loop
        self._status = status
        self._lock = threading.Lock()
        self._waiting: deque[StreamHeader | Tag] = deque()
        self._waiting_bytes = 0
        self._waiting_since_ms: int | None = None  # timestamp of the oldest live tag in the queue
        self._timeline = ViewerTimeline()
        self._needs_keyframe = False
        self._over = False
        self._told = False
        self._news = asyncio.Event()

    def header(self, header: StreamHeader) -> None:
        with self._lock:
            self._waiting.append(header)
        self._tell()

    def replay(self, tags: Sequence[Tag]) -> None:
        with self._lock:
            self._waiting.extend(self._timeline.start(tags))
        self._tell()

    def tag(self, tag: Tag) -> None:
        with self._lock:
            if self._is_behind(tag):
                self._drop_waiting()
            if self._needs_keyframe and not tag.keyframe:
                self._status.dropped_tags += 1
                return
            self._needs_keyframe = False
            if self._waiting_since_ms is None:
                self._waiting_since_ms = tag.timestamp_ms
            self._waiting.append(self._timeline.next(tag))
            self._waiting_bytes += len(tag.wire)
        self._tell()

    def end(self) -> None:
        """No more tags: ``next`` gives what is left and then None. Any thread."""
        self._over = True
        self._tell()

    async def next(self, timeout_s: float | None = None) -> list[StreamHeader | Tag] | None:
        """Everything that waits, at least one item; None at the end.

        Raises TimeoutError when nothing came in ``timeout_s``.
        """
        async with asyncio.timeout(timeout_s):
            while True:
                self._news.clear()
                with self._lock:
                    self._told = False
                    items, self._waiting = list(self._waiting), deque()
                    self._waiting_bytes, self._waiting_since_ms = 0, None
                if items or self._over:
                    return items or None
                await self._news.wait()

    def _is_behind(self, tag: Tag) -> bool:
        if self._waiting_since_ms is None:
            return False
        return self._waiting_bytes > QUEUE_BYTES or tag.timestamp_ms - self._waiting_since_ms > QUEUE_MS

    def _drop_waiting(self) -> None:
        # Headers stay: what follows cannot be decoded without them.
        headers = [item for item in self._waiting if isinstance(item, StreamHeader)]
        self._status.dropped_tags += len(self._waiting) - len(headers)
        self._waiting = deque(headers)
        self._waiting_bytes, self._waiting_since_ms = 0, None
        self._needs_keyframe = True

    def _tell(self) -> None:
        with self._lock:
            if self._told:  # one wake-up for many tags: crossing threads costs more than queueing
                return
            self._told = True
        try:
            self._loop.call_soon_threadsafe(self._news.set)
        except RuntimeError:  # the loop is closed: nobody is left to be told
            self._over = True
