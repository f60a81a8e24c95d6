"""Flicker counts what the mask does where the picture rests."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from edgeseg.evaluate.flicker import GRID, STILL_LEVELS, FlickerMeter, Stillness
from edgeseg.types import U8, Colour, Frame


def frame(luma: U8, chroma: int = 128) -> Frame:
    height, width = luma.shape
    planes = [np.full((height // 2, width // 2), value, np.uint8) for value in (chroma, 128)]
    return Frame(luma, *planes, 0, Fraction(1, 25), Colour(), 0.0)


def grey(value: int, height: int = 8, width: int = 8) -> U8:
    return np.full((height, width), value, np.uint8)


def test_before_the_second_frame_nothing_rests() -> None:
    assert not Stillness().next(frame(grey(50))).any()


@pytest.mark.parametrize(("step", "rests"), [(0, True), (STILL_LEVELS, True), (STILL_LEVELS + 1, False)])
def test_a_pixel_rests_when_it_hardly_changes(step: int, rests: bool) -> None:
    stillness = Stillness()
    stillness.next(frame(grey(100)))
    now = grey(100)
    now[:4] += step
    still = stillness.next(frame(now))
    assert still[4:].all()
    assert still[:4].all() == rests
    assert still[:4].any() == rests


def test_a_colour_that_changes_does_not_rest() -> None:
    stillness = Stillness()
    stillness.next(frame(grey(100), chroma=128))
    assert not stillness.next(frame(grey(100), chroma=140)).any()


def test_a_slow_drift_is_seen_from_frame_to_frame_and_another_size_starts_anew() -> None:
    stillness = Stillness()
    for level in range(100, 120, STILL_LEVELS):
        still = stillness.next(frame(grey(level)))
    assert still.all()
    assert not stillness.next(frame(grey(118, 16, 8))).any()


def test_large_pictures_are_made_small() -> None:
    still = Stillness().next(frame(grey(0, 2 * GRID, 4 * GRID)))
    assert still.shape == (GRID // 2, GRID)


def test_flicker_by_hand() -> None:
    """Of six pixels, four rest; one of them goes from 255 to 204 and one from 153 to 102: 0.4 / 4."""
    meter = FlickerMeter()
    still = np.array([[1, 1, 1], [1, 0, 0]], np.uint8)
    meter.add(np.array([[255, 153, 0], [255, 255, 0]], np.uint8), np.zeros((2, 3), np.uint8))
    meter.add(np.array([[204, 102, 0], [255, 0, 255]], np.uint8), still)
    found = meter.result()
    assert found.flicker == pytest.approx(0.4 / 4)
    assert found.flips == pytest.approx(1 / 4)
    assert found.still == pytest.approx(4 / 6)
    assert found.frames == 2


def test_only_what_rests_counts_and_frames_add_up() -> None:
    meter = FlickerMeter()
    for level in (0, 255, 255):
        meter.add(grey(level), np.ones((8, 8), np.uint8))
    assert meter.result().flicker == pytest.approx(0.5)
    moving = FlickerMeter()
    for level in (0, 255, 0):
        moving.add(grey(level), np.zeros((8, 8), np.uint8))
    assert (moving.result().flicker, moving.result().still) == (0, 0)


def test_masks_of_any_size_are_measured_on_the_same_pixels() -> None:
    meters = [FlickerMeter(), FlickerMeter()]
    still = np.ones((8, 8), np.uint8)
    for level in (0, 51):
        meters[0].add(grey(level, 8, 8), still)
        meters[1].add(grey(level, 32, 16), still)
    assert meters[0].result() == meters[1].result()
    assert meters[0].result().flicker == pytest.approx(0.2)
