"""Mixes two pictures with OpenCV, plane by plane, touching only what the mask makes necessary.

What is used where the kernels could not be compiled; they give the same picture to within 1, in a third of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edgeseg.types import U8


@dataclass(frozen=True, slots=True)
class _Span:
    """A run of mask cells along one axis and the pixels that it covers."""

    first: int
    last: int
    start: int
    stop: int


class _Axis:
    """One axis of mask and plane. ``unit`` mask cells cover ``step`` pixels exactly.

    Cutting both at multiples of them leaves the sampling positions of the resize where they were, so a part of the mask
    enlarges to the same values as the whole.
    """

    def __init__(self, cells: int, pixels: int) -> None:
        common = gcd(cells, pixels)
        self._cells, self._unit, self._step = cells, cells // common, pixels // common

    def around(self, start: int, stop: int, margin: int) -> _Span:
        """The smallest aligned span that holds the cells [start, stop) and ``margin`` more on each side."""
        first = max(0, start - margin) // self._unit
        last = -(-min(self._cells, stop + margin) // self._unit)
        return _Span(first * self._unit, last * self._unit, first * self._step, last * self._step)


@dataclass(frozen=True, slots=True)
class _Part:
    """The part of a plane of ``shape`` that is computed, with the mask and its inverse enlarged to it."""

    shape: tuple[int, ...]
    rows: slice
    columns: slice
    alpha: U8
    inverse: U8


class OpenCvBlender:
    """See ``edgeseg.effects._blend.Blender``.

    Nine tenths of a portrait mask are plainly 0 or 255. Whichever picture fills more of the frame is copied whole,
    and only the rectangle where the mask says something else is computed. Where alpha is 0 or 255 the result is
    exactly one of the two. Belongs to one thread: the buffers are used again.
    """

    def __init__(self) -> None:
        self._buffers: dict[str, npt.NDArray[Any]] = {}

    def blend_planes(self, keep: Sequence[U8], other: Sequence[U8], alpha: U8, out: Sequence[U8]) -> None:
        other = [
            below if below.shape == target.shape else _enlarged(below, target)
            for below, target in zip(other, out, strict=True)
        ]
        kept = cv2.boundingRect(alpha)
        hidden = cv2.boundingRect(cv2.bitwise_not(alpha))
        in_place = any(below is target for below, target in zip(other, out, strict=True))
        inside_out = not in_place and hidden[2] * hidden[3] < kept[2] * kept[3]
        rectangle = hidden if inside_out else kept
        part: _Part | None = None
        for above, below, target in zip(keep, other, out, strict=True):
            base = above if inside_out else below
            if base is not target:
                np.copyto(target, base)
            if not rectangle[2] or not rectangle[3]:
                continue
            if part is None or part.shape != target.shape:  # the two planes of colour are alike
                part = self._enlarge(alpha, rectangle, target.shape)
            where = part.rows, part.columns
            self._mix(above[where], below[where], part, target[where])

    def _enlarge(self, alpha: U8, rectangle: Sequence[int], shape: tuple[int, ...]) -> _Part:
        x, y, width, height = rectangle
        across = _Axis(alpha.shape[1], shape[1])
        down = _Axis(alpha.shape[0], shape[0])
        # Interpolation reaches one cell further than the mask; one more keeps its border replication out of it.
        inner_x, inner_y = across.around(x, x + width, 1), down.around(y, y + height, 1)
        outer_x, outer_y = across.around(inner_x.first, inner_x.last, 1), down.around(inner_y.first, inner_y.last, 1)
        large = self._buffer("alpha", outer_y.stop - outer_y.start, outer_x.stop - outer_x.start)
        cells = alpha[outer_y.first : outer_y.last, outer_x.first : outer_x.last]
        cv2.resize(cells, large.shape[::-1], dst=large, interpolation=cv2.INTER_LINEAR)
        weight = large[
            inner_y.start - outer_y.start : inner_y.stop - outer_y.start,
            inner_x.start - outer_x.start : inner_x.stop - outer_x.start,
        ]
        inverse = self._buffer("inverse", *weight.shape)
        cv2.bitwise_not(weight, dst=inverse)
        return _Part(shape, slice(inner_y.start, inner_y.stop), slice(inner_x.start, inner_x.stop), weight, inverse)

    def _mix(self, keep: U8, other: U8, part: _Part, out: U8) -> None:
        # Summed in units of 1/64 and rounded once: two rounded halves would be up to 1 away from their sum.
        height, width = part.alpha.shape
        rest, sum_ = (self._buffer(name, height, width, np.uint16) for name in ("rest", "sum"))
        cv2.multiply(other, part.inverse, dst=rest, scale=64 / 255, dtype=cv2.CV_16U)
        cv2.multiply(keep, part.alpha, dst=sum_, scale=64 / 255, dtype=cv2.CV_16U)
        cv2.add(sum_, rest, dst=sum_)
        cv2.convertScaleAbs(sum_, dst=out, alpha=1 / 64)

    def _buffer(self, name: str, height: int, width: int, dtype: type = np.uint8) -> npt.NDArray[Any]:
        """A scratch plane; grows and is never given back, so that a moving rectangle does not allocate."""
        room = self._buffers.get(name)
        if room is None or room.size < height * width:
            room = self._buffers[name] = np.empty(height * width, dtype)
        return room[: height * width].reshape(height, width)


def _enlarged(small: U8, target: U8) -> U8:
    """``small`` itself when it has the size of ``target``, else enlarged in its place, where the rest is then mixed
    in.
    """
    if small.shape == target.shape:
        return small
    cv2.resize(small, target.shape[::-1], dst=target, interpolation=cv2.INTER_LINEAR)
    return target
