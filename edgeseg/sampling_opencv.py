"""Frame to model tensor with OpenCV, plane by plane.

What is used where the kernels could not be compiled, and for frames that they do not take; see ``edgeseg.sampling``.
"""

from __future__ import annotations

import cv2
import numpy as np

from edgeseg.colour import rgb_from_yuv
from edgeseg.types import U8, Frame, Recipe

# Beyond this ratio bilinear sampling steps over whole pixels and sees patterns that are not there.
_FAR = 3


class OpenCvSampler:
    """Samples frames into tensors of one size. Belongs to one thread: the buffers are used again.

    Planes are halved exactly (OpenCV's area filter is fast at 2:1 only) while they are at least twice as large as
    what is wanted, and the rest is bilinear. Chroma keeps its half resolution until the last step, as 4:2:0 does.
    Only then come the 3x4 colour matrix and the model's colour order, on 65 thousand pixels instead of a million.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._size = (recipe.width, recipe.height)
        self._bgr = recipe.color_order.upper() == "BGR"
        self._yuv: U8 = np.empty((recipe.height, recipe.width, 3), np.uint8)
        self._planes: list[U8] = [np.empty((recipe.height, recipe.width), np.uint8) for _ in range(3)]
        # Rounded up, and "exact" below: plain "nearest" moves the colours of a model with odd sides by up to a pixel.
        self._chroma: U8 = np.empty(((recipe.height + 1) // 2, (recipe.width + 1) // 2), np.uint8)
        self._halves: dict[tuple[int, int], U8] = {}

    def sample(self, frame: Frame, tensor: U8) -> None:
        """Fill ``tensor``, u8 [1, h, w, 3], with the frame in the recipe's colour order."""
        self._resize(frame.y, self._planes[0])
        for plane, small in ((frame.u, self._planes[1]), (frame.v, self._planes[2])):
            self._resize(plane, self._chroma)
            cv2.resize(self._chroma, self._size, dst=small, interpolation=cv2.INTER_NEAREST_EXACT)
        cv2.merge(self._planes, dst=self._yuv)
        matrix = rgb_from_yuv(frame.colour.matrix, frame.colour.full_range)
        cv2.transform(self._yuv, matrix[::-1] if self._bgr else matrix, dst=tensor[0])

    def _resize(self, plane: U8, small: U8) -> None:
        height, width = small.shape
        while plane.shape[0] >= 2 * height and plane.shape[1] >= 2 * width:
            plane = self._halved(plane, 2, 2, cv2.INTER_AREA)
        # A picture of quite another shape than the model's is still much too long in one direction. Exactly between
        # two pixels a straight line is their mean, which takes OpenCV a fifth of the time that an area does here.
        while plane.shape[0] > _FAR * height:
            plane = self._halved(plane, 2, 1, cv2.INTER_LINEAR)
        while plane.shape[1] > _FAR * width:
            plane = self._halved(plane, 1, 2, cv2.INTER_LINEAR)
        cv2.resize(plane, (width, height), dst=small, interpolation=cv2.INTER_LINEAR)

    def _halved(self, plane: U8, down: int, across: int, how: int) -> U8:
        shape = (plane.shape[0] // down, plane.shape[1] // across)
        buffer = self._halves.get(shape)
        if buffer is None:
            buffer = self._halves[shape] = np.empty(shape, np.uint8)
        # An odd last row or column would turn the exact 2:1 into the slow general case.
        even = plane[: shape[0] * down, : shape[1] * across]
        cv2.resize(even, shape[::-1], dst=buffer, interpolation=how)
        return buffer
