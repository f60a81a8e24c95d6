"""The life of a stream: it starts, fails, waits, comes back, gives up or stops, and says which."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import pytest

from edgeseg.backoff import Backoff
from edgeseg.encoding.hub import Hub
from edgeseg.errors import ConfigError, ModelError, SourceError
from edgeseg.pipeline import Stages
from edgeseg.reader import VideoSettings
from edgeseg.slate import SlateSettings
from edgeseg.status import StreamStatus
from edgeseg.supervisor import Blueprint, StreamSupervisor
from edgeseg.types import Source, SourceFormat, State
from tests.fakes_source import FakeSource, pictures
from tests.stream_parts import KeepAll, Viewer, encoder_settings, stages
from tests.waiting import wait_until


class Out:
    """An output that is a viewer of the hub."""

    def __init__(self) -> None:
        self.viewer = Viewer()
        self.warm = False
        self.closed = threading.Event()

    def warm_up(self) -> None:
        self.warm = True

    def start(self, source: Hub) -> None:
        source.subscribe(self.viewer)

    def close(self, timeout_s: float = 1.0) -> None:
        self.closed.set()


class Life:
    """A supervised stream whose sources come from a list; the last one is used again and again."""

    def __init__(self, *sources: Source | Exception, ahead: bool, load: Callable[[], Stages] | None = None) -> None:
        self.sources = list(sources)
        self.made = 0
        self.backend, self.out = KeepAll(), Out()
        self.fatal: list[tuple[str, BaseException]] = []
        self.status = StreamStatus("door")
        self.states: list[State] = []
        blueprint = Blueprint(
            status=self.status,
            make_source=self._source,
            load=load or (lambda: stages(backend=self.backend)),
            unload=self.backend.close,
            video=VideoSettings(realtime=False),
            encoder=encoder_settings(),
            outputs=[self.out],
            open_ahead=ahead,
        )
        self.blueprint = blueprint
        self.supervisor = StreamSupervisor(
            blueprint, lambda name, exc: self.fatal.append((name, exc)), Backoff(0.01, 0.02)
        )

    def _source(self) -> Source:
        source = self.sources[min(self.made, len(self.sources) - 1)]
        self.made += 1
        if isinstance(source, Exception):
            raise source
        return source

    def run(self) -> None:
        self.supervisor.prepare()
        self.supervisor.start()

    def until(self, state: State) -> None:
        wait_until(lambda: self.status.state is state, 10, f"the state {state} (it is {self.status.state})")

    def end(self) -> None:
        self.supervisor.ask_to_stop()
        self.supervisor.join(5)


@pytest.fixture
def lives() -> Iterator[list[Life]]:
    made: list[Life] = []
    yield made
    for life in made:
        life.end()


@pytest.fixture(params=[False, True], ids=["opened when all is there", "opened ahead"])
def live(lives: list[Life], request: pytest.FixtureRequest) -> Callable[..., Life]:
    def make(*sources: Source | Exception, load: Callable[[], Stages] | None = None, ahead: bool | None = None) -> Life:
        lives.append(Life(*sources, load=load, ahead=request.param if ahead is None else ahead))
        return lives[-1]

    return make


def test_a_file_plays_to_its_end(live: Callable[..., Life]) -> None:
    life = live(FakeSource(pictures(20)))
    assert life.status.state is State.STARTING
    life.run()
    life.until(State.STOPPED)
    assert life.supervisor.join(5)
    assert life.out.viewer.times() == [40 * n for n in range(20)]
    assert life.out.viewer.ended.is_set()
    assert life.out.closed.is_set()
    assert life.backend.closed == 1
    assert life.supervisor.finished
    assert life.supervisor.alive
    assert not life.fatal


def test_a_source_that_fails_is_tried_until_it_works(
    live: Callable[..., Life], caplog: pytest.LogCaptureFixture
) -> None:
    gone = SourceError("cannot open the camera: connection refused", hint="is it on?")
    life = live(*[FakeSource([gone])] * 4, FakeSource(pictures(5)))
    with caplog.at_level(logging.INFO, "edgeseg"):
        life.run()
        life.until(State.STOPPED)
    assert life.made == 5
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert told == ["door: cannot open the camera: connection refused (is it on?); trying again until it works"]
    assert len(life.out.viewer.times()) == 5
    assert life.status.source_starts == 1


def test_while_it_waits_it_says_why(live: Callable[..., Life]) -> None:
    life = live(FakeSource([SourceError("no picture from the camera", hint="is it on?")]))
    life.run()
    wait_until(lambda: life.made > 3, 5, "some tries")
    life.until(State.BACKING_OFF)
    assert life.status.reason == "no picture from the camera (is it on?)"
    assert not life.supervisor.finished
    life.end()
    assert (life.status.state, life.status.reason) == (State.STOPPED, "")


def test_time_goes_on_through_failures(live: Callable[..., Life]) -> None:
    failing = [FakeSource([*pictures(5), SourceError("gone")], live=True) for _ in range(3)]
    life = live(*failing, FakeSource(pictures(5)), ahead=False)  # what is live would be read meanwhile
    life.run()
    life.until(State.STOPPED)
    times = life.out.viewer.times()
    assert len(times) > 5
    assert all(b > a for a, b in pairwise(times))
    assert life.status.reconnects == 3


def test_running_is_said_while_it_runs(live: Callable[..., Life]) -> None:
    hold = threading.Event()
    life = live(FakeSource(pictures(3), hold=hold))
    life.run()
    life.until(State.RUNNING)
    assert life.status.reason == ""
    assert life.status.last_output_at > 0
    hold.set()
    life.until(State.STOPPED)


def test_news_is_told_again(live: Callable[..., Life], caplog: pytest.LogCaptureFixture) -> None:
    """The same failure after the stream has run in between is another one."""
    life = live(*[FakeSource([*pictures(3), SourceError("gone")]) for _ in range(3)], FakeSource(pictures(1)))
    life.run()
    life.until(State.STOPPED)
    assert caplog.text.count("door: gone; trying again") == 3


def test_a_permanent_failure_ends_it_with_its_sentence(live: Callable[..., Life]) -> None:
    life = live(FakeSource([SourceError("there is no picture in it", permanent=True)]))
    life.run()
    life.until(State.FAILED)
    assert life.supervisor.join(5)
    assert life.made == 1
    assert life.status.reason == "there is no picture in it"
    assert life.out.closed.is_set()
    assert life.backend.closed == 1
    assert not life.fatal


def test_a_permanent_failure_after_pictures_stays_failed(live: Callable[..., Life]) -> None:
    """The encoder's last pictures come out afterwards; they change nothing."""
    life = live(FakeSource([*pictures(30), SourceError("for good", permanent=True)]))
    life.run()
    assert wait_until(life.out.closed.is_set, 10, "the end")
    assert life.supervisor.join(5)
    assert (life.status.state, life.status.reason) == (State.FAILED, "for good")
    assert len(life.out.viewer.times()) == 30


