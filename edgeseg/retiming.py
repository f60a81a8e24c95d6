"""Moves a stream's times to where a session wants them: a recording from 0, a viewer at the live edge."""

from __future__ import annotations

from collections.abc import Sequence

from edgeseg.flv import retime
from edgeseg.types import Tag, TagKind


class Rebase:
    """Lets time start at 0 with the first tag. Sound from just before it is put at 0 as well."""

    def __init__(self) -> None:
        self._zero_ms: int | None = None

    def next(self, tag: Tag) -> Tag:
        """The tag at its time in this session."""
        if self._zero_ms is None:
            self._zero_ms = tag.timestamp_ms
        return retime(tag, max(0, tag.timestamp_ms - self._zero_ms))


class ViewerTimeline:
    """Lets a viewer see the cached group of pictures at once without staying behind by its length.

    Players show a picture when its time has come: a cached group of two seconds, played with its own times, would put
    them two seconds behind for ever. So the cached pictures are put 1 ms apart (the player decodes
    them in a burst and shows the last), their sound is left out, and live tags go on from there by a constant offset.
    """

    def __init__(self) -> None:
        self._offset_ms: int | None = None
        self._floor_ms = dict.fromkeys(TagKind, 0)

    def start(self, cached: Sequence[Tag]) -> list[Tag]:
        """The cached pictures at 0, 1, 2… ms. Call it at most once, before ``next``."""
        pictures = [tag for tag in cached if tag.kind is TagKind.VIDEO]
        if not pictures:
            return []
        edge_ms = len(pictures) - 1
        self._offset_ms = edge_ms - pictures[-1].timestamp_ms
        self._floor_ms = dict.fromkeys(TagKind, edge_ms)
        return [retime(tag, ms) for ms, tag in enumerate(pictures)]

    def next(self, tag: Tag) -> Tag:
        """A live tag at the viewer's time, which never goes back within a kind."""
        if self._offset_ms is None:
            self._offset_ms = -tag.timestamp_ms
        ms = max(self._floor_ms[tag.kind], tag.timestamp_ms + self._offset_ms)
        self._floor_ms[tag.kind] = ms
        return retime(tag, ms)
