"""Reading at the pace and the rate that were asked for, with a clock that is turned by hand."""

from __future__ import annotations

import itertools
import threading
from fractions import Fraction

import pytest

from edgeseg.reader import Reader, VideoSettings
from edgeseg.status import StreamStatus
from edgeseg.timeline import Timeline
from edgeseg.types import AudioPacket, Frame
from tests.fakes_source import MS, FakeSource, picture, pictures


class Clock(threading.Event):
    """A stop event whose waiting turns the clock instead of taking time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waits.append(timeout)
        self.now += timeout
        return self.is_set()


def reader(
    source: FakeSource, clock: Clock, *, live: bool = False, status: StreamStatus | None = None, **video: object
) -> Reader:
    source.open()
    settings = VideoSettings(**video)  # type: ignore[arg-type]
    return Reader(source, Timeline(), settings, not live, clock, status or StreamStatus("door"), clock)


def test_a_file_is_paced_by_its_timestamps() -> None:
    clock = Clock()
    times = [0, 40, 100, 1000]
    source = FakeSource([picture(n, pts=ms) for n, ms in enumerate(times)])
    due = [(ms, clock.now) for _, ms in reader(source, clock)]
    assert [ms for ms, _ in due] == times
    assert [round(at - 100, 6) for _, at in due] == [0, 0.04, 0.1, 1.0]


def test_a_late_file_does_not_wait() -> None:
    clock = Clock()
    clock_reader = reader(FakeSource(pictures(3)), clock)
    next(clock_reader)
    clock.now += 5
    next(clock_reader)
    assert clock.waits == []


def test_a_picture_is_as_old_as_its_turn() -> None:
    """Decoding ahead is not latency."""
    clock = Clock()
    for item, ms in reader(FakeSource(pictures(4)), clock):
        assert isinstance(item, Frame)
        assert item.captured_at == pytest.approx(100 + ms / 1000)


@pytest.mark.parametrize("settings", [{"live": True}, {"realtime": False}], ids=str)
def test_cameras_and_hurried_files_are_not_paced(settings: dict[str, bool]) -> None:
    clock = Clock()
    assert len(list(reader(FakeSource(pictures(5)), clock, **settings))) == 5
    assert clock.waits == []


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (Fraction(30), Fraction(15)),
        (Fraction(30), Fraction(25)),
        (Fraction(60), Fraction(30_000, 1001)),
        (Fraction(25), Fraction(24)),
        (Fraction(15), Fraction(30)),
        (Fraction(30), Fraction(30)),
        (Fraction(30_000, 1001), Fraction(30)),
        (Fraction(30), Fraction(1)),
    ],
    ids=str,
)
def test_the_rate_comes_down_to_what_is_wanted(given: Fraction, wanted: Fraction) -> None:
    status = StreamStatus("door")
    items = [picture(n, pts=round(1000 * n / given)) for n in range(int(10 * given))]
    times = [ms for _, ms in reader(FakeSource(items), Clock(), live=True, status=status, fps=wanted)]
    assert len(times) == pytest.approx(10 * min(given, wanted), abs=2)
    assert status.frames[("source", "read")] == len(items)
    assert status.frames.get(("source", "skipped"), 0) == len(items) - len(times)
    if wanted < given:
        gaps = [b - a for a, b in itertools.pairwise(times)]
        assert max(gaps) <= 1000 / wanted + 1000 / given + 2


def test_sound_passes_at_its_time_and_is_neither_paced_nor_skipped() -> None:
    sound = [AudioPacket(bytes([n]), 20 * n, MS) for n in range(10)]
    items = [picture(0, pts=0), *sound, picture(1, pts=100)]
    clock = Clock()
    got = list(reader(FakeSource(items), clock, fps=Fraction(5)))
    assert [(item.payload, ms) for item, ms in got if isinstance(item, AudioPacket)] == [
        (bytes([n]), 20 * n) for n in range(10)
    ]


def test_sound_before_the_first_picture_is_left_out() -> None:
    items = [AudioPacket(b"early", 0, MS), picture(0, pts=500), AudioPacket(b"with it", 510, MS)]
    got = [(type(item).__name__, ms) for item, ms in reader(FakeSource(items), Clock())]
    assert got == [("Frame", 0), ("AudioPacket", 10)]


def test_the_stop_event_ends_it() -> None:
    clock = Clock()
    clock_reader = reader(FakeSource(pictures(100)), clock)
    next(clock_reader)
    clock.set()
    assert list(clock_reader) == []
