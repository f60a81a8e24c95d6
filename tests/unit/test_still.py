"""The gate sees what moves, wherever and however slowly, and does not mind noise."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseg.masks import StillGate, StillSettings, settling
from edgeseg.types import U8
from tests.fakes_source import picture

GREY = np.full((1, 64, 64, 3), 120, np.uint8)


def with_spot(row: int, column: int, by: int, size: int = 4) -> U8:
    picture = GREY.copy()
    picture[0, row : row + size, column : column + size] += np.uint8(by)
    return picture


def looking_at(picture: U8, settings: StillSettings | None = None) -> StillGate:
    gate = StillGate(settings or StillSettings())
    assert not gate.still(picture)
    gate.keep(masked=True)
    return gate


def test_noise_is_still_and_a_small_thing_is_not() -> None:
    noise = np.random.default_rng(5)
    gate = looking_at(GREY)
    for _ in range(50):
        assert gate.still((GREY + noise.normal(0, 5, GREY.shape)).clip(0, 255).astype(np.uint8))
    assert not gate.still(with_spot(20, 32, 7))
    assert gate.still(with_spot(20, 32, 6))


@pytest.mark.parametrize("size", [(63, 61), (64, 64), (3, 2)])
def test_the_last_pixels_count_in_any_size(size: tuple[int, int]) -> None:
    picture = np.full((1, *size, 3), 100, np.uint8)
    gate = looking_at(picture)
    assert gate.still(picture)
    changed = picture.copy()
    changed[0, -1, -1, 2] = 255
    assert not gate.still(changed)


def test_what_drifts_is_seen_when_it_has_gone_too_far() -> None:
    gate = looking_at(GREY)
    steps = [gate.still(GREY + np.uint8(step)) for step in range(1, 9)]
    assert steps == [True] * 6 + [False] * 2


def test_a_picture_without_a_mask_is_nothing_to_go_back_to() -> None:
    gate = looking_at(GREY)
    assert gate.still(GREY)
    gate.keep(masked=False)
    assert not gate.still(GREY)


def test_after_a_cut_everything_is_new() -> None:
    gate = looking_at(GREY)
    gate.reset()
    assert not gate.still(GREY)


def test_a_frame_that_another_device_samples_is_never_still() -> None:
    gate, filmed = StillGate(StillSettings()), picture(1)
    for _ in range(2):
        assert not gate.still(filmed)
        gate.keep(masked=True)


def test_masks_settle_first_and_again_after_each_move() -> None:
    gate = StillGate(StillSettings(settle=2))
    for scene in (GREY, with_spot(8, 8, 60)):
        asked = []
        for _ in range(5):
            asked.append(gate.still(scene))
            if not asked[-1]:
                gate.keep(masked=True)
        assert asked == [False, False, False, True, True]


def test_how_long_that_takes() -> None:
    assert settling(0.0, prior=False) == 0
    assert settling(0.0, prior=True) == 5
    assert settling(0.5, prior=False) == 5
    assert 0.8 ** settling(0.8, prior=True) < 0.05
