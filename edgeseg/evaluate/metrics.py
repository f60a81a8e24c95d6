"""How well a mask of one class meets the truth.

IoU is the area of the intersection over that of the union (Jaccard), after cutting both at one half.

The boundary F-score is that of Csurka, Larlus and Perronnin, "What is a good evaluation measure for semantic
segmentation?" (BMVC 2013), as Perazzi et al., "A benchmark dataset and evaluation methodology for video object
segmentation" (CVPR 2016, DAVIS) made it the measure F of contours: precision is the share of the mask's contour that
lies within a tolerance of the true one, recall the share of the true contour that lies within it of the mask's, and
F = 2PR / (P + R). The tolerance is DAVIS's: 0.008 of the picture's diagonal, rounded up to whole pixels.

The difference is the mean of |mask - truth| with both in 0..1, nothing cut.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edgeseg.types import U8

BOUNDARY_TOLERANCE = 0.008  # of the diagonal
KEEP_FROM = 128

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Score:
    """One mask against its truth. ``intersection`` and ``union`` are pixels, the others 0..1."""

    intersection: int
    union: int
    boundary_f: float
    difference: float

    @property
    def iou(self) -> float:
        """1 where neither shows anything."""
        return self.intersection / self.union if self.union else 1.0


@dataclass(frozen=True, slots=True)
class Summary:
    """All pictures of one model. ``iou`` pools the pixels of all; the others are means over the pictures."""

    iou: float
    mean_iou: float
    boundary_f: float
    difference: float


def score(alpha: U8, truth: U8, tolerance: float = BOUNDARY_TOLERANCE) -> Score:
    """Compare two masks, u8 [h, w] of the same size, 255 = keep."""
    kept, wanted = alpha >= KEEP_FROM, truth >= KEEP_FROM
    return Score(
        int(np.count_nonzero(kept & wanted)),
        int(np.count_nonzero(kept | wanted)),
        boundary_f(kept, wanted, tolerance),
        float(cv2.absdiff(alpha, truth).mean()) / 255,
    )


def summary(scores: Sequence[Score]) -> Summary:
    """The figures of all pictures together; there is at least one."""
    union = sum(entry.union for entry in scores)
    count = len(scores)
    return Summary(
        sum(entry.intersection for entry in scores) / union if union else 1.0,
        math.fsum(entry.iou for entry in scores) / count,
        math.fsum(entry.boundary_f for entry in scores) / count,
        math.fsum(entry.difference for entry in scores) / count,
    )


def boundary_f(kept: Bools, wanted: Bools, tolerance: float = BOUNDARY_TOLERANCE) -> float:
    """The boundary F-score, 0..1, of two masks [h, w]; ``tolerance`` is a share of the diagonal.

    1 where neither has a contour, 0 where only one has.
    """
    reach = math.ceil(tolerance * math.hypot(*kept.shape))
    ours, theirs = contour(kept), contour(wanted)
    if not ours.any() or not theirs.any():
        return float(not ours.any() and not theirs.any())
    precision = float(near(theirs, reach)[ours].mean())
    recall = float(near(ours, reach)[theirs].mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def contour(mask: Bools) -> Bools:
    """Where a mask differs from its neighbour on the right, below, or below on the right. The edge of the picture is no
    contour: nobody has to find it.
    """
    lines = np.zeros_like(mask)
    lines[:, :-1] |= mask[:, :-1] != mask[:, 1:]
    lines[:-1] |= mask[:-1] != mask[1:]
    lines[:-1, :-1] |= mask[:-1, :-1] != mask[1:, 1:]
    return lines


def near(lines: Bools, reach: int) -> Bools:
    """Which pixels are within ``reach`` pixels, in a straight line, of one that is set; at least one is."""
    distance = cv2.distanceTransform((~lines).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance <= reach + 1e-3)  # square roots of whole numbers: nothing lies between
