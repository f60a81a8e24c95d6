"""Fail closed: whatever goes wrong on the way of a frame, the bare picture does not get out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from edgeseg.effects.passthrough import Passthrough
from edgeseg.errors import EncoderError, InferenceError
from edgeseg.frames import Canvas, CanvasPool
from edgeseg.governor import GovernorSettings, Step
from edgeseg.masks import MaskRefiner, RefineSettings, StillGate, StillSettings
from edgeseg.outlet import Outlet
from edgeseg.pipeline import Pipeline, Stages, TimedFrame
from edgeseg.placement import Placement
from edgeseg.presence import Presence, PresenceSettings, Sighting
from edgeseg.queues import FrameQueue, WhenFull
from edgeseg.sampling import Sampler
from edgeseg.status import LatestFrame, StreamStatus
from edgeseg.throttle import Throttle
from edgeseg.types import U8, Colour, Effect, Frame, Mask, Recipe, SourceFormat
from tests.fakes_effect import Bare, BreaksHalfWay, KeepOrGrey
from tests.fakes_source import picture
from tests.waiting import wait_until

SIZE = (64, 48)
COVER = (60, 128, 128)


class Backend:
    """Keeps the left half; raises ``error`` instead when there is one."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.answer: Callable[[U8], U8] = left_half

    def load(self, recipe: Recipe, device: str) -> None:
        """Nothing to load."""

    def infer(self, tensor: U8) -> U8:
        if self.error is not None:
            raise self.error
        return self.answer(tensor[0])

    def close(self) -> None:
        """Nothing to close."""


