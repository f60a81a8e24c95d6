"""From the model's probabilities to the mask, 0..1 at the model's size."""

from __future__ import annotations

import numpy as np

from edgeseg.masks import RefineSettings
from tests.reference.resampling import F64, blurred


class Masks:
    """What ``RefineSettings`` describes, in its order: temporal average, feather, curve, invert. Keeps the past."""

    def __init__(self, settings: RefineSettings) -> None:
        self._settings = settings
        self._past: F64 | None = None

    def mask(self, probability: F64) -> F64:
        """[h, w], 1 = keep, of the next picture's ``probability`` [h, w]."""
        settings = self._settings
        now = probability if self._past is None else average(probability, self._past, settings.temporal)
        self._past = now
        if settings.feather > 0:
            now = blurred(now, settings.feather, max(1, round(2 * settings.feather)))
        if settings.threshold is not None:
            now = (now >= settings.threshold).astype(np.float64)
        else:
            now = smooth_step(now, *settings.smooth_step)
        return 1 - now if settings.invert else now


def average(now: F64, past: F64, weight: float) -> F64:
    """The past counts ``weight`` where it agrees, and less by the square of how far it does not."""
    share = weight * (1 - np.abs(now - past)) ** 2
    return now + share * (past - now)


def smooth_step(x: F64, low: float, high: float) -> F64:
    """0 up to ``low``, 1 from ``high`` on, and Hermite's cubic between (GLSL 4.60, 8.3)."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)
