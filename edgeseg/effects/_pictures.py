"""Still pictures and looping videos as backgrounds, at the size and in the colour of the stream."""

from __future__ import annotations

from enum import StrEnum
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from edgeseg.colour import i420_from_rgb, rgb_from_i420
from edgeseg.errors import StreamError
from edgeseg.types import U8, Colour, Frame, Source


class Fit(StrEnum):
    """How a picture of another shape fills the frame: cut off, with bars, or distorted."""

    COVER = "cover"
    CONTAIN = "contain"
    STRETCH = "stretch"


Planes = tuple[U8, U8, U8]


def load_picture(path: Path) -> U8:
    """A picture file as u8 [h, w, 3], R'G'B'.

    Raises:
        StreamError: permanent; the file is missing or is no picture.
    """
    try:
        encoded = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as exc:
        raise StreamError(f"cannot read the picture {path}: {exc.strerror}", permanent=True) from exc
    bgr = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if encoded.size else None
    if bgr is None:
        raise StreamError(f"{path} is not a picture that OpenCV can read", hint="use JPEG or PNG", permanent=True)
    rgb: U8 = np.ascontiguousarray(bgr[..., ::-1])
    return rgb


def fit_rgb(rgb: U8, width: int, height: int, fit: Fit) -> U8:
    """``rgb`` at exactly ``width`` x ``height``, u8 [height, width, 3]; bars are black."""
    rows, columns = rgb.shape[:2]
    if fit is Fit.STRETCH:
        return _resize(rgb, width, height)
    scales = (width / columns, height / rows)
    scale = max(scales) if fit is Fit.COVER else min(scales)
    inner_width, inner_height = max(1, round(columns * scale)), max(1, round(rows * scale))
    scaled = _resize(rgb, inner_width, inner_height)
    if fit is Fit.COVER:
        x, y = (inner_width - width) // 2, (inner_height - height) // 2
        return np.ascontiguousarray(scaled[max(0, y) : max(0, y) + height, max(0, x) : max(0, x) + width])
    canvas = np.zeros((height, width, 3), np.uint8)
    x, y = (width - inner_width) // 2, (height - inner_height) // 2
    canvas[y : y + inner_height, x : x + inner_width] = scaled
    return canvas


def planes_of(rgb: U8, width: int, height: int, fit: Fit, colour: Colour) -> Planes:
    """The picture as I420 planes in the stream's own matrix and range."""
    return i420_from_rgb(fit_rgb(rgb, width, height, fit), colour)


class PlayedVideo:
    """A looping source played by the stream's own clock.

    ``at`` gives the picture that belongs to a moment. Decoding happens in the calling thread and only as far as
    needed; a pause of the stream, or a step back of its clock, is not caught up.
    """

    _MAX_SKIP_S = 2

    def __init__(self, source: Source, fit: Fit) -> None:
        self._source, self._fit = source, fit
        self._origin: Fraction | None = None  # stream time at which the source's time 0 was shown
        self._last: Fraction | None = None
        self._current: Frame | None = None
        self._next: Frame | None = None
        self._shown: Planes | None = None
        self._shown_for: tuple[Frame, int, int, Colour] | None = None

    def at(self, time: Fraction, width: int, height: int, colour: Colour) -> Planes:
        """The planes for ``time`` (seconds on the stream's clock), at ``width`` x ``height``.

        Raises:
            StreamError: the source cannot be read.
        """
        if self._next is None:
            self._source.open()
            self._next = self._read()
        stepped_back = self._last is not None and time < self._last
        if self._origin is None or stepped_back or time - self._origin - self._time(self._next) > self._MAX_SKIP_S:
            self._origin = time - self._time(self._next)
        self._last = time
        while self._time(self._next) <= time - self._origin:
            self._current, self._next = self._next, self._read()
        frame = self._current or self._next
        known = self._shown_for
        if self._shown is None or known is None or known[0] is not frame or known[1:] != (width, height, colour):
            self._shown = self._fitted(frame, width, height, colour)
            self._shown_for = (frame, width, height, colour)
        return self._shown

    def _fitted(self, frame: Frame, width: int, height: int, colour: Colour) -> Planes:
        rgb = rgb_from_i420(*frame.planes, frame.colour)
        return planes_of(rgb, width, height, self._fit, colour)

    @staticmethod
    def _time(frame: Frame) -> Fraction:
        return frame.pts * frame.time_base

    def _read(self) -> Frame:
        while (item := self._source.read()) is not None:
            if isinstance(item, Frame):
                return item
        raise StreamError("the background video ended", hint="it has to loop", permanent=True)


def _resize(rgb: U8, width: int, height: int) -> U8:
    smaller = width < rgb.shape[1]
    resized: U8 = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    return resized