def left_half(tensor: U8) -> U8:
    mask = np.zeros(tensor.shape[:2], np.uint8)
    mask[:, : mask.shape[1] // 2] = 255
    return mask


class Encoder:
    """Keeps what it is handed."""

    def __init__(self) -> None:
        self.got: list[tuple[int, Canvas]] = []
        self.error: EncoderError | None = None

    def video(self, canvas: Canvas, timestamp_ms: int) -> None:
        if self.error is not None:
            raise self.error
        self.got.append((timestamp_ms, canvas))


class Bench:
    """A pipeline whose frames are processed one by one on the test's own thread."""

    def __init__(
        self,
        effect: Effect | None = None,
        *,
        uncovered: bool = False,
        source: SourceFormat | None = None,
        output: tuple[int, int] | None = None,
        fit: str = "contain",
        throttle: Throttle | None = None,
        gate: StillGate | None = None,
    ) -> None:
        self.backend, self.encoder = Backend(), Encoder()
        self.status, self.latest = StreamStatus("door"), LatestFrame()
        self.refiner = MaskRefiner(RefineSettings(feather=0.0))
        self.frames: FrameQueue[TimedFrame] = FrameQueue(4, WhenFull.WAIT)
        self.failures: list[BaseException] = []
        self.presence = Presence(PresenceSettings(frames=2, gone_frames=2))
        stages = Stages(
            Sampler(Recipe("stub", "", 32, 24)),
            self.backend,
            self.refiner,
            effect or KeepOrGrey(),
            uncovered,
            self.presence,
            gate,
        )
        placement = Placement(source or SourceFormat(*SIZE, Fraction(25), Colour(), False), output, fit)
        outlet = Outlet(lambda _: None, lambda: None)
        outlet.connect(self.encoder)  # type: ignore[arg-type]
        self.pipeline = Pipeline(
            stages,
            self.frames,
            placement,
            outlet,
            CanvasPool(placement.width, placement.height, Colour()),
            self.status,
            self.latest,
            self.failures.append,
            throttle,
        )

    def show(self, frame: Frame, timestamp_ms: int | None = None) -> Frame:
        """What goes out for ``frame``, by default 40 ms after the one before."""
        self.pipeline.process(frame, len(self.encoder.got) * 40 if timestamp_ms is None else timestamp_ms)
        return self.encoder.got[-1][1].frame


def is_cover(frame: Frame) -> bool:
    return all((plane == value).all() for plane, value in zip(frame.planes, COVER))


def test_a_frame_goes_out_composited_at_its_time() -> None:
    bench = Bench()
    source = picture(1, pts=4711)
    shown = bench.show(source, 33)
    np.testing.assert_array_equal(shown.y[:, :32], source.y[:, :32])
    assert (shown.y[:, 32:] == 128).all()
    assert bench.encoder.got[0][0] == 33
    assert (shown.pts, shown.time_base, shown.captured_at) == (4711, source.time_base, source.captured_at)
    assert bench.status.frames == {("infer", "ok"): 1, ("composite", "ok"): 1, ("encode", "in"): 1}
    for stage in ("sample", "infer", "mask", "composite", "hand_over"):
        assert sum(bench.status.stages[stage].counts) == 1
    assert sum(bench.status.mask_age.counts) == 1


ERRORS = [InferenceError("the device is gone"), RuntimeError("native"), ValueError(), MemoryError("no room")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_no_mask_no_picture(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.show(picture(0))
    bench.backend.error = error
    with caplog.at_level(logging.INFO, "edgeseg"):
        for number in range(1, 6):
            assert is_cover(bench.show(picture(number)))
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "covering the picture" in caplog.text
    assert bench.status.frames[("composite", "covered")] == bench.status.frames[("infer", "failed")] == 5

    bench.backend.error = None
    caplog.clear()
    with caplog.at_level(logging.INFO, "edgeseg"):
        shown = bench.show(picture(7))
        bench.show(picture(8))
    np.testing.assert_array_equal(shown.y[:, :32], picture(7).y[:, :32])
    assert [record.getMessage() for record in caplog.records] == ["door: masks are back"]
    assert bench.status.frames[("composite", "ok")] == 3


def test_an_effect_that_breaks_half_way_has_shown_nothing(caplog: pytest.LogCaptureFixture) -> None:
    effect = BreaksHalfWay()
    bench = Bench(effect)
    with caplog.at_level(logging.INFO, "edgeseg"):
        for number in range(3):
            assert is_cover(bench.show(picture(number)))
    assert caplog.text.count("the effect failed: half way") == 1
    effect.broken = False
    assert not is_cover(bench.show(picture(4)))
    assert bench.status.frames[("composite", "covered")] == 3
    assert bench.status.frames[("composite", "ok")] == 1


def test_the_snapshot_is_covered_too(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(BreaksHalfWay())
    offered: list[Frame] = []
    monkeypatch.setattr(bench.latest, "offer", offered.append)
    bench.show(picture(1))
    assert len(offered) == 1
    assert is_cover(offered[0])


def test_a_mask_of_another_frame_is_none(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(Bare())
    refine = bench.refiner.refine
    monkeypatch.setattr(bench.refiner, "refine", lambda answer, pts: refine(answer, pts - 40))
    with caplog.at_level(logging.INFO, "edgeseg"):
        for number in range(1, 4):
            assert is_cover(bench.show(picture(number)))
    assert caplog.text.count("the mask belongs to another frame") == 1
    assert bench.status.frames[("composite", "covered")] == 3


def test_each_frame_gets_its_own_mask() -> None:
    """The stub keeps what is brighter than the middle: exactly that must be kept, frame by frame."""
    bench = Bench(MaskOnly())
    bench.backend.answer = lambda tensor: np.full((24, 32), 255 if tensor.mean() > 127 else 0, np.uint8)
    half = np.full((24, 32), 128, np.uint8)
    for number, level in enumerate([30, 220, 220, 30, 30, 220]):
        frame = Frame(np.full((48, 64), level, np.uint8), half, half, number, Fraction(1, 25), Colour(), 0.0)
        assert np.unique(bench.show(frame).y).tolist() == [255 if level > 127 else 0]


class MaskOnly:
    """Shows the mask's first value everywhere."""

    def apply(self, frame: Frame, mask: Mask, out: Frame) -> None:
        assert mask.of == frame.pts
        for plane in out.planes:
            plane[...] = mask.alpha[0, 0]


@pytest.mark.parametrize("effect", [KeepOrGrey(), Passthrough()], ids=["composite", "passthrough"])
def test_uncovered_is_a_choice_for_missing_masks_only(effect: Effect, caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(effect, uncovered=True)
    bench.backend.error = InferenceError("gone")
    source = picture(3)
    with caplog.at_level(logging.INFO, "edgeseg"):
        np.testing.assert_array_equal(bench.show(source).y, source.y)
    assert "showing the bare picture" in caplog.text
    assert bench.status.frames[("composite", "uncovered")] == 1


def test_uncovered_does_not_excuse_a_broken_effect() -> None:
    assert is_cover(Bench(BreaksHalfWay(), uncovered=True).show(picture(1)))


@pytest.mark.parametrize("fit", ["contain", "cover", "stretch"])
def test_the_cover_reaches_into_the_corners(fit: str) -> None:
    bench = Bench(BreaksHalfWay(), output=(160, 48), fit=fit)
    shown = bench.show(picture(1))
    assert (shown.width, shown.height) == (160, 48)
    assert is_cover(shown)


@pytest.mark.parametrize("fit", ["contain", "cover", "stretch"])
@pytest.mark.parametrize("output", [(96, 96), (192, 48), (48, 192)], ids=str)
def test_the_mask_lies_on_what_it_was_computed_from(fit: str, output: tuple[int, int]) -> None:
    """A bright square in a dark picture; the stub keeps what is bright; nothing but the square may be shown."""
    source = SourceFormat(192, 96, Fraction(25), Colour(full_range=True), False)
    y = np.full((96, 192), 20, np.uint8)
    y[36:56, 86:102] = 250
    half = np.full((48, 96), 128, np.uint8)
    frame = Frame(y, half, half, 0, Fraction(1, 25), source.colour, 0.0)
    bench = Bench(source=source, output=output, fit=fit)
    bench.backend.answer = lambda tensor: np.where(tensor.mean(axis=2) > 135, 255, 0).astype(np.uint8)
    shown = bench.show(frame).y
    bright = Bench(Bare(), source=source, output=output, fit=fit).show(frame).y > 200
    kept = shown > 200
    assert (kept & bright).sum() > 0.6 * bright.sum()
    # Around the square everything is hidden but the bars and the seam of the coarse mask.
    dark = (shown > 16) & (shown < 60)
    assert dark.sum() < 0.5 * bright.sum()


def test_a_frame_that_cannot_be_placed_is_covered(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(uncovered=True)

    def fails(frame: Frame) -> Frame:
        raise ValueError("no such size")

    monkeypatch.setattr(bench.pipeline._placement, "prepare", fails)
    assert is_cover(bench.show(picture(1)))


def test_the_worker_takes_what_is_queued_and_ends_with_the_queue() -> None:
    bench = Bench()
    bench.pipeline.start()
    for number in range(10):
        bench.frames.put((picture(number), number * 40))
    bench.frames.close()
    assert bench.pipeline.join(5)
    assert [ms for ms, _ in bench.encoder.got] == [number * 40 for number in range(10)]
    assert not bench.failures


def test_what_ends_the_worker_is_told() -> None:
    bench = Bench()
    bench.encoder.error = EncoderError("it died")
    bench.pipeline.start()
    bench.frames.put((picture(0), 0))
    wait_until(lambda: bench.failures, 5, "the failure")
    assert bench.failures == [bench.encoder.error]
    assert bench.pipeline.join(5)


def test_canvases_keep_the_colour_and_take_the_time() -> None:
    bench = Bench()
    first = bench.show(picture(1, pts=10))
    second = bench.show(replace(picture(2, pts=20), time_base=Fraction(1, 90_000)))
    assert (first.pts, second.pts) == (10, 20)
    assert second.time_base == Fraction(1, 90_000)
    assert first.y is not second.y


class OnStep(Throttle):
    """On a step of the test's choice."""

    def __init__(self, mask_every: int, max_mask_age_s: float) -> None:
        super().__init__(GovernorSettings(max_mask_age_s=max_mask_age_s), StreamStatus("door"))
        self.chosen = Step(1, Fraction(1), mask_every)
        self.told: list[bool] = []

    @property
    def step(self) -> Step:
        return self.chosen

    def worked(self, seconds: float, *, reused: bool) -> None:
        assert 0 < seconds < 10
        self.told.append(reused)


def filmed(number: int, at_ms: int) -> Frame:
    return replace(picture(number, pts=at_ms), captured_at=at_ms / 1000)


def infers_by_turns(bench: Bench) -> None:
    """Keep everything, nothing, everything …: the mask that is shown tells of which inference it is."""
    turns = iter(range(100))
    bench.backend.answer = lambda tensor: np.full(tensor.shape[:2], 255 * (1 - next(turns) % 2), np.uint8)


def kept(bench: Bench, frames: int, every_ms: int = 40) -> list[bool]:
    shown = []
    for number in range(frames):
        source = filmed(number, number * every_ms)
        shown.append(bool((bench.show(source, number * every_ms).y == source.y).all()))
    return shown


def test_on_a_step_that_says_so_pictures_share_a_mask_and_are_counted() -> None:
    throttle = OnStep(3, 0.5)
    bench = Bench(throttle=throttle)
    infers_by_turns(bench)
    assert kept(bench, 9) == [True] * 3 + [False] * 3 + [True] * 3
    assert throttle.told == [False, True, True] * 3
    assert bench.status.frames[("infer", "ok")] == bench.status.frames[("composite", "ok")] == 3
    assert bench.status.frames[("composite", "reused_mask")] == 6


@pytest.mark.parametrize(("every", "age_s"), [(1, 0.5), (3, 0.0), (3, 0.039)])
def test_without_leave_each_picture_has_its_own_mask(every: int, age_s: float) -> None:
    bench = Bench(throttle=OnStep(every, age_s))
    infers_by_turns(bench)
    assert kept(bench, 4) == [True, False, True, False]
    assert ("composite", "reused_mask") not in bench.status.frames


def test_an_inference_that_fails_is_not_hidden_by_an_older_mask() -> None:
    bench = Bench(throttle=OnStep(2, 0.5))
    bench.show(filmed(0, 0), 0)
    bench.show(filmed(1, 40), 40)
    bench.backend.error = InferenceError("gone")
    assert is_cover(bench.show(filmed(2, 80), 80))
    assert is_cover(bench.show(filmed(3, 120), 120))
    bench.backend.error = None
    assert not is_cover(bench.show(filmed(4, 160), 160))


def test_who_is_there_is_known_before_the_picture_goes_out_and_a_lost_mask_says_nothing() -> None:
    bench = Bench()
    bench.show(picture(0), 0)
    bench.encoder.error = EncoderError("gone")
    with pytest.raises(EncoderError):
        bench.show(picture(1), 40)
    assert bench.presence.sightings == (Sighting(0, 40),)
    bench.encoder.error = None
    bench.backend.error = InferenceError("gone")
    for number in range(2, 10):
        bench.show(picture(number), number * 40)
    assert bench.presence.sightings == (Sighting(0, 40),)


def test_a_mask_that_is_shared_is_no_second_sign_of_somebody() -> None:
    bench = Bench(throttle=OnStep(2, 0.5))
    bench.show(filmed(0, 0), 0)
    bench.show(filmed(1, 40), 40)
    assert not bench.presence.present
    bench.show(filmed(2, 80), 80)
    assert bench.presence.present


def still_life(at_ms: int) -> Frame:
    return replace(picture(0, pts=at_ms), captured_at=at_ms / 1000)


def test_while_nothing_moves_masks_are_shared_until_they_are_too_old() -> None:
    bench = Bench(gate=StillGate(StillSettings(max_age_s=0.1)))
    infers_by_turns(bench)
    shown = [bool((bench.show(still_life(ms), ms).y == still_life(ms).y).all()) for ms in range(0, 320, 40)]
    assert shown == [True] * 3 + [False] * 3 + [True] * 2
    counts = bench.status.frames
    assert (counts[("infer", "ok")], counts[("infer", "still")], counts[("composite", "reused_mask")]) == (3, 5, 5)
    assert sum(bench.status.mask_age.counts) == 8


def test_what_moves_has_its_own_mask_at_once() -> None:
    bench = Bench(gate=StillGate(StillSettings()))
    infers_by_turns(bench)
    assert kept(bench, 6) == [True, False] * 3
    assert ("infer", "still") not in bench.status.frames


def test_the_gate_hides_no_failed_inference() -> None:
    bench = Bench(gate=StillGate(StillSettings(max_age_s=0.1)))
    bench.show(still_life(0), 0)
    bench.backend.error = InferenceError("gone")
    assert not is_cover(bench.show(still_life(40), 40))
    assert is_cover(bench.show(filmed(7, 80), 80))
    assert is_cover(bench.show(still_life(120), 120))


def test_a_source_that_is_opened_again_is_another_scene() -> None:
    bench = Bench(gate=StillGate(StillSettings()))
    bench.show(still_life(0), 0)
    bench.pipeline._stages.start_anew()
    bench.show(still_life(40), 40)
    assert bench.status.frames[("infer", "ok")] == 2


def test_a_mask_that_the_governor_lets_pictures_share_stays_bounded_by_its_own_limit() -> None:
    """Shared unseen for 100 ms, then looked at, and shared on because nothing has moved."""
    throttle = OnStep(3, 0.1)
    bench = Bench(throttle=throttle, gate=StillGate(StillSettings(max_age_s=0.2)))
    for ms in range(0, 280, 40):
        bench.show(still_life(ms), ms)
    assert throttle.told == [False, True, True, True, True, True, False]
    assert bench.status.frames[("infer", "still")] == 3


def test_a_still_picture_is_a_sign_of_whom_it_shows() -> None:
    bench = Bench(gate=StillGate(StillSettings()))
    bench.show(still_life(0), 0)
    bench.show(still_life(40), 40)
    assert bench.presence.present
