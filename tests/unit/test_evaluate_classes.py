"""Pixel accuracy and mean IoU over classes."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseg.evaluate.classes import confusion, summarise, together


def test_by_hand() -> None:
    truth = np.array([[0, 0, 1, 1], [2, 2, 255, 1]])
    answer = np.array([[0, 1, 1, 1], [2, 0, 0, 3]])
    found = summarise(confusion(answer, truth))
    assert found.pixels == 7  # 255 is nothing
    assert found.accuracy == pytest.approx(4 / 7)
    assert found.classes == pytest.approx({0: 1 / 3, 1: 2 / 4, 2: 1 / 2, 3: 0.0})
    assert found.mean_iou == pytest.approx((1 / 3 + 1 / 2 + 1 / 2 + 0) / 4)


@pytest.mark.parametrize("seed", range(5))
def test_as_the_formula_is_written(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth, answer = random.integers(0, 7, (2, 20, 30))
    ignore = frozenset({int(random.integers(0, 7)), 255})
    found = summarise(confusion(answer, truth, ignore))
    pixels = [(t, a) for t, a in zip(truth.ravel(), answer.ravel(), strict=True) if int(t) not in ignore]
    assert found.pixels == len(pixels)
    assert found.accuracy == pytest.approx(sum(t == a for t, a in pixels) / len(pixels))
    for number, iou in found.classes.items():
        both = sum(t == number == a for t, a in pixels)
        assert iou == pytest.approx(both / sum(number in (t, a) for t, a in pixels))


def test_pictures_with_different_classes_add_up() -> None:
    first = confusion(np.array([0, 1, 1]), np.array([0, 0, 1]))
    second = confusion(np.array([4, 4]), np.array([4, 0]))
    both = summarise(together([first, second]))
    whole = summarise(confusion(np.array([0, 1, 1, 4, 4]), np.array([0, 0, 1, 4, 0])))
    assert both == whole
    assert set(both.classes) == {0, 1, 4}


def test_where_nothing_is_to_be_compared_nothing_is_wrong() -> None:
    found = summarise(confusion(np.zeros((2, 2), int), np.full((2, 2), 255)))
    assert (found.accuracy, found.mean_iou, found.pixels, found.classes) == (1, 1, 0, {})
