"""Scores of masks: by hand on a few pixels, and against formulas written out slowly."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgeseg.evaluate.metrics import Bools, Score, boundary_f, contour, near, score, summary
from edgeseg.types import U8
from tests.tiny_models import box


def test_iou_by_hand() -> None:
    found = score(box(4, 6, (0, 4), (0, 3)), box(4, 6, (0, 4), (1, 4)))
    assert (found.intersection, found.union) == (8, 16)
    assert found.iou == 0.5


def test_one_half_is_kept_and_the_difference_is_not_cut() -> None:
    alpha = np.array([[127, 128, 255, 0]], np.uint8)
    truth = np.array([[255, 255, 255, 255]], np.uint8)
    found = score(alpha, truth)
    assert (found.intersection, found.union) == (2, 4)
    assert found.difference == pytest.approx((128 + 127 + 0 + 255) / 255 / 4)


def test_nothing_wanted_and_nothing_kept_is_right() -> None:
    found = score(np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8))
    assert (found.iou, found.boundary_f, found.difference) == (1, 1, 0)


def test_something_where_nothing_is_wanted_is_wrong() -> None:
    found = score(box(9, 9, (2, 5), (2, 5)), np.zeros((9, 9), np.uint8))
    assert (found.iou, found.boundary_f) == (0, 0)


def test_pooled_and_mean_iou_differ() -> None:
    both = summary([Score(90, 100, 1.0, 0.0), Score(0, 10, 0.0, 0.5)])
    assert both.iou == pytest.approx(90 / 110)
    assert both.mean_iou == pytest.approx(0.45)
    assert (both.boundary_f, both.difference) == (0.5, 0.25)


def test_the_edge_of_the_picture_is_no_contour() -> None:
    assert not contour(np.ones((5, 5), bool)).any()
    half = box(4, 6, (0, 4), (0, 3)) > 0
    expected = np.zeros((4, 6), bool)
    expected[:, 2] = True
    np.testing.assert_array_equal(contour(half), expected)


def test_boundary_f_by_hand() -> None:
    """A line that is 3 pixels off: found with a tolerance of 3 pixels, and not with one of 2."""
    ours, theirs = box(40, 40, (0, 40), (0, 20)) > 0, box(40, 40, (0, 40), (0, 23)) > 0
    diagonal = math.hypot(40, 40)
    assert boundary_f(ours, theirs, 2.9 / diagonal) == 1  # rounded up to 3
    assert boundary_f(ours, theirs, 2.0 / diagonal) == 0


def test_boundary_f_weighs_what_is_too_much_and_what_is_missed() -> None:
    """The true contour is found whole, and half of ours is somewhere else: F of precision 1/2 and recall 1."""
    truth = box(60, 60, (0, 60), (0, 20)) > 0
    ours = truth | (box(60, 60, (0, 60), (40, 60)) > 0)
    assert boundary_f(ours, truth, 0.01) == pytest.approx(2 * 0.5 / 1.5)


@pytest.mark.parametrize("seed", range(6))
def test_boundary_f_as_the_formula_is_written(seed: int) -> None:
    random = np.random.default_rng(seed)
    ours, theirs = (random.random((13, 17)) < random.random() for _ in range(2))
    tolerance = (0.04, 0.1, 0.2)[seed % 3]
    assert boundary_f(ours, theirs, tolerance) == pytest.approx(slow_boundary_f(ours, theirs, tolerance))


def test_a_disc_and_no_square_is_near() -> None:
    lines = np.zeros((11, 11), bool)
    lines[5, 5] = True
    found = near(lines, 3)
    y, x = np.mgrid[:11, :11]
    np.testing.assert_array_equal(found, np.hypot(y - 5, x - 5) <= 3)


def slow_boundary_f(ours: Bools, theirs: Bools, tolerance: float) -> float:
    """Pixel by pixel."""
    reach = math.ceil(tolerance * math.hypot(*ours.shape))
    a, b = slow_contour(ours), slow_contour(theirs)
    if not a or not b:
        return float(a == b)
    precision = sum(any(math.dist(p, q) <= reach for q in b) for p in a) / len(a)
    recall = sum(any(math.dist(p, q) <= reach for p in a) for q in b) / len(b)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def slow_contour(mask: Bools) -> list[tuple[int, int]]:
    height, width = mask.shape
    return [
        (y, x)
        for y in range(height)
        for x in range(width)
        if any(
            y + down < height and x + right < width and mask[y, x] != mask[y + down, x + right]
            for down, right in ((0, 1), (1, 0), (1, 1))
        )
    ]


def test_all_scores_stay_in_their_range() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        pair: list[U8] = [random.integers(0, 256, (9, 14), np.uint8) for _ in range(2)]
        found = score(*pair)
        assert all(0 <= value <= 1 for value in (found.iou, found.boundary_f, found.difference))
        swapped = score(*pair[::-1])
        assert swapped.iou == found.iou
        assert swapped.boundary_f == pytest.approx(found.boundary_f)
