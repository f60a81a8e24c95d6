"""What goes out while the source gives nothing: when it begins, that time only grows, and what it looks like."""

from __future__ import annotations

import threading
import time
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeseg.errors import StreamError
from edgeseg.frames import Canvas
from edgeseg.idle import Idle
from edgeseg.outlet import Outlet
from edgeseg.slate import Slate, SlateSettings
from edgeseg.timeline import Timeline
from edgeseg.types import Colour
from tests.waiting import wait_until

SIZE = (320, 180)
NOON = datetime(2026, 11, 22, 12, 34, 56)


class Encoder:
    def __init__(self) -> None:
        self.got: list[int] = []

    def video(self, canvas: Canvas, timestamp_ms: int) -> None:
        self.got.append(timestamp_ms)


class Exit:
    """An outlet, what came out of it, and what came back."""

    def __init__(self) -> None:
        self.encoder = Encoder()
        self.recycled: list[Canvas] = []
        self.drops = 0
        self.outlet = Outlet(self.recycled.append, self._dropped)
        self.outlet.connect(self.encoder)  # type: ignore[arg-type]

    def _dropped(self) -> None:
        self.drops += 1


def canvas() -> Canvas:
    return Canvas(*SIZE, Colour())


def drawn(settings: SlateSettings, size: tuple[int, int] = SIZE) -> Canvas:
    slate = Slate(settings, lambda: NOON)
    slate.begin()
    target = Canvas(*size, Colour())
    slate.draw(target)
    return target


def test_a_picture_that_comes_after_a_later_one_is_given_back() -> None:
    way = Exit()
    for timestamp_ms in (0, 40, 40, 30, 41):
        way.outlet.video(canvas(), timestamp_ms)
    assert way.encoder.got == [0, 40, 41]
    assert (len(way.recycled), way.drops) == (2, 2)


def test_slates_are_told_from_pictures_by_their_time() -> None:
    way = Exit()
    way.outlet.video(canvas(), 0)
    way.outlet.slate(canvas(), 3000, quiet_s=0)
    way.outlet.slate(canvas(), 3500, quiet_s=0)
    assert way.outlet.was_slate(3500)
    assert way.outlet.was_slate(9999)  # as long as it is shown
    way.outlet.video(canvas(), 4000)
    assert [way.outlet.was_slate(ms) for ms in (0, 2999, 3000, 3999, 4000, 9999)] == [
        False,
        False,
        True,
        True,
        False,
        False,
    ]
    assert way.encoder.got == [0, 3000, 3500, 4000]


def test_a_picture_that_comes_too_late_does_not_end_the_slate() -> None:
    """The worker was held up by more than the slate waits: else the slate's age, of hours, would count as delay."""
    way = Exit()
    way.outlet.slate(canvas(), 3000, quiet_s=0)
    way.outlet.video(canvas(), 2960)
    assert way.outlet.was_slate(3000)
    way.outlet.video(canvas(), 3040)
    assert (way.outlet.was_slate(3000), way.outlet.was_slate(3040)) == (True, False)
    assert way.encoder.got == [3000, 3040]


def test_a_picture_that_came_after_all_keeps_the_slate_back() -> None:
    way = Exit()
    way.outlet.video(canvas(), 0)
    way.outlet.slate(canvas(), 1, quiet_s=60)
    assert way.encoder.got == [0]
    assert not way.outlet.was_slate(1)
    assert len(way.recycled) == 1


def test_time_goes_on_without_pictures_and_never_back() -> None:
    timeline, base = Timeline(), Fraction(1, 1000)
    timeline.restart(live=True)
    assert timeline.video(90_000, base, 100.0) == 0
    assert [timeline.idle(103.0), timeline.idle(103.5), timeline.idle(103.5)] == [3000, 3500, 3501]
    # The same run goes on: its pictures are where they were, but not before what was shown.
    assert timeline.video(90_000 + 3400, base, 103.9) == 3502
    assert timeline.video(90_000 + 4000, base, 104.0) == 4000
    timeline.idle(110.0)
    timeline.restart(live=True)
    assert timeline.video(5, base, 110.25) == 10_250


