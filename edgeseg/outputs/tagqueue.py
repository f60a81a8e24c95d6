"""The bounded queue between the hub and one consumer. A slow consumer loses groups of pictures, never the picture."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from edgeseg.types import StreamHeader, Tag

# What a consumer takes: a header, the cached group of a running stream, a live tag.
Item = StreamHeader | tuple[Tag, ...] | Tag


# A longer step from one tag to the next is the source's doing.
_PAUSE_MS = 1000


class Ended(Exception):  # noqa: N818 -- a state, not a failure
    """Everything was taken and nothing more will come."""


class TagQueue:
    """A subscriber of the hub that another thread takes tags from.

    It holds ``queue_s`` seconds of stream beyond the cached group that it was given at the start, and at most
    ``queue_bytes`` bytes; while the consumer is still connecting it may be ``opening_s`` seconds, until that has been
    caught up with. When it overflows, everything before the next keyframe in it is dropped, or all of it and
    what comes until the next keyframe; ``dropped`` is told how many tags that were, on the hub's thread. With
    ``wait_s`` the hub is held up that long first, once per stall: for files, whose reader can wait.

    The consumer, one thread, waits on a ``SimpleQueue`` with a token for each item, as in ``edgeseg.queues``: this is
    done for each tag and each output.
    """

    def __init__(
        self,
        *,
        queue_s: float = 2.0,
        opening_s: float = 0.0,
        queue_bytes: int = 16 << 20,
        wait_s: float = 0.0,
        dropped: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._limit_ms = round(queue_s * 1000)
        self._opening_ms = round(opening_s * 1000)
        self._opening = opening_s > queue_s
        self._is_open = False
        self._limit_bytes = queue_bytes
        self._wait_s = wait_s
        self._patient = True
        self._dropped = dropped
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._held_up = False  # the hub waits for room
        self._there: SimpleQueue[None] = SimpleQueue()
        self._items: deque[Item] = deque()
        self._bytes = 0
        self._awaiting_keyframe = False
        self._ended = False
        self._closed = False

    def __len__(self) -> int:
        return len(self._items)

    @property
    def ended(self) -> bool:
        """Whether the stream is over (there may be tags left to take)."""
        return self._ended

    def header(self, header: StreamHeader) -> None:
        """Called by the hub."""
        self._put(header)

    def replay(self, tags: Sequence[Tag]) -> None:
        """Called by the hub."""
        self._put(tuple(tags))

    def tag(self, tag: Tag) -> None:
        """Called by the hub: the only call that may wait, and only with ``wait_s``."""
        lost = 0
        with self._lock:
            if self._ended or self._closed:
                return
            if self._awaiting_keyframe and not tag.keyframe:
                lost = 1
            else:
                self._awaiting_keyframe = False
                full = bool(self._items) and self._full_with(tag)
                if full and self._wait_s and self._patient:
                    full = not self._wait_for_room(tag)
                    if self._closed:
                        return
                self._items.append(tag)
                self._bytes += len(tag.wire)
                self._there.put(None)
                if full:
                    lost = self._drop_to_keyframe()
        if lost:
            self._dropped(lost)

    def opened(self) -> None:
        """The consumer is connected; once it has caught up, ``queue_s`` holds. Called by the consumer."""
        self._is_open = True

    def end(self) -> None:
        """Take no more; what is queued can still be taken. Called by the hub, or by the consumer's owner."""
        with self._lock:
            self._ended = True
            self._there.put(None)

    def close(self) -> None:
        """The consumer is gone: forget everything, release a hub that waits."""
        with self._lock:
            self._closed = True
            self._items.clear()
            self._there.put(None)
            self._room.notify()

    def get(self, timeout_s: float | None = None) -> Item | None:
        """The oldest item, or None when none came within ``timeout_s``.

        Raises:
            Ended: nothing is left and nothing will come.
        """
        try:
            self._there.get(timeout=timeout_s)
        except Empty:
            return None
        with self._lock:
            if self._items:
                item = self._items.popleft()
                self._bytes -= len(item.wire) if isinstance(item, Tag) else _size(item)
                if self._is_open and not self._items:
                    self._opening = False
                self._patient = True
                if self._held_up:
                    self._room.notify()
                return item
            if self._ended or self._closed:
                self._there.put(None)  # for the next time
                raise Ended
        return self.get(timeout_s)  # the token of one that was dropped in between

    def _put(self, item: Item) -> None:
        with self._lock:
            if not (self._ended or self._closed):
                self._items.append(item)
                self._bytes += _size(item)
                self._there.put(None)

    def _wait_for_room(self, tag: Tag) -> bool:
        """Whether there is some within ``wait_s``. Called with the lock, which is free meanwhile."""
        self._held_up = True
        try:
            self._patient = self._room.wait_for(lambda: self._closed or not self._full_with(tag), self._wait_s)
        finally:
            self._held_up = False
        return not self._full_with(tag)

    def _full_with(self, tag: Tag) -> bool:
        if not self._items:
            return False
        oldest: Item = self._items[0]
        if isinstance(oldest, StreamHeader):
            media = (item for item in self._items if not isinstance(item, StreamHeader))
            oldest = next(media, oldest)
            if isinstance(oldest, StreamHeader):
                return False
        # A cached group counts as the moment of its last picture: it was given, it did not pile up.
        oldest_ms = oldest.timestamp_ms if isinstance(oldest, Tag) else oldest[-1].timestamp_ms
        if self._bytes + len(tag.wire) > self._limit_bytes:
            return True
        limit_ms = self._opening_ms if self._opening else self._limit_ms
        return tag.timestamp_ms - oldest_ms > limit_ms and self._lag_ms(oldest_ms, tag) > limit_ms

    def _lag_ms(self, oldest_ms: int, newest: Tag) -> int:
        """How much stream waits. A pause of the source in it is not lag: nobody was too slow then."""
        lag_ms, last_ms = 0, oldest_ms
        for item in (*self._items, newest):
            if isinstance(item, Tag):
                lag_ms += min(max(0, item.timestamp_ms - last_ms), _PAUSE_MS)
                last_ms = item.timestamp_ms
        return lag_ms

    def _drop_to_keyframe(self) -> int:
        items = list(self._items)
        media = [index for index, item in enumerate(items) if not isinstance(item, StreamHeader)]
        cut = next((index for index in media[1:] if _starts_group(items[index])), len(items))
        self._awaiting_keyframe = cut == len(items)
        headers = [item for item in items[:cut] if isinstance(item, StreamHeader)]
        self._items = deque((*headers[-1:], *items[cut:]))
        self._bytes = sum(map(_size, self._items))
        with contextlib.suppress(Empty):  # the consumer may hold one already
            for _ in range(len(items) - len(self._items)):
                self._there.get_nowait()
        return sum(len(item) if isinstance(item, tuple) else isinstance(item, Tag) for item in items[:cut])


def _starts_group(item: Item) -> bool:
    return isinstance(item, tuple) or (isinstance(item, Tag) and item.keyframe)


def _size(item: Item) -> int:
    if isinstance(item, Tag):
        return len(item.wire)
    return sum(len(tag.wire) for tag in item) if isinstance(item, tuple) else 0
