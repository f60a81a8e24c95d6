"""What is measured on the way of a live stream, and what is done about it, with a clock that is turned by hand."""

from __future__ import annotations

import logging

import pytest

from edgeseg.governor import GovernorSettings
from edgeseg.status import GovernorStatus, StreamStatus
from edgeseg.throttle import Throttle


class Camera:
    """Gives ``rate`` pictures a second to a worker that needs ``cost_s`` for one, through a queue of one."""

    def __init__(self, cost_s: float, settings: GovernorSettings | None = None) -> None:
        self.now, self.cost_s, self.rate = 50.0, cost_s, 25.0
        self.encoder_waits = self.encoder_hangs = False
        self.status = StreamStatus("door")
        self.throttle = Throttle(settings or GovernorSettings(), self.status, lambda: self.now)
        self.throttle.start_anew()
        self._free_at, self._waits = 0.0, False

    def send(self, seconds: float) -> list[bool]:
        """Whether each picture was shown."""
        return [self._picture() for _ in range(round(seconds * self.rate))]

    def _picture(self) -> bool:
        self.now += 1 / self.rate
        if not self.throttle.admit(self.encoder_waits):
            return False
        if self._waits and self._free_at <= self.now:
            self._begin(self._free_at)
        if self._free_at <= self.now:
            self._begin(self.now)
        elif self._waits:
            self.status.count("queue", "dropped")
        else:
            self._waits = True
        return True

    def _begin(self, at: float) -> None:
        self._free_at, self._waits = at + self.cost_s, False
        self.throttle.worked(self.cost_s, reused=False)
        self.status.count("encode", "out", int(not self.encoder_hangs))


def test_every_picture_is_shown_while_there_is_time() -> None:
    camera = Camera(0.02)
    assert all(camera.send(60))
    assert camera.status.governor == GovernorStatus()
    assert ("governor", "skipped") not in camera.status.frames


def test_pictures_are_left_out_evenly_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    camera = Camera(0.058)
    with caplog.at_level(logging.INFO, "edgeseg"):
        camera.send(20)
    assert camera.throttle.step.level == 1
    assert camera.status.governor == GovernorStatus(1, 4, pytest.approx(2 / 3), 1)  # type: ignore[arg-type]
    shown = camera.send(3)
    assert shown[:6] in ([True, True, False] * 2, [True, False, True] * 2, [False, True, True] * 2)
    assert shown[:3] * 25 == shown
    assert camera.status.frames[("governor", "skipped")] >= 25
    assert caplog.messages == ["door: the machine is overloaded: 16.7 of 25 pictures a second are shown (level 1 of 4)"]


def test_it_is_told_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    camera = Camera(0.075)
    camera.send(30)
    assert camera.throttle.step.level == 2
    camera.cost_s = 0.01
    caplog.clear()
    with caplog.at_level(logging.INFO, "edgeseg"):
        camera.send(40)
    assert caplog.messages == [
        "door: less overloaded: 16.7 of 25 pictures a second are shown (level 1 of 4)",
        "door: no longer overloaded: every picture is shown (level 0)",
    ]
    assert all(camera.send(10))


def test_an_encoder_that_stays_behind_counts() -> None:
    camera = Camera(0.01)
    camera.encoder_waits = True
    for _ in range(5 * 25):
        camera.send(0.04)
        camera.status.count("encode", "dropped")
    assert camera.throttle.step.level == 1


def test_an_encoder_that_hangs_is_not_overload() -> None:
    camera = Camera(0.01)
    camera.send(5)
    camera.encoder_waits = camera.encoder_hangs = True
    for _ in range(12 * 25):
        camera.send(0.04)
        camera.status.count("encode", "dropped")
    assert camera.throttle.step.level == 0


def test_while_the_camera_is_away_nothing_is_learned() -> None:
    camera = Camera(0.06)
    camera.send(6)
    level = camera.throttle.step.level
    assert level > 0
    camera.cost_s = 0.01
    camera.send(5)
    camera.now += 300
    camera.throttle.start_anew()
    assert camera.status.governor is not None
    assert camera.status.governor.level == level
    camera.send(5)
    assert camera.throttle.step.level == level
    camera.send(5)
    assert camera.throttle.step.level == level - 1


def test_a_pause_within_one_run_is_not_room() -> None:
    camera = Camera(0.06)
    camera.send(6)
    level = camera.throttle.step.level
    for _ in range(20):
        camera.now += 10
        camera.send(0.2)
    assert camera.throttle.step.level == level


def test_it_is_told_that_the_camera_has_another_rate(caplog: pytest.LogCaptureFixture) -> None:
    camera = Camera(0.18)
    camera.send(40)
    assert camera.throttle.step.level == 4
    camera.rate, camera.cost_s = 12.5, 0.15
    caplog.clear()
    with caplog.at_level(logging.INFO, "edgeseg"):
        shown = camera.send(60)[-100:]
    assert caplog.messages[-1] == (
        "door: the source has another rate now: 6.25 of 12.5 pictures a second are shown (level 2 of 2)"
    )
    assert sum(shown) == 50
    assert camera.status.governor == GovernorStatus(2, 2, 0.5, 1)
    camera.rate = 4
    caplog.clear()
    with caplog.at_level(logging.INFO, "edgeseg"):
        camera.send(30)
    assert camera.status.governor == GovernorStatus()
    assert len(caplog.messages) <= 2


def test_the_highest_level_is_told_also_where_the_step_stays() -> None:
    camera = Camera(0.055)
    camera.send(10)
    assert camera.status.governor == GovernorStatus(1, 4, pytest.approx(2 / 3), 1)  # type: ignore[arg-type]
    camera.rate, camera.cost_s = 12.5, 0.1
    camera.send(16)
    assert camera.status.governor == GovernorStatus(1, 2, pytest.approx(2 / 3), 1)  # type: ignore[arg-type]


def test_of_a_camera_that_hardly_gives_any_each_picture_is_shown() -> None:
    camera = Camera(0.2)
    camera.send(40)
    assert camera.throttle.step.level == 4
    camera.rate = 0.2
    assert all(camera.send(100))
