"""A blurred background with OpenCV, plane by plane.

What is used where the kernels could not be compiled; they give the same picture to within 1, in two thirds of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edgeseg.types import F32, U8


@dataclass(frozen=True, slots=True)
class _Weight:
    """How much of each small pixel is hidden, and the same blurred."""

    here: F32
    around: F32


class OpenCvSoftener:
    """See ``edgeseg.effects._soften.Softener``. Belongs to one thread: the buffers are used again."""

    def __init__(self) -> None:
        self._halves: dict[tuple[int, int], U8] = {}

    def soften(self, planes: Sequence[U8], alpha: U8, taps: Sequence[F32], out: Sequence[U8]) -> None:
        weights: dict[tuple[int, ...], _Weight] = {}
        for plane, half, target in zip(planes, taps, out, strict=True):
            gaussian = np.concatenate((half[:0:-1], half))
            weight = weights.get(target.shape)
            if weight is None:
                weight = weights[target.shape] = _weigh(alpha, target.shape, gaussian)
            weighted = cv2.multiply(self._halved(plane, target.shape), weight.here, dtype=cv2.CV_32F)
            cv2.convertScaleAbs(cv2.divide(_blurred(weighted, gaussian), weight.around), dst=target)

    def _halved(self, plane: U8, shape: tuple[int, ...]) -> U8:
        while plane.shape != shape:
            half = (plane.shape[0] // 2, plane.shape[1] // 2)
            buffer = self._halves.get(half)
            if buffer is None:
                buffer = self._halves[half] = np.empty(half, np.uint8)
            plane = cv2.resize(
                plane[: half[0] * 2, : half[1] * 2], half[::-1], dst=buffer, interpolation=cv2.INTER_AREA
            )
        return plane


def _weigh(alpha: U8, shape: tuple[int, ...], gaussian: F32) -> _Weight:
    hidden = cv2.resize(cv2.bitwise_not(alpha), shape[::-1], interpolation=cv2.INTER_LINEAR)
    # Never quite nothing, so that a frame that is all person still has a background to show at its edges.
    weight = hidden.astype(np.float32) + 0.5
    return _Weight(weight, _blurred(weight, gaussian))


def _blurred(plane: F32, gaussian: F32) -> F32:
    result: F32 = cv2.sepFilter2D(plane, cv2.CV_32F, gaussian, gaussian)
    return result
