"""Smooths, thresholds and feathers a mask at the model's size, where there are few pixels to touch."""

from __future__ import annotations

import time
from dataclasses import dataclass

import cv2
import numpy as np

from edgeseg.types import U8, Mask


@dataclass(frozen=True, slots=True)
class RefineSettings:
    """What is done to a mask, in this order: temporal average, feather, smooth step or threshold, invert.

    ``temporal`` is the weight of the past, 0 (none) to below 1. ``feather`` is the sigma of a Gaussian in model pixels.
    ``smooth_step`` gives the probabilities that become 0 and 1, with a smooth curve between; ``threshold`` instead cuts
    hard. The curve comes after the Gaussian, so that it smooths the staircase of a small mask without leaving a veil of
    background round the person; and it leans inwards, because a lost hair is seen less than a bright fringe.
    """

    temporal: float = 0.0
    threshold: float | None = None
    smooth_step: tuple[float, float] = (0.35, 0.85)
    feather: float = 1.0
    invert: bool = False


class MaskRefiner:
    """Refines the masks of one stream; remembers the past for the temporal average."""

    def __init__(self, settings: RefineSettings) -> None:
        self._settings = settings
        self._curve = _curve(settings)
        # Two sigmas on each side: five taps for the default, half the cost of what OpenCV would choose.
        reach = max(1, round(2 * settings.feather))
        self._kernel = (2 * reach + 1, 2 * reach + 1)
        self._past: np.ndarray[tuple[int, ...], np.dtype[np.float32]] | None = None
        # How much the past counts, by how far it disagrees: where the picture has really changed, it does not,
        # or moving edges would leave ghosts.
        disagreement = np.arange(256, dtype=np.float32) / 255
        self._past_weight = (settings.temporal * (1 - disagreement) ** 2).astype(np.float32)

    def reset(self) -> None:
        """Forget the past: the next mask belongs to another scene."""
        self._past = None

    def refine(self, answer: U8, pts: int) -> Mask:
        """A mask for the frame ``pts`` from the answer of the model, u8 [h, w], 255 = keep; the answer is not kept."""
        alpha = self._smooth(answer) if self._settings.temporal > 0 else answer
        if self._settings.feather > 0:
            alpha = cv2.GaussianBlur(alpha, self._kernel, self._settings.feather)
        alpha = cv2.LUT(alpha, self._curve)
        if self._settings.invert:
            alpha = cv2.bitwise_not(alpha)
        return Mask(alpha, pts, time.monotonic())

    def _smooth(self, answer: U8) -> U8:
        now = answer.astype(np.float32)
        if self._past is None or self._past.shape != now.shape:
            self._past = now
            return answer
        before = cv2.convertScaleAbs(self._past)
        weight = cv2.LUT(cv2.absdiff(answer, before), self._past_weight)
        # Kept as float: in bytes the average sticks a few steps away from black and white.
        self._past = now + weight * (self._past - now)
        smooth: U8 = cv2.convertScaleAbs(self._past)
        return smooth


def _curve(settings: RefineSettings) -> U8:
    x = np.arange(256) / 255
    if settings.threshold is not None:
        return np.where(x >= settings.threshold, 255, 0).astype(np.uint8)
    low, high = settings.smooth_step
    t = np.clip((x - low) / (high - low), 0, 1)
    curve: U8 = np.rint(255 * t * t * (3 - 2 * t)).astype(np.uint8)
    return curve
