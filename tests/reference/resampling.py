"""Makes planes smaller, larger and softer. Each axis is one matrix, so that every formula is a few lines long.

Pixels are squares, and their values are those at their centres: pixel ``i`` of ``n`` is at ``(i + 0.5) / n``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
Weights = Callable[[int, int], F64]


def halved(plane: F64) -> F64:
    """The means of 2x2 pixels; an odd last row or column is left out."""
    plane = plane[: plane.shape[0] // 2 * 2, : plane.shape[1] // 2 * 2]
    return (plane[0::2, 0::2] + plane[0::2, 1::2] + plane[1::2, 0::2] + plane[1::2, 1::2]) / 4


def resized(plane: F64, shape: tuple[int, int], weights: Weights) -> F64:
    """``plane`` at ``shape`` (height, width), with the same weights along both axes."""
    return weights(plane.shape[0], shape[0]) @ plane @ weights(plane.shape[1], shape[1]).T


@cache
def linear(cells: int, pixels: int) -> F64:
    """[pixels, cells]: a straight line between the two nearest centres; beyond the outermost ones their value."""
    at = np.clip((np.arange(pixels) + 0.5) * cells / pixels - 0.5, 0, cells - 1)
    distance = np.abs(at[:, None] - np.arange(cells))
    return np.maximum(0, 1 - distance)


@cache
def area(cells: int, pixels: int) -> F64:
    """[pixels, cells]: the mean of what a pixel covers, for ``pixels`` <= ``cells``."""
    edges = np.arange(pixels + 1) * cells / pixels
    start, stop = edges[:-1, None], edges[1:, None]
    cell = np.arange(cells)
    covered = np.clip(np.minimum(stop, cell + 1) - np.maximum(start, cell), 0, 1)
    return covered / covered.sum(axis=1, keepdims=True)


@cache
def cubic(cells: int, pixels: int) -> F64:
    """[pixels, cells]: cubic convolution over four centres (Keys 1981, equation 15 with a = -0.75 as in OpenCV); the
    borders are repeated.
    """
    a = -0.75
    at = (np.arange(pixels) + 0.5) * cells / pixels - 0.5
    result = np.zeros((pixels, cells))
    for tap in range(-1, 3):
        cell = np.floor(at).astype(int) + tap
        s = np.abs(at - cell)
        near = (a + 2) * s**3 - (a + 3) * s**2 + 1
        far = a * s**3 - 5 * a * s**2 + 8 * a * s - 4 * a
        np.add.at(result, (np.arange(pixels), np.clip(cell, 0, cells - 1)), np.where(s <= 1, near, far))
    return result


def gaussian(pixels: int, sigma: float, reach: int) -> F64:
    """[pixels, pixels]: exp(-x² / 2 sigma²) for ``reach`` pixels on both sides, summing up to 1. Beyond a border the
    plane is mirrored, the outermost pixel being the mirror (OpenCV's BORDER_REFLECT_101).
    """
    offsets = np.arange(-reach, reach + 1)
    taps = np.exp(-(offsets**2) / (2 * sigma**2))
    taps /= taps.sum()
    result = np.zeros((pixels, pixels))
    period = max(1, 2 * (pixels - 1))
    for offset, tap in zip(offsets, taps, strict=True):
        folded = np.abs(np.arange(pixels) + offset) % period
        np.add.at(result, (np.arange(pixels), np.minimum(folded, period - folded)), tap)
    return result


def blurred(plane: F64, sigma: float, reach: int) -> F64:
    """``plane`` after a Gaussian of ``sigma`` pixels along both axes."""
    return gaussian(plane.shape[0], sigma, reach) @ plane @ gaussian(plane.shape[1], sigma, reach).T


def three_sigma(sigma: float) -> int:
    """How far a Gaussian reaches that is cut off at three sigma, in whole pixels."""
    return math.ceil(3 * sigma)
