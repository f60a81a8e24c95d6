"""What is kept for the next child: enough to lose nothing, in whole groups, and never without bound."""

from __future__ import annotations

import pytest

from edgeseg.outputs._preroll import Held
from edgeseg.outputs._unsaved import Unsaved
from tests.fakes_output import group, picture

STEP_MS, PICTURES = 40, 25
GROUP_MS = STEP_MS * PICTURES


def given(groups: int, **limits: int) -> Unsaved:
    unsaved = Unsaved(**limits)
    for n in range(groups):
        for tag in group(n * GROUP_MS, PICTURES, STEP_MS):
            unsaved.add(Held(tag, tag.timestamp_ms))
    return unsaved


def begin_of(held: list[Held]) -> int | None:
    return held[0].tag.timestamp_ms if held else None


@pytest.mark.parametrize(
    ("time_ms", "begin_ms"), [(9000, 9000), (9990, 9000), (8999, 8000), (7000, 7000), (3000, 7000), (99_000, 9000)]
)
def test_it_begins_with_the_last_keyframe_before(time_ms: int, begin_ms: int | None) -> None:
    held = given(10, sure_bytes=0, sure_ms=2500).since(time_ms)
    assert begin_of(held) == begin_ms
    assert not held or held[-1].tag.timestamp_ms >= 9960
    assert not held or held[0].tag.keyframe


def test_what_is_sure_is_forgotten_only_by_time_and_bytes_together() -> None:
    assert begin_of(given(10, sure_bytes=0, sure_ms=0).since(0)) == 9000
    assert begin_of(given(10, sure_bytes=0, sure_ms=60_000).since(0)) == 0
    assert begin_of(given(10, sure_bytes=1 << 20, sure_ms=0).since(0)) == 0


def test_beyond_the_limit_it_waits_for_a_keyframe() -> None:
    unsaved = Unsaved(limit_bytes=1000)
    unsaved.add(Held(picture(0, key=True, size=900), 0))
    unsaved.add(Held(picture(40, size=900), 40))
    unsaved.add(Held(picture(80, size=10), 80))
    assert unsaved.since(1000) == []
    unsaved.add(Held(picture(120, key=True, size=10), 120))
    assert begin_of(unsaved.since(1000)) == 120


def test_another_child_begins_with_nothing() -> None:
    unsaved = given(2)
    unsaved.clear()
    assert unsaved.since(10_000) == []
