"""Cameras' clocks, simulated: they drift, they step once, they tick in thousandths and ninety-thousandths."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.reader import Reader, VideoSettings
from edgeseg.retiming import Rebase, ViewerTimeline
from edgeseg.status import StreamStatus
from edgeseg.timeline import Timeline
from edgeseg.types import AudioPacket, Frame, TagKind
from tests.fakes_output import picture as picture_tag
from tests.fakes_output import sound as sound_tag
from tests.fakes_source import picture

RTP = Fraction(1, 90_000)
_HOUR_S = 3600
Item = Frame | AudioPacket


class Camera:
    """A live source whose items come one by one; ``now`` is the time at which the last one came, by our clock."""

    def __init__(self, items: Iterator[tuple[float, Item]]) -> None:
        self._items = items
        self.now = 0.0

    def read(self) -> Item | None:
        at, item = next(self._items, (self.now, None))
        self.now = at
        return item


def put_out(camera: Camera, *, fps: Fraction | None = None) -> tuple[list[tuple[Item, int, float]], StreamStatus]:
    """Everything that is put out: item, output time in ms, and when it came by our clock."""
    status = StreamStatus("door")
    timeline = Timeline()
    timeline.restart(live=True)
    reader = Reader(camera, timeline, VideoSettings(fps=fps), False, threading.Event(), status, lambda: camera.now)  # type: ignore[arg-type]
    return [(item, ms, camera.now) for item, ms in reader], status


_FRAME = picture(0, pts=0)


def frame(pts: int, at: float) -> Frame:
    return Frame(_FRAME.y, _FRAME.u, _FRAME.v, pts, RTP, _FRAME.colour, at)


@pytest.mark.parametrize("ppm", [200, -200])
@pytest.mark.parametrize("fps", [None, Fraction(1, 2)], ids=["as it comes", "at a lower rate"])
def test_a_clock_that_drifts_for_an_hour(ppm: int, fps: Fraction | None) -> None:
    """The camera's seconds are not ours: after an hour its time is 0.72 s off, and nothing was dropped for that."""
    rate = 1

    def film() -> Iterator[tuple[float, Item]]:
        for n in range(_HOUR_S * rate):
            at = n / rate
            camera_time = at * (1 + ppm * 1e-6)
            yield at, frame(round(90_000 * camera_time), at)
            yield at, AudioPacket(b"", round(90_000 * camera_time), RTP)

    got, status = put_out(Camera(film()), fps=fps)
    pictures = [(ms, at) for item, ms, at in got if isinstance(item, Frame)]
    sounds = [(ms, at) for item, ms, at in got if isinstance(item, AudioPacket)]
    wanted = _HOUR_S * rate if fps is None else _HOUR_S // 2
    assert len(pictures) == pytest.approx(wanted, rel=2 * abs(ppm) * 1e-6, abs=1)
    assert status.frames.get(("source", "skipped"), 0) == _HOUR_S * rate - len(pictures)
    # How far the output's time is from ours: what the camera's clock is off, and not a millisecond more.
    off = [ms - 1000 * at for ms, at in pictures]
    assert max(map(abs, off)) <= 720.5
    assert all(abs(b - a) <= 1.5 for a, b in pairwise(off))
    assert max(b - a for (a, _), (b, _) in pairwise(pictures)) <= 1000 / float(fps or rate) + 1000 / rate + 1
    # Sound keeps to its picture: both go by the same clock.
    assert len(sounds) == _HOUR_S * rate
    together = {at: ms for ms, at in sounds}
    assert max(abs(together[at] - ms) for ms, at in pictures) <= 1


def test_ntsc_for_minutes() -> None:
    """Each picture of 29.97 a second lies at the nearest millisecond; 3003 ticks of 90 kHz are exact."""
    count = 6000
    got, _ = put_out(Camera((n * 0.033, frame(3003 * n, n * 0.033)) for n in range(count)))
    assert len(got) == count
    assert max(abs(ms - Fraction(n * 1001, 30)) for n, (_, ms, _) in enumerate(got)) <= Fraction(1, 2)


