"""Blurs what is not kept."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from edgeseg.effects._blend import make_blender
from edgeseg.effects._soften import make_softener
from edgeseg.types import F32, U8, Frame, Mask

# Planes are halved until they have fewer rows than twice this; the sigma counts in pixels of a picture of 90 rows.
_SMALL_ROWS = 72
_SIGMA, _SIGMA_ROWS = 2.2, 90


@dataclass(frozen=True, slots=True)
class _Small:
    """Where the blurred planes of frames with a first plane as ``whole`` are put, and each one's Gaussian."""

    whole: tuple[int, ...]
    planes: list[U8]
    taps: list[F32]


class Blur:
    """Blurs the background as a lens would: what is kept does not bleed into it.

    The planes are halved by exact 2x2 means to about ninety rows, blurred there with a small Gaussian and enlarged,
    which stands in for a Gaussian far too wide to compute at full size. Before that, the kept region is taken out of
    the mean by weighting with the mask, or everybody would wear a glow of their own colours.

    Args:
        strength: 1.0 is the blur of a wide lens; larger is softer.
    """

    def __init__(self, *, strength: float = 1.0) -> None:
        self._sigma = _SIGMA * strength / _SIGMA_ROWS
        self._blender = make_blender()
        self._softener = make_softener()
        self._small: _Small | None = None

    def apply(self, frame: Frame, mask: Mask, out: Frame) -> None:
        planes, small = frame.planes, self._small
        if small is None or small.whole != planes[0].shape:
            small = self._small = self._small_for([plane.shape for plane in planes])
        self._softener.soften(planes, mask.alpha, small.taps, small.planes)
        self._blender.blend_planes(planes, small.planes, mask.alpha, out.planes)

    def _small_for(self, shapes: list[tuple[int, ...]]) -> _Small:
        planes = [np.empty(_halved(*shape), np.uint8) for shape in shapes]
        return _Small(shapes[0], planes, [_half_gaussian(self._sigma * plane.shape[0]) for plane in planes])


def _halved(height: int, width: int) -> tuple[int, int]:
    while min(height, width) >= 2 * _SMALL_ROWS:
        height, width = height // 2, width // 2
    return height, width


def _half_gaussian(sigma: float) -> F32:
    """Three sigma wide, which holds 99.7 % of it; OpenCV would take four of a float plane, and a third longer."""
    radius = math.ceil(3 * sigma)
    return np.ascontiguousarray(cv2.getGaussianKernel(2 * radius + 1, sigma, cv2.CV_32F)[radius:, 0], np.float32)