def test_time_may_begin_without_a_picture() -> None:
    timeline = Timeline()
    assert [timeline.idle(50.0), timeline.idle(50.5)] == [0, 500]


def test_it_says_since_when() -> None:
    frame = drawn(SlateSettings(text="no signal since %H:%M:%S")).frame
    other = drawn(SlateSettings(text="no signal since 12:34:56")).frame
    np.testing.assert_array_equal(frame.y, other.y)
    letters = np.argwhere(frame.y > 150)
    (top, left), (bottom, right) = letters.min(axis=0), letters.max(axis=0)
    assert 0.6 * SIZE[0] < right - left < 0.8 * SIZE[0]
    assert abs((left + right) / 2 - SIZE[0] / 2) < 8
    assert abs((top + bottom) / 2 - SIZE[1] / 2) < 8
    assert (frame.u == 128).all()
    assert frame.y.min() == 40


def test_no_text_is_a_plain_picture() -> None:
    assert (drawn(SlateSettings(text="")).frame.y == 40).all()


def test_a_picture_fills_the_frame_with_the_text_at_its_foot(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "red.png"), np.full((90, 90, 3), (0, 0, 255), np.uint8))
    frame = drawn(SlateSettings(picture=tmp_path / "red.png")).frame
    assert frame.v[:60].min() > 200
    assert len(np.unique(frame.y[:120])) == 1
    assert (frame.y[140:] > 200).any()
    with pytest.raises(StreamError, match=r"absent\.png"):
        Slate(SlateSettings(picture=tmp_path / "absent.png"))


def test_a_stream_of_another_size_gets_another_slate() -> None:
    slate = Slate(SlateSettings(), lambda: NOON)
    slate.begin()
    for size in (SIZE, (640, 360)):
        target = Canvas(*size, Colour())
        slate.draw(target)
        assert (target.frame.y > 150).any()


def test_a_canvas_that_held_a_picture_in_between_is_filled_again() -> None:
    slate, target = Slate(SlateSettings(), lambda: NOON), canvas()
    slate.begin()
    slate.draw(target)
    wanted = target.buffer.copy()
    slate.draw(target)
    assert np.array_equal(target.buffer, wanted)
    target.stamp(canvas().frame)
    target.buffer[:] = 7
    slate.draw(target)
    assert np.array_equal(target.buffer, wanted)


def test_the_next_slate_is_drawn_anew_into_the_same_canvas() -> None:
    times = iter((NOON, NOON.replace(minute=59)))
    slate, target = Slate(SlateSettings(), lambda: next(times)), canvas()
    slate.begin()
    slate.draw(target)
    before = target.buffer.copy()
    slate.begin()
    slate.draw(target)
    assert not np.array_equal(target.buffer, before)


def test_it_begins_when_pictures_stop_and_ends_when_they_come() -> None:
    way = Exit()
    shown: list[float] = []

    def show(_: Slate, quiet_s: float) -> None:
        shown.append(quiet_s)

    idle = Idle(SlateSettings(after_s=0.1, fps=50), way.outlet, show, "door")
    idle.start()
    idle.start()
    try:
        wait_until(lambda: len(shown) > 3, what="slates")
        for number in range(100):  # pictures keep coming
            way.outlet.video(canvas(), number)
            count = len(shown)
        wait_until(lambda: len(shown) > count + 3, what="slates after the pictures ended again")
    finally:
        idle.stop()
    count = len(shown)
    assert set(shown) == {0.1}
    assert count == len(shown)


def test_who_has_just_come_gets_more_of_them() -> None:
    way = Exit()
    slates: list[float] = []
    newcomers = threading.Event()
    idle = Idle(
        SlateSettings(after_s=0.01, fps=0.5),
        way.outlet,
        lambda *_: slates.append(time.monotonic()),
        "door",
        newcomers.is_set,
    )
    newcomers.set()
    idle.start()
    wait_until(lambda: len(slates) >= 20, 10, "slates")
    idle.stop()
    assert slates[19] - slates[0] < 19 * 2, "at half a picture a second that takes 38 s"
