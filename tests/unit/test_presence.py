"""Who is there, by the masks alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from edgeseg.build import presence_settings
from edgeseg.config import Config
from edgeseg.presence import DATED_BACK_MS, UNKNOWN_MS, Presence, PresenceSettings, Sighting
from edgeseg.status import StreamStatus
from edgeseg.types import Mask

SETTINGS = PresenceSettings(min_area=0.01, frames=3, gone_frames=2)
STEP_MS = 40


def mask(share: float, *, value: int = 255) -> Mask:
    """A mask of 100x100 of which ``share`` is ``value``."""
    alpha = np.zeros((100, 100), np.uint8)
    alpha.reshape(-1)[: round(share * alpha.size)] = value
    return Mask(alpha, 0, 0.0)


SOMEBODY, NOBODY = mask(0.2), mask(0)


def looked(presence: Presence, masks: Sequence[Mask | None], start_ms: int = 0) -> Presence:
    for number, each in enumerate(masks):
        presence.look(each, start_ms + number * STEP_MS)
    return presence


@pytest.mark.parametrize(
    ("seen", "area"),
    [(mask(0.25), 0.25), (mask(0.25, value=128), 0.25), (mask(0.25, value=127), 0), (mask(1), 1), (mask(0), 0)],
)
def test_what_is_above_one_half_counts(seen: Mask, area: float) -> None:
    assert Presence(SETTINGS).area(seen) == area


def test_in_an_inverted_mask_the_person_is_what_is_not_kept() -> None:
    presence = Presence(PresenceSettings(inverted=True))
    assert presence.area(mask(1)) == 0
    assert presence.area(mask(0.75)) == 0.25


def test_somebody_is_there_after_enough_pictures_and_since_the_first_of_them() -> None:
    presence = looked(Presence(SETTINGS), [NOBODY, SOMEBODY, SOMEBODY])
    assert not presence.present
    presence.look(SOMEBODY, 3 * STEP_MS)
    assert presence.present
    assert presence.sightings == (Sighting(STEP_MS, 3 * STEP_MS),)


def test_a_sighting_is_not_dated_back_further_than_a_pre_roll_waits_for() -> None:
    presence = looked(Presence(PresenceSettings(frames=100)), [SOMEBODY] * 100)
    assert presence.sightings == (Sighting(99 * STEP_MS - DATED_BACK_MS, 99 * STEP_MS),)


def test_too_little_and_too_short_is_nobody() -> None:
    assert looked(Presence(SETTINGS), [mask(0.009)] * 10).sightings == ()
    assert looked(Presence(SETTINGS), [SOMEBODY, SOMEBODY, NOBODY] * 5).sightings == ()


def test_somebody_is_gone_after_enough_pictures_and_was_last_seen_in_the_last_of_theirs() -> None:
    presence = looked(Presence(SETTINGS), [SOMEBODY] * 4 + [NOBODY])
    assert presence.present
    presence.look(NOBODY, 5 * STEP_MS)
    assert presence.sightings == (Sighting(0, 3 * STEP_MS, over=True),)


def test_a_picture_that_flickers_does_not_end_it() -> None:
    presence = looked(Presence(SETTINGS), [SOMEBODY] * 3 + [NOBODY, SOMEBODY] * 10)
    assert presence.sightings == (Sighting(0, 22 * STEP_MS),)


def test_a_lost_mask_says_nothing() -> None:
    presence = looked(Presence(SETTINGS), [SOMEBODY] * 3 + [None] * 50)
    assert presence.present
    presence = looked(Presence(SETTINGS), [None] * 50)
    assert not presence.present


def test_a_mask_that_is_lost_for_good_ends_it() -> None:
    presence = looked(Presence(SETTINGS), [SOMEBODY] * 3)
    presence.look(None, 2 * STEP_MS + UNKNOWN_MS)
    assert presence.present
    presence.look(None, 3 * STEP_MS + UNKNOWN_MS)
    assert presence.sightings == (Sighting(0, 2 * STEP_MS, over=True),)


def test_who_is_there_after_a_long_time_without_masks_has_just_come() -> None:
    """The camera was away, say: nothing was called meanwhile."""
    presence = looked(Presence(SETTINGS), [SOMEBODY] * 3)
    looked(presence, [SOMEBODY] * 3, start_ms=10 * UNKNOWN_MS)
    assert [sighting.start_ms for sighting in presence.sightings] == [0, 10 * UNKNOWN_MS]
    first_of_run = Presence(SETTINGS)
    first_of_run.look(SOMEBODY, 0)
    looked(first_of_run, [SOMEBODY] * 3, start_ms=10 * UNKNOWN_MS)
    assert first_of_run.sightings[0].start_ms == 10 * UNKNOWN_MS


def test_the_status_is_told() -> None:
    status = StreamStatus("door")
    presence = looked(Presence(SETTINGS, status), [SOMEBODY] * 5)
    assert (status.present, status.appearances) == (True, 1)
    looked(presence, [NOBODY] * 2 + [SOMEBODY] * 3 + [NOBODY] * 2, start_ms=1000)
    assert (status.present, status.appearances) == (False, 2)


def test_only_the_last_sightings_are_remembered() -> None:
    presence = looked(Presence(SETTINGS), ([SOMEBODY] * 3 + [NOBODY] * 2) * 100)
    assert len(presence.sightings) < 40
    assert presence.sightings[-1].start_ms == 99 * 5 * STEP_MS


def test_a_sighting_holds_some_time_before_and_after() -> None:
    sighting = Sighting(10_000, 20_000, over=True)
    assert [sighting.holds(ms, 3000, 2000) for ms in (6999, 7000, 22_000, 22_001)] == [False, True, True, False]
    ongoing = Sighting(10_000, 20_000)
    assert ongoing.holds(20_000 + UNKNOWN_MS, 0, 0)
    assert not ongoing.holds(20_001 + UNKNOWN_MS, 0, 0)


@pytest.mark.parametrize("invert", [False, True])
def test_the_configuration_says_who_counts(invert: bool) -> None:
    presence = {"min_area": 0.1, "frames": 2, "gone_frames": 3}
    config = Config.model_validate(
        {"streams": {"door": {"source": "test:", "mask": {"invert": invert}, "presence": presence}}}
    )
    assert presence_settings(config.streams["door"]) == PresenceSettings(0.1, 2, 3, inverted=invert)
