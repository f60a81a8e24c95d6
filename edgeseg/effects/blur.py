"""Blurs what is not kept."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from edgeseg.effects._blend import make_blender
from edgeseg.types import U8, Frame, Mask

# Planes are halved until they have fewer rows than twice this; the sigma counts in pixels of a picture of 90 rows.
_SMALL_ROWS = 72
_SIGMA, _SIGMA_ROWS = 2.2, 90


_F32 = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


@dataclass(frozen=True, slots=True)
class _Weight:
    """How much of each small pixel is hidden, the same blurred, and with which sigma."""

    here: _F32
    around: _F32
    sigma: float


class Blur:
    """Blurs the background as a lens would: what is kept does not bleed into it.

    The planes are halved by exact 2x2 means to about ninety rows, blurred there with a small Gaussian and enlarged,
    which stands in for a Gaussian far too wide to compute at full size. Before that, the kept region is taken out of
    the mean by weighting with the mask, or everybody would wear a glow of their own colours.

    Args:
        strength: 1.0 is the blur of a wide lens; larger is softer.
    """

    def __init__(self, *, strength: float = 1.0) -> None:
        self._sigma = _SIGMA * strength
        self._blender = make_blender()
        self._halves: dict[tuple[int, int], U8] = {}

    def apply(self, frame: Frame, mask: Mask, out: Frame) -> None:
        weights: dict[tuple[int, ...], _Weight] = {}
        soft = []
        for plane in frame.planes:
            small = self._halved(plane)
            weight = weights.get(small.shape)
            if weight is None:
                weight = weights[small.shape] = self._weight(mask.alpha, small.shape)
            soft.append(self._blurred(small, weight))
        self._blender.blend_planes(frame.planes, soft, mask.alpha, out.planes)

    def _halved(self, plane: U8) -> U8:
        while plane.shape[0] >= 2 * _SMALL_ROWS and plane.shape[1] >= 2 * _SMALL_ROWS:
            half = (plane.shape[0] // 2, plane.shape[1] // 2)
            buffer = self._halves.get(half)
            if buffer is None:
                buffer = self._halves[half] = np.empty(half, np.uint8)
            plane = cv2.resize(
                plane[: half[0] * 2, : half[1] * 2], half[::-1], dst=buffer, interpolation=cv2.INTER_AREA
            )
        return plane

    def _weight(self, alpha: U8, shape: tuple[int, ...]) -> _Weight:
        hidden = cv2.resize(cv2.bitwise_not(alpha), shape[::-1], interpolation=cv2.INTER_LINEAR)
        # Never quite nothing, so that a frame that is all person still has a background to show at its edges.
        weight = hidden.astype(np.float32) + 0.5
        sigma = self._sigma * shape[0] / _SIGMA_ROWS
        return _Weight(weight, _gaussian(weight, sigma), sigma)

    def _blurred(self, small: U8, weight: _Weight) -> U8:
        """The mean of the hidden surroundings: blur(picture * weight) / blur(weight)."""
        weighted = cv2.multiply(small, weight.here, dtype=cv2.CV_32F)
        soft = cv2.divide(_gaussian(weighted, weight.sigma), weight.around)
        result: U8 = cv2.convertScaleAbs(soft)
        return result


def _gaussian(plane: _F32, sigma: float) -> _F32:
    """Three sigma wide, which holds 99.7 % of it; OpenCV would take four of a float plane, and a third longer."""
    side = 2 * math.ceil(3 * sigma) + 1
    result: _F32 = cv2.GaussianBlur(plane, (side, side), sigma)
    return result