def test_a_variable_rate_keeps_its_distances() -> None:
    steps = [20, 33, 700, 40, 100, 33, 250, 66]
    times = [sum(steps[: n % 8]) + n // 8 * sum(steps) for n in range(400)]
    got, _ = put_out(Camera((ms / 1000, frame(90 * ms, ms / 1000)) for ms in times))
    assert [ms for _, ms, _ in got] == times


@pytest.mark.parametrize("step_ms", [400, 120, -120, -400])
@pytest.mark.parametrize("sound_step_ms", [0, 90, -90])
def test_one_step_when_the_camera_tells_its_time(step_ms: int, sound_step_ms: int) -> None:
    """RTSP: about five seconds in, the first sender report moves pictures and sound, each by its own amount.

    Before it nobody can know how they belong together; from there on they are where the camera says.
    """

    def film() -> Iterator[tuple[float, Item]]:
        for n in range(20 * 25):
            at = n * 0.04
            ms = 40 * n
            yield at, frame(90 * (ms + (step_ms if at >= 5 else 0)), at)
            yield at, AudioPacket(n.to_bytes(4, "big"), 90 * (ms + (step_ms + sound_step_ms if at >= 5 else 0)), RTP)

    got, status = put_out(Camera(film()))
    pictures = [(ms, at) for item, ms, at in got if isinstance(item, Frame)]
    sounds = [(ms, at) for item, ms, at in got if isinstance(item, AudioPacket)]
    assert len(pictures) == 20 * 25
    assert not status.frames.get(("source", "skipped"))
    assert all(b > a for (a, _), (b, _) in pairwise(pictures))
    assert all(b > a for (a, _), (b, _) in pairwise(sounds))
    settled = [(ms, at) for ms, at in pictures if at >= 5.5]
    assert {round(ms - 1000 * at) for ms, at in settled} == {step_ms}
    heard = {at: ms for ms, at in sounds}
    assert {heard[at] - ms for ms, at in settled} == {sound_step_ms}
    # What went backwards is missing as sound, no more than that.
    assert len(sounds) >= 20 * 25 - max(0, -(step_ms + sound_step_ms)) / 40 - 1


@pytest.mark.parametrize(("given_fps", "kept"), [(15, 15), (30, 15)])
def test_fifteen_a_second_are_wanted(given_fps: int, kept: int) -> None:
    got, _ = put_out(Camera((n / given_fps, frame(90_000 * n // given_fps, 0)) for n in range(600)), fps=Fraction(15))
    assert len(got) == pytest.approx(600 * kept / given_fps, abs=1)
    assert max(abs((b - a) - 1000 / kept) for (_, a, _), (_, b, _) in pairwise(got)) <= 1


_TAGS = st.lists(
    st.tuples(st.sampled_from([TagKind.VIDEO, TagKind.AUDIO]), st.integers(0, 1 << 33)), min_size=1, max_size=30
)


@settings(max_examples=100, deadline=None)
@given(tags=_TAGS, cached=st.integers(0, 5))
def test_no_viewer_sees_time_go_back(tags: list[tuple[TagKind, int]], cached: int) -> None:
    made = [picture_tag(ms) if kind is TagKind.VIDEO else sound_tag(ms) for kind, ms in tags]
    timeline = ViewerTimeline()
    seen = [*timeline.start(made[:cached]), *map(timeline.next, made[cached:])]
    for kind in (TagKind.VIDEO, TagKind.AUDIO):
        times = [tag.timestamp_ms for tag in seen if tag.kind is kind]
        assert times == sorted(times)
        assert all(ms >= 0 for ms in times)
    rebase = Rebase()
    assert all(rebase.next(tag).timestamp_ms >= 0 for tag in made)
