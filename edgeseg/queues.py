"""The edge between two threads of a stream: small, bounded, with a named policy for when it is full."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Generic, TypeVar

T = TypeVar("T")


class WhenFull(Enum):
    """A live source drops what is oldest, or its lag would grow without bound; a file waits, and loses nothing."""

    WAIT = "wait"
    DROP_OLDEST = "drop_oldest"


class Closed(Exception):  # noqa: N818 - a state, not a failure
    """The other side has closed the queue."""


class FrameQueue(Generic[T]):
    """A bounded queue between exactly two threads.

    ``counts`` tells which items fill the capacity; the others are small, always pass and are never dropped. ``dropped``
    is called with every item that had to make room, on the thread that puts.
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
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T, timeout_s: float | None = None) -> bool:
        """Add ``item``; False when the queue stayed full for ``timeout_s`` (only with WAIT).

        Raises:
            Closed: nobody will take it.
        """
        victim: T | None = None
        counts = self._counts(item)
        with self._changed:
            if (
                counts
                and self._when_full is WhenFull.WAIT
                and not self._changed.wait_for(lambda: self._closed or self._filled < self._capacity, timeout_s)
            ):
                return False
            if self._closed:
                raise Closed
            if counts and self._filled >= self._capacity:
                victim = next(waiting for waiting in self._items if self._counts(waiting))
                self._items.remove(victim)
            elif counts:
                self._filled += 1
            self._items.append(item)
            self._changed.notify_all()
        if victim is not None:
            self._dropped(victim)
        return True

    def get(self, timeout_s: float | None = None) -> T | None:
        """The oldest item, or None when none came within ``timeout_s``. What was put before ``close`` still comes out.

        Raises:
            Closed: closed and empty.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._closed or bool(self._items), timeout_s):
                return None
            if not self._items:
                raise Closed
            item = self._items.popleft()
            self._filled -= self._counts(item)
            self._changed.notify_all()
            return item

    def close(self) -> None:
        """Nothing more will be put; wakes whoever waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def clear(self) -> None:
        """Drop what is in it."""
        with self._changed:
            victims = list(self._items)
            self._items.clear()
            self._filled = 0
            self._changed.notify_all()
        for victim in victims:
            self._dropped(victim)
