"""The one way of pictures into the encoder: in order, from the worker or, while that has none, from the slate."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from edgeseg.encoding.steady import SteadyEncoder
from edgeseg.frames import Canvas

_REMEMBERED = 8


class Outlet:
    """Keeps the times of what goes into an encoder growing, and knows which of it was a slate.

    ``video`` belongs to the worker's thread, ``slate`` to the slate's; a picture that comes after a later one (the
    worker was held up for longer than the slate waits) is given back.

    Args:
        recycle: takes canvases back that are not handed over.
        dropped: is told about each of them.
    """

    def __init__(self, recycle: Callable[[Canvas], None], dropped: Callable[[], None]) -> None:
        self._recycle = recycle
        self._dropped = dropped
        self._lock = threading.Lock()
        self._encoder: SteadyEncoder | None = None
        self._last_ms = -1
        self._slates: tuple[tuple[int, int | None], ...] = ()  # from, up to: of the last few
        self.last_picture_at = time.monotonic()

    def connect(self, encoder: SteadyEncoder) -> None:
        """What comes from now on goes to ``encoder``."""
        with self._lock:
            self._encoder = encoder

    def video(self, canvas: Canvas, timestamp_ms: int) -> None:
        """A picture of the source.

        Raises:
            EncoderError: the encoder cannot take it.
        """
        with self._lock:
            self.last_picture_at = time.monotonic()
            # One that comes too late is left out below, and the slate is not over with it.
            if timestamp_ms > self._last_ms and self._slates and self._slates[-1][1] is None:
                self._slates = (*self._slates[:-1], (self._slates[-1][0], timestamp_ms))
            self._put(canvas, timestamp_ms)

    def slate(self, canvas: Canvas, timestamp_ms: int, quiet_s: float) -> None:
        """A slate, unless a picture of the source came within ``quiet_s`` after all.

        Raises:
            EncoderError: the encoder cannot take it.
        """
        with self._lock:
            if time.monotonic() - self.last_picture_at < quiet_s:
                self._recycle(canvas)
                return
            if not self._slates or self._slates[-1][1] is not None:
                self._slates = (*self._slates[-_REMEMBERED:], (timestamp_ms, None))
            self._put(canvas, timestamp_ms)

    def audio(self, payload: bytes, timestamp_ms: int) -> None:
        """A packet of the source's sound.

        Raises:
            EncoderError: the encoder cannot take it.
        """
        encoder = self._encoder
        if encoder is not None:
            encoder.audio(payload, timestamp_ms)

    @property
    def waiting(self) -> int:
        """How many items the encoder has not taken yet."""
        encoder = self._encoder
        return 0 if encoder is None else encoder.queue_length

    def was_slate(self, timestamp_ms: int) -> bool:
        """Whether the picture of this time, as it leaves the encoder, is a slate."""
        return any(start <= timestamp_ms and (end is None or timestamp_ms < end) for start, end in self._slates)

    def _put(self, canvas: Canvas, timestamp_ms: int) -> None:
        if self._encoder is None or timestamp_ms <= self._last_ms:
            self._recycle(canvas)
            self._dropped()
            return
        self._last_ms = timestamp_ms
        self._encoder.video(canvas, timestamp_ms)
