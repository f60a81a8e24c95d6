"""The stream's own clock: it starts at 0, keeps distances, joins restarts and never steps back."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeseg.timeline import Timeline

MS = Fraction(1, 1000)
CLOCK = Fraction(1, 90_000)

steps = st.integers(min_value=1, max_value=9_999)


@given(start=st.integers(-(10**9), 10**9), distances=st.lists(steps, max_size=30))
def test_starts_at_zero_and_keeps_distances_within_a_run(start: int, distances: list[int]) -> None:
    line = Timeline()
    pts = [start + sum(distances[:n]) for n in range(len(distances) + 1)]
    assert [line.video(p, MS, 0.0) for p in pts] == [p - start for p in pts]


@given(start=st.integers(0, 10**12), ticks=st.lists(st.integers(90, 800_000), max_size=40))
def test_rounding_does_not_add_up(start: int, ticks: list[int]) -> None:
    """At 90 kHz a picture lies between two milliseconds; after many it still is the nearest one."""
    line, pts = Timeline(), start
    line.video(pts, CLOCK, 0.0)
    for tick in ticks:
        pts += tick
        assert abs(line.video(pts, CLOCK, 0.0) - (pts - start) / 90) <= 0.5


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(-(10**7), 10**7), st.floats(0, 100)),
        min_size=1,
        max_size=40,
    )
)
def test_always_grows_whatever_the_source_says(events: list[tuple[bool, int, float]]) -> None:
    line, last, now = Timeline(), -1, 1000.0
    for reopened, pts, passed in events:
        now += passed
        if reopened:
            line.restart(live=pts % 2 == 0)
        ms = line.video(pts, MS, now)
        assert ms > last
        last = ms


@pytest.mark.parametrize("pts", [0, 5, 10**9], ids=["from zero", "from five", "far ahead"])
def test_a_restart_is_joined_on_as_late_as_it_came(pts: int) -> None:
    line = Timeline()
    line.video(500, MS, 10.0)
    assert line.video(540, MS, 10.04) == 40
    line.restart()
    assert line.video(pts, MS, 13.04) == 3040
    assert line.video(pts + 40, MS, 13.08) == 3080


@pytest.mark.parametrize("jump_ms", [10_000, 3_600_000, -1_000, -3_600_000])
def test_a_jump_of_the_cameras_clock_is_taken_out(jump_ms: int) -> None:
    line = Timeline()
    line.restart(live=True)
    line.video(10**7, MS, 1.0)
    assert line.video(10**7 + jump_ms, MS, 1.04) == 40
    assert line.video(10**7 + jump_ms + 40, MS, 1.08) == 80


def test_a_gap_in_a_file_is_a_gap() -> None:
    line = Timeline()
    line.video(0, MS, 1.0)
    assert line.video(3_600_000, MS, 1.04) == 3_600_000
    assert line.audio(3_600_000, MS) == 3_600_000


@pytest.mark.parametrize("jump_ms", [86_400_000, 1 << 62], ids=["a day", "for ever"])
def test_a_gap_that_no_file_has_is_damage(jump_ms: int) -> None:
    """Nobody would see the end of it, and no container could hold its times."""
    line = Timeline()
    line.video(0, MS, 1.0)
    assert line.audio(jump_ms, MS) is None
    assert line.video(jump_ms, MS, 1.04) == 40
    assert line.video(jump_ms + 40, MS, 1.08) == 80


def test_a_gap_below_ten_seconds_is_a_gap() -> None:
    line = Timeline()
    line.restart(live=True)
    line.video(0, MS, 1.0)
    assert line.video(9_999, MS, 1.04) == 9_999


def test_a_small_step_back_is_squeezed_and_made_up_for() -> None:
    """RTSP cameras correct themselves once by up to 0.4 s; afterwards sound and picture fit as before."""
    line = Timeline()
    line.video(1000, MS, 0.0)
    assert [line.video(pts, MS, 0.0) for pts in (960, 1000, 1040)] == [1, 2, 40]


def test_sound_goes_by_the_pictures_clock() -> None:
    line = Timeline()
    line.video(90_000, CLOCK, 0.0)
    assert line.audio(48_000, Fraction(1, 48_000)) == 0
    assert line.audio(48_000 + 1_024, Fraction(1, 48_000)) == 21


@pytest.mark.parametrize("live", [True, False])
def test_sound_that_meets_a_jump_back_after_the_pictures_do(live: bool) -> None:
    """Placed by the new pictures' clock it would lie seconds ahead, and all that is true would come before it."""
    line = Timeline()
    line.restart(live=live)
    line.video(20_000, MS, 1.0)
    assert line.audio(20_000, MS) == 0
    assert line.video(15_000, MS, 1.04) == 40
    assert line.audio(20_040, MS) is None  # of before the jump
    assert line.audio(15_000, MS) == 40
    assert line.audio(15_800, MS) == 840  # a little ahead, as sound is
    assert [line.video(pts, MS, 12.04) for pts in (24_000, 26_000)] == [9_040, 11_040]
    assert line.audio(29_000, MS) == 14_040  # of a container that is so interleaved


def test_sound_without_a_picture_has_no_time() -> None:
    line = Timeline()
    assert line.audio(0, MS) is None
    line.video(1000, MS, 0.0)
    assert line.audio(999, MS) is None
    line.restart()
    assert line.audio(5000, MS) is None


def test_sound_before_the_first_picture_of_a_later_run_is_left_out() -> None:
    """It would lie in the run before, and go back in time."""
    line = Timeline()
    line.video(0, MS, 0.0)
    line.audio(900, MS)
    line.restart()
    assert line.video(5000, MS, 1.0) == 1000
    assert line.audio(4_999, MS) is None
    assert line.audio(5_000, MS) == 1000


@pytest.mark.parametrize("jump_ms", [3_600_000, -3_600_000], ids=["forward", "back"])
def test_sound_that_jumps_before_the_picture_does_is_left_out(jump_ms: int) -> None:
    """Otherwise one packet an hour ahead would push all later sound to where it is."""
    line = Timeline()
    line.restart(live=True)
    line.video(10**7, MS, 1.0)
    assert line.audio(10**7 + 20 + jump_ms, MS) is None
    assert line.video(10**7 + 40 + jump_ms, MS, 1.04) == 40
    assert line.audio(10**7 + 40 + jump_ms, MS) == 40


@given(
    st.lists(
        st.tuples(st.sampled_from(["video", "audio", "restart"]), st.integers(0, 30_000)),
        max_size=40,
    )
)
def test_sound_never_goes_back_either(events: list[tuple[str, int]]) -> None:
    line, last, now = Timeline(), 0, 0.0
    for what, pts in events:
        now += 0.02
        if what == "restart":
            line.restart()
        elif what == "video":
            line.video(pts, MS, now)
        elif (ms := line.audio(pts, MS)) is not None:
            assert ms >= last
            last = ms
