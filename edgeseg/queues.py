"""The edge between two threads of a stream: small, bounded, with a named policy for when it is full."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from enum import Enum
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")


class WhenFull(Enum):
    """A live source drops what is oldest, or its lag would grow without bound; a file waits, and loses nothing."""

    WAIT = "wait"
    DROP_OLDEST = "drop_oldest"


class Closed(Exception):  # noqa: N818 - a state, not a failure
    """The other side has closed the queue."""


class FrameQueue(Generic[T]):
    """A bounded queue between the threads of a stream; one of them takes.

    ``counts`` tells which items fill the capacity; the others are small, always pass and are never dropped. ``dropped``
    is called with every item that had to make room, on the thread that puts.

    Threads wait on ``SimpleQueue``, one token for each item and one for each free place: it is all in C, where a
    ``Condition`` is twenty calls in Python, and this is done four times for each frame.
    """

    def __init__(
        self,
        capacity: int,
        when_full: WhenFull,
        dropped: Callable[[T], None] = lambda _: None,
        counts: Callable[[T], bool] = lambda _: True,
    ) -> None:
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._when_full = when_full
        self._dropped = dropped
        self._counts = counts
        self._filled = 0
        self._lock = threading.Lock()
        self._there: SimpleQueue[None] = SimpleQueue()
        self._room: SimpleQueue[None] = SimpleQueue()
        self._give_room(capacity)
        self._closed = False

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T, timeout_s: float | None = None) -> bool:
        """Add ``item``; False when the queue stayed full for ``timeout_s`` (only with WAIT).

        Raises:
            Closed: nobody will take it.
        """
        counts = self._counts(item)
        if counts and self._when_full is WhenFull.WAIT:
            try:
                self._room.get(timeout=timeout_s)
            except Empty:
                return False
        with self._lock:
            if self._closed:
                self._give_room(1)  # for whoever else waits
                raise Closed
            victims = [self._pop_oldest()] if counts and self._is_full else []
            self._filled += counts
            self._items.append(item)
            if not victims:
                self._there.put(None)
        for victim in victims:
            self._dropped(victim)
        return True

    def get(self, timeout_s: float | None = None) -> T | None:
        """The oldest item, or None when none came within ``timeout_s``. What was put before ``close`` still comes out.

        Raises:
            Closed: closed and empty.
        """
        try:
            self._there.get(timeout=timeout_s)
        except Empty:
            return None
        with self._lock:
            if not self._items:
                if not self._closed:
                    return None  # it was cleared in between
                self._there.put(None)  # that of ``close``, for the next time
                raise Closed
            item = self._items.popleft()
            if self._counts(item):
                self._filled -= 1
                self._give_room(1)
            return item

    def close(self) -> None:
        """Nothing more will be put; wakes whoever waits."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._there.put(None)
                self._give_room(1)

    def clear(self) -> None:
        """Drop what is in it."""
        with self._lock:
            victims = list(self._items)
            self._items.clear()
            with contextlib.suppress(Empty):  # the other thread may hold one already
                for _ in victims:
                    self._there.get_nowait()
            if self._closed:
                self._there.put(None)
            self._give_room(self._filled)
            self._filled = 0
        for victim in victims:
            self._dropped(victim)

    @property
    def _is_full(self) -> bool:
        return self._when_full is WhenFull.DROP_OLDEST and self._filled >= self._capacity

    def _pop_oldest(self) -> T:
        victim = next(waiting for waiting in self._items if self._counts(waiting))
        self._items.remove(victim)
        self._filled -= 1
        return victim

    def _give_room(self, places: int) -> None:
        if self._when_full is WhenFull.WAIT:
            for _ in range(places):
                self._room.put(None)
