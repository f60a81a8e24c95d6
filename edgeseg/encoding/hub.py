"""Hands one encoder's tags to everybody who wants them, and lets a newcomer start with a picture."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from edgeseg.flv import file_header, payload, retime
from edgeseg.status import Subscriber
from edgeseg.types import StreamHeader, Tag, TagKind

_log = logging.getLogger(__name__)


_EARLY_TAGS = 256


@dataclass(slots=True, eq=False)
class _Seat:
    """One subscriber. ``started`` turns true with the first keyframe that it gets: nobody starts in between."""

    subscriber: Subscriber
    started: bool = False


class Hub:
    """Distributes tags, and remembers the header and the last group of pictures for those who come later.

    ``tag`` and ``end`` belong to one thread (the one that reads the encoder), everything else may be called from any.
    The order of calls that a subscriber sees: ``header``; ``replay`` if there is a cached group; ``tag`` for
    every tag from then on; ``header`` again when the decoder configuration changed (``epoch`` went up; the next picture
    is a keyframe); ``end`` once, and nothing after it. The first picture it gets is a keyframe. The calls never
    overlap, but one that has begun may still be running when ``unsubscribe`` returns. A subscriber that raises is
    removed and logged.

    A subscriber may hold up its own call of ``tag`` (a file source can wait for a slow disk); that holds up the
    stream, but neither ``subscribe`` nor ``unsubscribe``.

    ``expects_audio`` says whether the encoder was given sound; change it before a new encoder's first tag.
    The cache is given up until the next keyframe when a group grows beyond ``cache_s`` or ``cache_bytes``.
    """

    def __init__(
        self, name: str = "stream", *, expects_audio: bool = False, cache_s: float = 20.0, cache_bytes: int = 32 << 20
    ) -> None:
        self.expects_audio = expects_audio
        self.joined_at = float("-inf")  # monotonic seconds of the last ``subscribe``
        self._name = name
        self._cache_ms = int(cache_s * 1000)
        self._cache_limit_bytes = cache_bytes
        self._lock = threading.RLock()  # re-entered when a subscriber fails inside `subscribe`
        self._seats: tuple[_Seat, ...] = ()
        self._header: StreamHeader | None = None
        self._ended = False
        self._cache: list[Tag] = []
        self._cache_bytes = 0
        # The header tags that came since the last keyframe: a new encoder's, or an update.
        self._coming: dict[TagKind, Tag] = {}
        # Sound that came before the stream's first picture: an encoder may need longer for that than sound can wait.
        self._early: list[Tag] = []

    @property
    def header(self) -> StreamHeader | None:
        """The header in force, or None before the first keyframe."""
        return self._header

    def tag(self, tag: Tag) -> None:
        """Take one tag from the encoder: remember it, hand it to every subscriber."""
        if tag.kind is TagKind.SCRIPT:
            self._coming = {tag.kind: tag}
            return
        if tag.config:
            self._coming[tag.kind] = tag
            return
        if self._header is None and not tag.keyframe:
            if tag.kind is TagKind.AUDIO and len(self._early) < _EARLY_TAGS:
                self._early.append(tag)
            return
        self._distribute(tag)
        early, self._early = self._early, []
        for sound in early:
            self._distribute(sound)

    def _distribute(self, tag: Tag) -> None:
        changed: StreamHeader | None = None
        with self._lock:
            if tag.keyframe and (self._coming or self._header is None):
                changed = self._settle_header()
            self._remember(tag)
            seats = self._seats
        # Outside the lock: whoever comes after this point has the tag from the cache and is not in `seats`.
        for seat in seats:
            if changed is not None and not self._tell_header(seat, changed):
                continue
            seat.started = seat.started or tag.keyframe
            if not seat.started:
                continue
            try:  # as ``_call``, which would be two calls more for each tag
                seat.subscriber.tag(tag)
            except Exception:  # noqa: BLE001
                self._failed(seat)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Add a subscriber; what is known (header, cached group, end) is handed to it before this returns."""
        seat = _Seat(subscriber)
        self.joined_at = time.monotonic()
        with self._lock:
            self._seats = (*self._seats, seat)
            header, cached, ended = self._header, tuple(self._cache), self._ended
            # Under the lock, so that the next tag cannot overtake the cached ones.
            alive = header is None or self._tell_header(seat, header)
            if alive and cached:
                seat.started = True
                alive = self._call(seat, lambda s: s.replay(cached))
            if alive and ended:
                self._call(seat, lambda s: s.end())
                self._remove(seat)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Remove a subscriber without calling its ``end``; one that is not there is ignored."""
        with self._lock:
            self._seats = tuple(seat for seat in self._seats if seat.subscriber is not subscriber)

    def end(self) -> None:
        """The stream is over for good: tell everybody. May be called twice."""
        with self._lock:
            seats, self._seats = self._seats, ()
            self._ended = True
        for seat in seats:
            self._call(seat, lambda s: s.end())

    def _settle_header(self) -> StreamHeader | None:
        """Make what came since the last picture the header; gives it when decoders have to be told."""
        old, coming, self._coming = self._header, self._coming, {}
        known = {tag.kind: tag for tag in old.tags} if old else {}
        # Metadata and a video configuration together are a new encoder's whole header, which may have lost its sound.
        kept = coming if TagKind.SCRIPT in coming and TagKind.VIDEO in coming else {**known, **coming}
        tags = tuple(retime(kept[kind], 0) for kind in (TagKind.SCRIPT, TagKind.VIDEO, TagKind.AUDIO) if kind in kept)
        has_audio = self.expects_audio or TagKind.AUDIO in kept
        epoch = old.epoch if old else 1
        if old and (has_audio, _configurations(tags)) != (old.has_audio, _configurations(old.tags)):
            epoch += 1
        self._header = StreamHeader(epoch, file_header(has_audio=has_audio), tags, has_audio)
        if old and epoch == old.epoch:
            return None
        self._forget()
        return self._header

    def _remember(self, tag: Tag) -> None:
        if tag.keyframe:
            self._forget()
        elif not self._cache:
            return
        self._cache.append(tag)
        self._cache_bytes += len(tag.wire)
        span_ms = tag.timestamp_ms - self._cache[0].timestamp_ms
        if self._cache_bytes > self._cache_limit_bytes or span_ms > self._cache_ms:
            self._forget()

    def _forget(self) -> None:
        self._cache = []
        self._cache_bytes = 0

    def _tell_header(self, seat: _Seat, header: StreamHeader) -> bool:
        return self._call(seat, lambda s: s.header(header))

    def _call(self, seat: _Seat, call: Callable[[Subscriber], None]) -> bool:
        try:
            call(seat.subscriber)
        except Exception:  # noqa: BLE001 -- whatever one subscriber does, the others go on
            self._failed(seat)
            return False
        return True

    def _failed(self, seat: _Seat) -> None:
        _log.exception("%s: a subscriber failed and gets nothing more", self._name)
        self._remove(seat)

    def _remove(self, gone: _Seat) -> None:
        with self._lock:
            self._seats = tuple(seat for seat in self._seats if seat is not gone)


def _configurations(tags: tuple[Tag, ...]) -> list[tuple[TagKind, bytes]]:
    return [(tag.kind, bytes(payload(tag))) for tag in tags if tag.config]
