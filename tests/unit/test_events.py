"""Which tags are recorded when only events are."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.outputs._preroll import Held, PreRoll
from edgeseg.outputs.events import Event, EventGate, Step
from edgeseg.presence import PREROLL_BYTES, Sighting
from edgeseg.types import Tag
from tests.fakes_output import picture, sound

STEP_MS, GROUP_MS = 100, 1000
WALL_MS = 1_767_355_200_000


def stream(start_ms: int, end_ms: int) -> list[Tag]:
    """Ten pictures a second, and a keyframe with each full one."""
    return [picture(ms, key=ms % GROUP_MS == 0) for ms in range(start_ms, end_ms, STEP_MS)]


class Recording:
    """What a gate lets through: one list of times for each file, and the events."""

    def __init__(self, gate: EventGate) -> None:
        self.gate = gate
        self.files: list[list[int]] = []
        self.events: list[Event] = []
        self.begun = 0
        self._is_open = False

    def take(self, tags: list[Tag]) -> Recording:
        for tag in tags:
            self.step(self.gate.next(tag, WALL_MS + tag.timestamp_ms))
        return self

    def step(self, step: Step) -> None:
        if step.closes:
            self._is_open = False
        self.begun += step.begins
        for held in step.held:
            if not self._is_open:
                assert held.tag.keyframe
                assert step.event is not None
                self.files.append([])
                self.events.append(step.event)
                self._is_open = True
            self.files[-1].append(held.tag.timestamp_ms)

    def interrupt(self) -> None:
        """The recorder is closed and opened again."""
        self.gate.start_anew()
        self._is_open = False

    @property
    def spans(self) -> list[tuple[int, int]]:
        return [(times[0], times[-1]) for times in self.files]


class Seen:
    """Sightings as they become known: of each, what is known at the time of a picture."""

    def __init__(self, *spans: tuple[int, int], notice_ms: int = 0) -> None:
        self.spans = spans
        self.notice_ms = notice_ms
        self.now_ms = 0

    def __call__(self) -> tuple[Sighting, ...]:
        return tuple(
            Sighting(start, min(end, self.now_ms), over=self.now_ms > end)
            for start, end in self.spans
            if self.now_ms >= start + self.notice_ms
        )


def recorded(
    seen: Seen, end_ms: int, *, pre_ms: int = 3000, post_ms: int = 2000, limit_bytes: int = PREROLL_BYTES
) -> Recording:
    recording = Recording(EventGate(seen, pre_roll_ms=pre_ms, post_roll_ms=post_ms, limit_bytes=limit_bytes))
    for tag in stream(0, end_ms):
        seen.now_ms = tag.timestamp_ms
        recording.take([tag])
    return recording


def test_an_event_is_from_the_keyframe_before_the_pre_roll_to_the_end_of_the_post_roll() -> None:
    recording = recorded(Seen((10_500, 15_000)), 40_000)
    assert recording.spans == [(7000, 17_000)]
    assert recording.events == [Event(10_500, WALL_MS + 10_500)]
    assert recording.begun == 1
    assert recording.gate.waiting


def test_nothing_is_recorded_while_nobody_is_there() -> None:
    assert recorded(Seen(), 40_000).files == []


def test_who_is_noticed_late_was_there_all_the_same() -> None:
    assert recorded(Seen((10_500, 15_000), notice_ms=1500), 40_000).spans == [(7000, 17_000)]


def test_who_is_there_from_the_start_is_recorded_from_the_start() -> None:
    assert recorded(Seen((0, 5000)), 20_000).spans == [(0, 7000)]


def test_without_pre_and_post_roll() -> None:
    assert recorded(Seen((10_500, 15_000)), 40_000, pre_ms=0, post_ms=0).spans == [(10_000, 15_000)]


def test_events_far_apart_are_two_files() -> None:
    recording = recorded(Seen((10_500, 12_000), (20_500, 22_000)), 40_000)
    assert recording.spans == [(7000, 14_000), (17_000, 24_000)]
    assert recording.begun == 2


@pytest.mark.parametrize(
    ("again_ms", "why"),
    [
        (13_500, "before the end"),
        (16_500, "its pre-roll touches the end of the one before"),
        (17_900, "the group that its pre-roll begins in is in the file already"),
    ],
)
def test_events_close_together_are_one_file(again_ms: int, why: str) -> None:
    recording = recorded(Seen((10_500, 12_000), (again_ms, again_ms + 2000)), 40_000)
    assert recording.spans == [(7000, again_ms + 4000)], why
    assert recording.begun == 1
    (times,) = recording.files
    assert {b - a for a, b in pairwise(times)} == {STEP_MS}


def test_a_recorder_that_is_behind_records_the_same() -> None:
    """Its disk was slow: what was seen has long become more by the time the tags come."""
    seen = Seen((10_500, 12_000), (20_500, 22_000))
    seen.now_ms = 40_000
    recording = Recording(EventGate(seen, pre_roll_ms=3000, post_roll_ms=2000)).take(stream(0, 40_000))
    assert recording.spans == [(7000, 14_000), (17_000, 24_000)]


def test_a_recorder_that_starts_again_goes_on_with_the_same_event() -> None:
    seen = Seen((10_500, 25_000))
    recording = Recording(EventGate(seen, pre_roll_ms=3000, post_roll_ms=2000))
    for tag in stream(0, 15_000):
        seen.now_ms = tag.timestamp_ms
        recording.take([tag])
    recording.interrupt()
    for tag in stream(14_000, 40_000):  # the hub's cached group comes again
        seen.now_ms = max(seen.now_ms, tag.timestamp_ms)
        recording.take([tag])
    assert recording.spans == [(7000, 14_900), (14_000, 27_000)]
    assert len(set(recording.events)) == 1
    assert recording.begun == 1


def test_an_event_that_ended_while_the_recorder_was_away_is_over() -> None:
    seen = Seen((10_500, 12_000), (30_500, 32_000))
    recording = Recording(EventGate(seen, pre_roll_ms=3000, post_roll_ms=2000))
    for tag in (*stream(0, 11_000), *stream(20_000, 50_000)):
        if tag.timestamp_ms == 20_000:
            recording.interrupt()
        seen.now_ms = tag.timestamp_ms
        recording.take([tag])
    assert recording.spans == [(7000, 10_900), (27_000, 34_000)]
    assert recording.begun == 2


def test_sound_goes_with_the_pictures() -> None:
    seen = Seen((5500, 6000))
    recording = Recording(EventGate(seen, pre_roll_ms=1000, post_roll_ms=1000))
    for tag in sorted([*stream(0, 20_000), *map(sound, range(20, 20_000, 100))], key=lambda t: t.timestamp_ms):
        seen.now_ms = tag.timestamp_ms
        recording.take([tag])
    (times,) = recording.files
    assert times == sorted(times)
    assert (times[0], times[1], times[-1]) == (4000, 4020, 7000)


def test_memory_is_bounded_and_an_event_then_begins_later() -> None:
    one = len(picture(0).wire)
    recording = recorded(Seen((10_500, 12_000)), 40_000, pre_ms=8000, limit_bytes=25 * one)
    assert recording.spans == [(9000, 14_000)]


def test_a_group_that_is_larger_than_the_memory_is_left_out_until_a_keyframe() -> None:
    one = len(picture(0).wire)
    recording = recorded(Seen((10_500, 12_000)), 40_000, limit_bytes=4 * one)
    (times,) = recording.files
    assert times[0] in (10_000, 11_000)
    assert times[-1] == 14_000


def test_what_is_kept_while_nobody_is_there_does_not_grow() -> None:
    ring = PreRoll(1 << 20)
    for tag in stream(0, 100_000):
        ring.add(Held(tag, 0))
        ring.forget_before(tag.timestamp_ms - 5000)
    assert len(ring.take()) <= (5000 + GROUP_MS) // STEP_MS + 1


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.tuples(st.integers(1, 90), st.integers(0, 60)), max_size=5),
    pre_ms=st.integers(0, 60).map(lambda n: n * 100),
    post_ms=st.integers(0, 60).map(lambda n: n * 100),
    notice_ms=st.sampled_from([0, 200, 1000]),
)
def test_every_picture_of_every_event_is_recorded_once(
    gaps: list[tuple[int, int]], pre_ms: int, post_ms: int, notice_ms: int
) -> None:
    spans, at_ms = [], 0
    for gap, length in gaps:
        start_ms = at_ms + gap * STEP_MS
        at_ms = start_ms + max(length * STEP_MS, notice_ms)
        spans.append((start_ms, at_ms))
    recording = recorded(Seen(*spans, notice_ms=notice_ms), at_ms + 20_000, pre_ms=pre_ms, post_ms=post_ms)
    times = [ms for file in recording.files for ms in file]
    assert times == sorted(set(times))
    for start_ms, end_ms in spans:
        wanted = {tag.timestamp_ms for tag in stream(0, at_ms + 20_000)} & set(
            range(max(0, start_ms - pre_ms), end_ms + post_ms + 1, STEP_MS)
        )
        assert wanted <= set(times)
    for ms in times:
        assert any(
            start - pre_ms - GROUP_MS - pre_ms <= ms <= end + post_ms + pre_ms + GROUP_MS for start, end in spans
        )
    for file in recording.files:
        assert {b - a for a, b in pairwise(file)} <= {STEP_MS}
