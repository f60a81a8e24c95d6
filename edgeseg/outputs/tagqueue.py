"""The bounded queue between the hub and one consumer. A slow consumer loses groups of pictures, never the picture."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from edgeseg.types import StreamHeader, Tag

# What a consumer takes: a header, the cached group of a running stream, a live tag.
Item = StreamHeader | tuple[Tag, ...] | Tag


class Ended(Exception):  # noqa: N818 -- a state, not a failure
    """Everything was taken and nothing more will come."""


class TagQueue:
    """A subscriber of the hub that another thread takes tags from.

    It holds ``queue_s`` seconds of stream beyond the cached group that it was given at the start, and at most
    ``queue_bytes`` bytes. When it overflows, everything before the next keyframe in it is dropped, or all of it and
    what comes until the next keyframe; ``dropped`` is told how many tags that were, on the hub's thread. With
    ``wait_s`` the hub is held up that long first, once per stall: for files, whose reader can wait.
    """

    def __init__(
        self,
        *,
        queue_s: float = 2.0,
        queue_bytes: int = 16 << 20,
        wait_s: float = 0.0,
        dropped: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._limit_ms = round(queue_s * 1000)
        self._limit_bytes = queue_bytes
        self._wait_s = wait_s
        self._patient = True
        self._dropped = dropped
        self._changed = threading.Condition()
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
        with self._changed:
            if self._ended or self._closed:
                return
            if self._awaiting_keyframe and not tag.keyframe:
                lost = 1
            else:
                self._awaiting_keyframe = False
                if self._wait_s and self._patient and self._full_with(tag):
                    self._patient = self._changed.wait_for(
                        lambda: self._closed or not self._full_with(tag), self._wait_s
                    )
                    if self._closed:
                        return
                full = self._full_with(tag)
                self._items.append(tag)
                self._bytes += len(tag.wire)
                if full:
                    lost = self._drop_to_keyframe()
                self._changed.notify_all()
        if lost:
            self._dropped(lost)

    def end(self) -> None:
        """Take no more; what is queued can still be taken. Called by the hub, or by the consumer's owner."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def close(self) -> None:
        """The consumer is gone: forget everything, release a hub that waits."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()

    def get(self, timeout_s: float | None = None) -> Item | None:
        """The oldest item, or None when none came within ``timeout_s``.

        Raises:
            Ended: nothing is left and nothing will come.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._ended or self._closed, timeout_s)
            if not self._items:
                if self._ended or self._closed:
                    raise Ended
                return None
            item = self._items.popleft()
            self._bytes -= _size(item)
            self._patient = True
            self._changed.notify_all()
            return item

    def _put(self, item: Item) -> None:
        with self._changed:
            if not (self._ended or self._closed):
                self._items.append(item)
                self._bytes += _size(item)
                self._changed.notify_all()

    def _full_with(self, tag: Tag) -> bool:
        oldest = next((item for item in self._items if not isinstance(item, StreamHeader)), None)
        if oldest is None:
            return False
        # A cached group counts as the moment of its last picture: it was given, it did not pile up.
        oldest_ms = oldest.timestamp_ms if isinstance(oldest, Tag) else oldest[-1].timestamp_ms
        return tag.timestamp_ms - oldest_ms > self._limit_ms or self._bytes + len(tag.wire) > self._limit_bytes

    def _drop_to_keyframe(self) -> int:
        items = list(self._items)
        media = [index for index, item in enumerate(items) if not isinstance(item, StreamHeader)]
        cut = next((index for index in media[1:] if _starts_group(items[index])), len(items))
        self._awaiting_keyframe = cut == len(items)
        headers = [item for item in items[:cut] if isinstance(item, StreamHeader)]
        self._items = deque((*headers[-1:], *items[cut:]))
        self._bytes = sum(map(_size, self._items))
        return sum(len(item) if isinstance(item, tuple) else isinstance(item, Tag) for item in items[:cut])


def _starts_group(item: Item) -> bool:
    return isinstance(item, tuple) or (isinstance(item, Tag) and item.keyframe)


def _size(item: Item) -> int:
    if isinstance(item, Tag):
        return len(item.wire)
    return sum(len(tag.wire) for tag in item) if isinstance(item, tuple) else 0
