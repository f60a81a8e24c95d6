"""Tints the kept region or the rest, to see what the model sees."""

from __future__ import annotations

import cv2
import numpy as np

from edgeseg.colour import yuv_of
from edgeseg.effects._blend import make_blender, plain
from edgeseg.types import U8, Frame, Mask


class Overlay:
    """Lays a transparent colour over one region; the other stays as it is.

    Args:
        color: R'G'B', 0..255 each.
        opacity: 0 (invisible) to 1 (solid).
        region: "kept" or "other".
    """

    def __init__(
        self, *, color: tuple[int, int, int] = (255, 0, 0), opacity: float = 0.5, region: str = "kept"
    ) -> None:
        self._color = color
        self._strength = (np.arange(256) * opacity).round().astype(np.uint8)
        self._other = region == "other"
        self._blender = make_blender()
        self._tints: dict[tuple[tuple[int, int], int], U8] = {}

    def apply(self, frame: Frame, mask: Mask, out: Frame) -> None:
        alpha = cv2.bitwise_not(mask.alpha) if self._other else mask.alpha
        alpha = cv2.LUT(alpha, self._strength)
        colour = yuv_of(self._color, frame.colour)
        tints = [
            self._tint((plane.shape[0], plane.shape[1]), value)
            for plane, value in zip(frame.planes, colour, strict=True)
        ]
        self._blender.blend_planes(tints, frame.planes, alpha, out.planes)

    def _tint(self, shape: tuple[int, int], value: int) -> U8:
        tint = self._tints.get((shape, value))
        if tint is None:
            tint = self._tints[shape, value] = plain(shape, value)
        return tint
