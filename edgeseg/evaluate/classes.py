"""How well a map of classes meets the truth: pixel accuracy and mean IoU over classes, from one confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

IGNORE = 255  # "void" in Pascal VOC, Cityscapes' trainIds and ADE20K's exports

Labels = npt.NDArray[Any]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ClassSummary:
    """``accuracy`` is the share of the pixels with the right class; ``mean_iou`` the mean of the IoU of each class that
    occurs in the truth or the answers; ``classes`` holds that of each one, by number; ``pixels`` were compared.
    """

    accuracy: float
    mean_iou: float
    classes: dict[int, float]
    pixels: int


def confusion(answer: Labels, truth: Labels, ignore: frozenset[int] = frozenset({IGNORE})) -> Counts:
    """Pixels by (class in truth, class in answer), a square matrix just large enough.

    Where the truth is one of ``ignore`` nothing is counted. Both are whole numbers from 0 up, of the same shape.
    """
    counted = ~np.isin(truth, list(ignore))
    wanted, given = truth[counted].astype(np.int64), answer[counted].astype(np.int64)
    size = int(max(wanted.max(initial=-1), given.max(initial=-1))) + 1
    return np.bincount(wanted * size + given, minlength=size * size).reshape(size, size)


def together(matrices: list[Counts]) -> Counts:
    """The sum of matrices of different sizes."""
    size = max((len(matrix) for matrix in matrices), default=0)
    total = np.zeros((size, size), np.int64)
    for matrix in matrices:
        total[: len(matrix), : len(matrix)] += matrix
    return total


def summarise(matrix: Counts) -> ClassSummary:
    """The figures of a confusion matrix; all are 1 where nothing was to be compared."""
    right, pixels = np.diagonal(matrix), int(matrix.sum())
    union = matrix.sum(axis=0) + matrix.sum(axis=1) - right
    ious = {int(index): float(right[index] / union[index]) for index in np.flatnonzero(union)}
    mean = sum(ious.values()) / len(ious) if ious else 1.0
    return ClassSummary(float(right.sum() / pixels) if pixels else 1.0, mean, ious, pixels)
