"""An encoder that is replaced at once when it dies, as long as that is rare."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from edgeseg.backoff import Budget
from edgeseg.encoding.command import EncoderSettings
from edgeseg.encoding.encoder import Encoder
from edgeseg.encoding.matroska import RawFormat
from edgeseg.errors import EncoderError
from edgeseg.frames import Canvas
from edgeseg.queues import WhenFull
from edgeseg.types import Tag

_log = logging.getLogger(__name__)


class SteadyEncoder:
    """An ``Encoder`` whose child is replaced where it died or hung, without the source noticing.

    It has to have given something before, and ``budget`` has to allow it; otherwise the failure is raised, and whoever
    catches it waits. The picture or sound that met the failure is lost; with the child went at most what
    the child had not given yet. ``on_tag`` is called for one child at a time, and not begun after ``finish`` or
    ``kill``; a call that lasts may still be running then.

    Args:
        settings: see ``Encoder``, as all the others but these:
        budget: is asked before each replacement.
        on_start: called whenever a child is started.
        speaking: held during ``on_tag``: the calls of encoders that are given the same do not overlap.
    """

    def __init__(
        self,
        settings: EncoderSettings,
        raw: RawFormat,
        *,
        when_full: WhenFull,
        on_tag: Callable[[Tag, float | None], None],
        recycle: Callable[[Canvas], None],
        on_drop: Callable[[], None] = lambda: None,
        on_start: Callable[[], None] = lambda: None,
        budget: Budget | None = None,
        speaking: threading.Lock | None = None,
        name: str = "encoder",
        near_ms: int = 0,
    ) -> None:
        self.raw = raw
        self.when_full = when_full
        self._settings = settings
        self._on_tag = on_tag
        self._recycle = recycle
        self._on_drop = on_drop
        self._on_start = on_start
        self._budget = budget or Budget()
        self._name = name
        self._swapping = threading.Lock()
        self._speaking = speaking or threading.Lock()
        self._ended = False
        self._gave = False
        self._number = 0
        self._current = self._start(near_ms)

    @property
    def queue_length(self) -> int:
        return self._current.queue_length

    def video(self, canvas: Canvas, timestamp_ms: int) -> None:
        """Hand over a picture; see ``Encoder.video``."""
        encoder = self._current
        try:
            encoder.video(canvas, timestamp_ms)
        except EncoderError as exc:
            self._replace(encoder, exc, timestamp_ms)

    def audio(self, payload: bytes, timestamp_ms: int) -> None:
        """Hand over one packet of sound; see ``Encoder.audio``."""
        encoder = self._current
        try:
            encoder.audio(payload, timestamp_ms)
        except EncoderError as exc:
            self._replace(encoder, exc, timestamp_ms)

    def finish(self, timeout_s: float = 3.0) -> bool:
        """See ``Encoder.finish``."""
        with self._swapping:
            self._ended = True
            well = self._current.finish(timeout_s)
            self._number += 1
            return well

    def kill(self) -> None:
        """See ``Encoder.kill``."""
        with self._swapping:
            self._ended = True
            self._number += 1
            self._current.kill()

    def _replace(self, failed: Encoder, why: EncoderError, near_ms: int) -> None:
        with self._swapping:
            if self._current is not failed:
                return  # the other thread, of sound or pictures, met it first
            if self._ended or not self._gave or why.permanent:
                raise why
            failed.kill()  # what it has said until then still goes out
            if not self._budget.spend():
                raise why
            _log.error("%s: %s; started again at once", self._name, why)
            self._current = self._start(near_ms)

    def _start(self, near_ms: int) -> Encoder:
        self._on_start()
        with self._speaking:
            self._gave = False
            self._number = number = self._number + 1

        def give(tag: Tag, delay_s: float | None) -> None:
            with self._speaking:
                # One that is gone may still hold a tag that somebody was slow to take.
                if number == self._number:
                    self._gave = True
                    self._on_tag(tag, delay_s)

        return Encoder(
            self._settings,
            self.raw,
            when_full=self.when_full,
            on_tag=give,
            recycle=self._recycle,
            on_drop=self._on_drop,
            name=self._name,
            near_ms=near_ms,
        )