def test_a_plugin_that_cannot_be_loaded_fails_its_stream_only(live: Callable[..., Life]) -> None:
    life = live(ConfigError("no source is called 'xyzzy'"))
    life.run()
    life.until(State.FAILED)
    assert life.status.reason == "no source is called 'xyzzy'"
    assert not life.fatal


def test_a_model_that_does_not_load_fails_before_it_starts(live: Callable[..., Life]) -> None:
    def fails() -> Stages:
        raise ModelError("model 'selfie': model.xml does not exist", hint="make models")

    life = live(FakeSource(pictures(3)), load=fails)
    life.run()
    assert (life.status.state, life.status.reason) == (
        State.FAILED,
        "model 'selfie': model.xml does not exist (make models)",
    )
    assert life.made == life.blueprint.open_ahead
    assert life.supervisor.join(1)
    assert life.sources[0].closed >= life.made
    assert life.supervisor.alive
    assert life.out.warm
    assert life.out.closed.is_set(), "what it had started ahead is closed"


def test_an_encoder_that_does_not_exist_fails_before_it_starts(live: Callable[..., Life]) -> None:
    life = live(FakeSource(pictures(3)))
    encoder = replace(encoder_settings(), codec="h264_nonsense")
    supervisor = StreamSupervisor(replace(life.blueprint, encoder=encoder), lambda *_: None)
    supervisor.prepare()
    assert supervisor.status.state is State.FAILED
    assert supervisor.status.reason.startswith("encoder h264_nonsense is unusable")


