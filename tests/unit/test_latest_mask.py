"""An older mask is shown again only between two pictures with their own, and never past its age."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgeseg.masks import LatestMask
from edgeseg.types import Frame, Mask
from tests.fakes_source import picture


def at(ms: int, captured_ms: int | None = None) -> Frame:
    return replace(picture(1, pts=ms), captured_at=(ms if captured_ms is None else captured_ms) / 1000)


def mask(of: int) -> Mask:
    return Mask(np.zeros((2, 2), np.uint8), of, 0.0)


def test_so_many_pictures_share_it_and_no_more() -> None:
    latest, kept = LatestMask(1.0), mask(0)
    latest.keep(at(0), kept)
    assert [latest.mask_for(at(40 * n), 3) for n in (1, 2, 3)] == [kept, kept, None]
    assert LatestMask(1.0).mask_for(at(40), 3) is None
    kept = mask(120)
    latest.keep(at(120), kept)
    assert latest.mask_for(at(160), 1) is None


def test_never_past_its_age() -> None:
    latest, kept = LatestMask(0.1), mask(0)
    latest.keep(at(0), kept)
    assert latest.mask_for(at(101), 3) is None
    assert latest.mask_for(at(40, 101), 3) is None
    assert latest.mask_for(at(101, 40), 3) is None
    assert latest.mask_for(at(100), 3) is kept


def test_not_across_a_step_back_in_time() -> None:
    latest = LatestMask(0.5)
    latest.keep(at(1000), mask(1000))
    assert latest.mask_for(at(0, 1040), 3) is None


def test_the_mask_of_another_picture_is_not_kept() -> None:
    latest = LatestMask(0.5)
    latest.keep(at(40), mask(0))
    assert latest.mask_for(at(80), 3) is None


def test_a_lost_mask_takes_the_one_before_with_it() -> None:
    latest = LatestMask(0.5)
    latest.keep(at(0), mask(0))
    latest.keep(at(40), None)
    assert latest.mask_for(at(80), 3) is None


def test_for_a_still_picture_it_serves_until_its_own_limit_and_is_not_counted() -> None:
    latest, kept = LatestMask(0.1), mask(0)
    assert latest.still_for(at(0), 0.5) is None
    latest.keep(at(0), kept)
    assert [latest.still_for(at(100 * n), 0.5) for n in (1, 3, 5)] == [kept] * 3
    assert latest.still_for(at(501), 0.5) is None
    assert latest.still_for(at(40, 501), 0.5) is None
    assert latest.still_for(at(501, 40), 0.5) is None
    assert latest.still_for(at(0, 40), 0.5) is kept
    assert latest.mask_for(at(40), 2) is kept
    latest.keep(at(600), None)
    assert latest.still_for(at(640), 0.5) is None
