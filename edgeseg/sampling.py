"""Frame to model tensor: made small first, turned into RGB after, with the stream's own colour matrix and range."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from edgeseg.colour import rgb_from_yuv
from edgeseg.kernels import library
from edgeseg.kernels import sampling as kernel
from edgeseg.sampling_opencv import OpenCvSampler
from edgeseg.types import U8, Colour, Frame, PlaneFormat, Recipe


class Sampler:
    """Samples frames into a tensor that it keeps.

    Planes are reduced by exact means of 2x2 while they are at least twice as large as what is wanted, and the rest is
    bilinear. Chroma keeps its half resolution until the last step, as 4:2:0 does. Only then come the 3x4 colour matrix
    and the model's colour order, on 65 thousand pixels instead of a million. A kernel does that where it was compiled,
    to within one level of the definition, and else OpenCV, to within five.

    Args:
        recipe: the size and the colour order.
        variant: of the kernel: "avx2", "baseline", or "" for OpenCV; None takes the fastest that there is.
    """

    def __init__(self, recipe: Recipe, variant: str | None = None) -> None:
        self._bgr = recipe.color_order.upper() == "BGR"
        self.tensor: U8 = np.empty((1, recipe.height, recipe.width, 3), np.uint8)
        self._sample = kernel.load(library.variant() if variant is None else variant)
        self._opencv = OpenCvSampler(recipe)
        self._weights: tuple[Colour, kernel.Weights] | None = None

    def sample(self, frame: Frame, into: U8 | None = None) -> U8:
        """The frame as u8 [1, h, w, 3] in the recipe's colour order: ``into`` or, without it, ``self.tensor``."""
        target = self.tensor if into is None else into
        if self._sample is None or not self._sample(frame.planes, self._weights_for(frame.colour), target):
            self._opencv.sample(frame, target)
        return target

    def _weights_for(self, colour: Colour) -> kernel.Weights:
        known = self._weights
        if known is None or (known[0] is not colour and known[0] != colour):
            matrix = rgb_from_yuv(colour.matrix, colour.full_range)
            known = self._weights = colour, kernel.weights_of(matrix[::-1] if self._bgr else matrix)
        return known[1]


class DeviceSampler:
    """Leaves frames to a backend that samples them on its own device, and makes tensors for others.

    Which of the two it is may change from frame to frame: a model that was loaded again may run on another device.

    Args:
        recipe: what tensors have to be like.
        takes: asks the backend whether it takes frames with such planes.
    """

    def __init__(self, recipe: Recipe, takes: Callable[[PlaneFormat], bool]) -> None:
        self._host = Sampler(recipe)
        self._takes = takes
        self._last: tuple[tuple[int, ...], Colour, PlaneFormat] | None = None

    def sample(self, frame: Frame) -> U8 | Frame:
        """What the backend takes: the frame itself, or u8 [1, h, w, 3] in the recipe's colour order."""
        return frame if self._takes(self._format_of(frame)) else self._host.sample(frame)

    def _format_of(self, frame: Frame) -> PlaneFormat:
        last = self._last  # one frame is like the other: a look instead of a comparison of all that it says
        if last is None or last[0] != frame.y.shape or last[1] is not frame.colour:
            planes = plane_format(frame.width, frame.height, frame.colour)
            last = self._last = frame.y.shape, frame.colour, planes
        return last[2]


@lru_cache(maxsize=64)
def plane_format(width: int, height: int, colour: Colour) -> PlaneFormat:
    """What a backend has to know of such frames to sample them itself."""
    matrix = rgb_from_yuv(colour.matrix, colour.full_range)
    return PlaneFormat(width, height, tuple(tuple(float(value) for value in row) for row in matrix))
