"""Whether a measured quantity grows: a straight line by least squares, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

# Samples that follow one another say nearly the same, and would make a line look surer than it is. Means of so many
# blocks are nearly independent, and their scatter is what the confidence comes from.
BLOCKS = 12
# Student's t for 99 % (two-sided) and BLOCKS - 2 = 10 degrees of freedom.
_T = 3.169
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Trend:
    """``mean`` of the samples, ``slope`` per hour, ``margin`` around it (99 %), ``growth`` over the time measured."""

    mean: float
    slope: float
    margin: float
    growth: float

    def is_significant(self, floor: float) -> bool:
        """Whether it surely grows, and by more than ``floor``, which is what one thing more or less makes up."""
        return self.slope - self.margin > 0 and self.growth > floor


def trend(times_s: Sequence[float], values: Sequence[float]) -> Trend:
    """The line through means of ``BLOCKS`` equal parts of the samples.

    Raises:
        ValueError: there are fewer than two samples for each block.
    """
    if len(times_s) < 2 * BLOCKS:
        raise ValueError(f"{len(times_s)} samples are too few for a trend: {2 * BLOCKS} are needed")
    bounds = [round(n * len(times_s) / BLOCKS) for n in range(BLOCKS + 1)]
    blocks = [slice(a, b) for a, b in pairwise(bounds)]
    t = [fmean(times_s[block]) for block in blocks]
    v = [fmean(values[block]) for block in blocks]
    mean_t, mean_v = fmean(t), fmean(v)
    spread = sum((x - mean_t) ** 2 for x in t)
    slope = sum((x - mean_t) * (y - mean_v) for x, y in zip(t, v, strict=True)) / spread
    residual = sum((y - mean_v - slope * (x - mean_t)) ** 2 for x, y in zip(t, v, strict=True))
    margin = _T * math.sqrt(residual / (BLOCKS - 2) / spread)
    return Trend(fmean(values), slope * _HOUR_S, margin * _HOUR_S, slope * (times_s[-1] - times_s[0]))
