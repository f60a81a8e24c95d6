"""Frame to model tensor: made small first, turned into RGB after, with the stream's own colour matrix and range."""

from __future__ import annotations

import cv2
import numpy as np

from edgeseg.colour import rgb_from_yuv
from edgeseg.types import U8, Frame, Recipe

# Beyond this ratio bilinear sampling steps over whole pixels and sees patterns that are not there.
_FAR = 3


class Sampler:
    """Samples frames of one size into a tensor that it keeps.

    Planes are halved exactly (OpenCV's area filter is fast at 2:1 only) while they are at least twice as large as
    what is wanted, and the rest is bilinear. Chroma keeps its half resolution until the last step, as 4:2:0 does.
    Only then come the 3x4 colour matrix and the model's colour order, on 65 thousand pixels instead of a million.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._size = (recipe.width, recipe.height)
        self._bgr = recipe.color_order.upper() == "BGR"
        self._yuv: U8 = np.empty((recipe.height, recipe.width, 3), np.uint8)
        self.tensor: U8 = np.empty((1, recipe.height, recipe.width, 3), np.uint8)
        self._planes: list[U8] = [np.empty((recipe.height, recipe.width), np.uint8) for _ in range(3)]
        # Rounded up, and "exact" below: plain "nearest" moves the colours of a model with odd sides by up to a pixel.
        self._chroma: U8 = np.empty(((recipe.height + 1) // 2, (recipe.width + 1) // 2), np.uint8)
        self._halves: dict[tuple[int, int], U8] = {}

    def sample(self, frame: Frame, into: U8 | None = None) -> U8:
        """The frame as u8 [1, h, w, 3] in the recipe's colour order: ``into`` or, without it, ``self.tensor``."""
        target = self.tensor if into is None else into
        self._resize(frame.y, self._planes[0])
        for plane, small in ((frame.u, self._planes[1]), (frame.v, self._planes[2])):
            self._resize(plane, self._chroma)
            cv2.resize(self._chroma, self._size, dst=small, interpolation=cv2.INTER_NEAREST_EXACT)
        cv2.merge(self._planes, dst=self._yuv)
        matrix = rgb_from_yuv(frame.colour.matrix, frame.colour.full_range)
        cv2.transform(self._yuv, matrix[::-1] if self._bgr else matrix, dst=target[0])
        return target

    def _resize(self, plane: U8, small: U8) -> None:
        height, width = small.shape
        while plane.shape[0] >= 2 * height and plane.shape[1] >= 2 * width:
            half = (plane.shape[0] // 2, plane.shape[1] // 2)
            buffer = self._halves.get(half)
            if buffer is None:
                buffer = self._halves[half] = np.empty(half, np.uint8)
            # An odd last row or column would turn the exact 2:1 into the slow general case.
            even = plane[: half[0] * 2, : half[1] * 2]
            plane = cv2.resize(even, half[::-1], dst=buffer, interpolation=cv2.INTER_AREA)
        # A picture of quite another shape than the model's may still be much too long in one direction.
        far = plane.shape[0] > _FAR * height or plane.shape[1] > _FAR * width
        cv2.resize(plane, (width, height), dst=small, interpolation=cv2.INTER_AREA if far else cv2.INTER_LINEAR)