def test_a_fallback_is_used_and_said(live: Callable[..., Life], caplog: pytest.LogCaptureFixture) -> None:
    life = live(FakeSource(pictures(3)))
    encoder = replace(encoder_settings(), codec="h264_nonsense", fallback="libx264")
    supervisor = StreamSupervisor(replace(life.blueprint, encoder=encoder), lambda *_: None)
    supervisor.prepare()
    supervisor.start()
    assert supervisor.join(10)
    assert len(life.out.viewer.times()) == 3
    assert "encoding with libx264 instead" in caplog.text


def test_a_bug_is_fatal_and_the_outputs_are_still_closed(live: Callable[..., Life]) -> None:
    bug = ZeroDivisionError("ours")
    life = live(FakeSource([*pictures(3), bug]))
    life.run()
    wait_until(lambda: life.fatal, 10, "the fatal call")
    assert life.fatal == [("door", bug)]
    assert life.supervisor.join(5)
    assert life.status.state is State.FAILED
    assert "ZeroDivisionError" in life.status.reason
    assert life.out.closed.is_set()


def test_a_source_that_blocks_does_not_hold_up_the_stop(live: Callable[..., Life]) -> None:
    hold = threading.Event()
    life = live(FakeSource(pictures(3), hold=hold))
    life.run()
    life.until(State.RUNNING)
    life.supervisor.ask_to_stop()
    started = time.monotonic()
    assert not life.supervisor.join(0.3)
    assert time.monotonic() - started < 2.5
    assert life.out.viewer.ended.is_set()
    assert life.out.closed.is_set()
    hold.set()
    assert life.supervisor.join(5)


def test_a_stop_during_the_back_off_is_quick(live: Callable[..., Life]) -> None:
    life = live(FakeSource([SourceError("gone")]))
    supervisor = StreamSupervisor(life.blueprint, lambda *_: None, Backoff(60, 60))
    supervisor.prepare()
    supervisor.start()
    life.until(State.BACKING_OFF)
    started = time.monotonic()
    supervisor.ask_to_stop()
    assert supervisor.join(5)
    assert time.monotonic() - started < 2
    assert life.status.state is State.STOPPED


class Unreachable(FakeSource):
    """A camera whose host does not answer."""

    def __init__(self) -> None:
        super().__init__(pictures(1))
        self.gave_up = threading.Event()

    def open(self) -> SourceFormat:
        self.gave_up.wait(30)
        raise SourceError("cannot open the camera: timed out")


def test_the_slate_does_not_wait_for_a_camera_that_does_not_answer(live: Callable[..., Life]) -> None:
    camera = Unreachable()
    life = live(camera)
    blueprint = replace(
        life.blueprint,
        video=VideoSettings(size=(64, 48)),
        slate=SlateSettings(after_s=0.1, fps=10, before_first=True),
    )
    supervisor = StreamSupervisor(blueprint, lambda *_: None)
    supervisor.prepare()
    supervisor.start()
    try:
        wait_until(lambda: len(life.out.viewer.times()) > 2, 10, "slates")
        assert life.status.state is State.STARTING
    finally:
        camera.gave_up.set()
        supervisor.ask_to_stop()
        assert supervisor.join(5)


def test_the_back_off_grows_to_its_limit_and_forgets_after_a_stable_run() -> None:
    backoff = Backoff(1.0, 60.0, 60.0)
    pauses = [backoff.next_s(0.0) for _ in range(10)]
    for n, pause in enumerate(pauses):
        assert 0.8 * min(60, 2**n) <= pause <= 1.2 * min(60, 2**n)
    assert backoff.next_s(59.0) > 40
    assert backoff.next_s(61.0) <= 1.2
    assert all(backoff.next_s(0.0) <= 72 for _ in range(2000))
