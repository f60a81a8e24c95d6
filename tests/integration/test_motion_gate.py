"""The motion gate on real pictures: a still camera with noise, somebody who comes in, the bundled clip, and walkers."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseg.masks import StillSettings
from tests.reference import material
from tests.shared import shared
from tests.still_life import frames_in, frames_of, noisy, photograph, watch

SIZE = (640, 360)


def test_noise_and_flicker_are_no_motion_and_the_masks_are_as_good() -> None:
    seen = watch(frames_of(noisy(photograph(SIZE), 40)), StillSettings(max_age_s=0.51))
    # That is 15 pictures after the one that was segmented.
    assert [number for number, still in enumerate(seen.still) if not still] == [0, 16, 32]
    assert min(seen.overlaps) > 0.99


@pytest.mark.parametrize("shift", [0, 3, 9])
def test_a_thing_of_two_hundredths_of_the_picture_is_seen_in_the_picture_that_it_comes_with(shift: int) -> None:
    """A hand at the far end of a room, half as bright again as the wall, anywhere against the grid of blocks."""
    pictures = list(noisy(photograph(SIZE), 6))
    row, column, side = 300 + shift, 40 + shift, SIZE[0] // 50
    spot = pictures[-1][row : row + side, column : column + side].astype(np.float32)
    pictures[-1][row : row + side, column : column + side] = np.where(spot > 127, spot * 0.66, spot * 1.5 + 20)
    assert watch(frames_of(pictures)).still == [False, True, True, True, True, False]


def test_who_moves_in_the_bundled_clip_has_the_mask_that_fits() -> None:
    seen = watch(frames_in(material.CLIP, 240))
    assert min(seen.overlaps, default=1.0) > 0.99
    assert seen.share < 0.2


def test_people_who_walk_in_are_seen_at_once() -> None:
    seen = watch(frames_in(shared("video", "one-by-one-person-detection.mp4"), 300))
    assert min(seen.area) < 0.01
    assert max(seen.area) > 0.1
    # Nobody has grown by a hundredth of the picture while it was taken for still.
    last_own = 0.0
    grown = []
    for still, area in zip(seen.still, seen.area, strict=True):
        if still:
            grown.append(area - last_own)
        else:
            last_own = area
    assert 0 < len(grown) < len(seen.still) / 2
    assert max(grown) < 0.01
    assert np.mean(seen.overlaps) > 0.99
    assert min(seen.overlaps) > 0.98
