"""The way of a frame: sample, infer, mask, composite, hand over. One worker thread per stream."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from edgeseg.frames import Canvas, CanvasPool, copy, fill
from edgeseg.masks import MaskRefiner
from edgeseg.outlet import Outlet
from edgeseg.placement import Placement
from edgeseg.queues import Closed, FrameQueue
from edgeseg.sampling import Sampler
from edgeseg.status import LatestFrame, StreamStatus
from edgeseg.types import Backend, Effect, Frame, Mask

_log = logging.getLogger(__name__)

# What a covered frame looks like: plain dark grey, in any matrix and range.
_COVER = (60, 128, 128)

TimedFrame = tuple[Frame, int]


@dataclass(frozen=True, slots=True)
class Stages:
    """What one stream's worker joins. ``uncovered_without_mask`` is the configuration's explicit choice."""

    sampler: Sampler
    backend: Backend
    refiner: MaskRefiner
    effect: Effect
    uncovered_without_mask: bool = False

    def start_anew(self) -> None:
        """What comes next has nothing to do with what was before: masks of before must not show in it."""
        self.refiner.reset()
        reset = getattr(self.backend, "reset", None)  # only backends that read their last mask have one
        if reset is not None:
            reset()


class Pipeline:
    """Takes frames from a queue and gives composited pictures to the encoder, each with its own mask.

    Fail closed: when there is no mask of exactly this frame, or the effect raises, what goes out is a plain cover.
    Nothing but ``Stages.uncovered_without_mask`` and the passthrough effect can let the source's picture out.

    Args:
        stages: what to join.
        frames: the source's frames with their output times in ms; ends when it is closed.
        placement: where they go in the output.
        outlet: takes the pictures to the encoder.
        pool: where the encoder returns its canvases to.
        status: counts and times.
        latest: is offered every picture that goes out.
        failed: called on the worker's thread with what ended it early.
    """

    def __init__(
        self,
        stages: Stages,
        frames: FrameQueue[TimedFrame],
        placement: Placement,
        outlet: Outlet,
        pool: CanvasPool,
        status: StreamStatus,
        latest: LatestFrame,
        failed: Callable[[BaseException], None],
    ) -> None:
        self._stages = stages
        self._frames = frames
        self._placement = placement
        self._outlet = outlet
        self._pool = pool
        self._status = status
        self._latest = latest
        self._failed = failed
        self._covering: str | None = None
        self._thread = threading.Thread(target=self._run, name=f"{status.name}:worker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout_s: float | None) -> bool:
        """Wait for the worker to finish what is in the queue; False when it did not within ``timeout_s``."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while True:
                item = self._frames.get()
                if item is not None:
                    self.process(*item)
        except Closed:
            pass
        except BaseException as exc:  # noqa: BLE001 - the supervisor decides what it means
            self._failed(exc)

    def process(self, frame: Frame, timestamp_ms: int) -> None:
        """Composite one frame and hand it to the encoder.

        Raises:
            EncoderError: the encoder cannot take it.
        """
        shown = self._place(frame)
        mask = None if shown is None else self._segment(shown)
        canvas = self._pool.take()
        canvas.stamp(frame)
        started = time.perf_counter()
        self._composite(shown, mask, canvas)
        self._status.stage("composite").observe(time.perf_counter() - started)
        if mask is not None:
            self._status.mask_age.observe(max(0.0, time.monotonic() - frame.captured_at))
        self._latest.offer(canvas.frame)
        started = time.perf_counter()
        self._outlet.video(canvas, timestamp_ms)
        self._status.stage("hand_over").observe(time.perf_counter() - started)
        self._status.count("encode", "in")

    def _place(self, frame: Frame) -> Frame | None:
        """The part of the frame that is shown. The model sees the same part, or its mask would lie beside it."""
        try:
            return self._placement.prepare(frame)
        except Exception as exc:  # noqa: BLE001 - a frame that does not fit must not end the stream
            self._cover_because(f"the frame cannot be placed: {_why(exc)}")
            return None

    def _segment(self, frame: Frame) -> Mask | None:
        """The frame's own mask, or None when the model gave none."""
        stages, status = self._stages, self._status
        try:
            started = time.perf_counter()
            tensor = stages.sampler.sample(frame)
            sampled = time.perf_counter()
            answer = stages.backend.infer(tensor)
            inferred = time.perf_counter()
            mask = stages.refiner.refine(answer, frame.pts)
            status.stage("sample").observe(sampled - started)
            status.stage("infer").observe(inferred - sampled)
            status.stage("mask").observe(time.perf_counter() - inferred)
        except Exception as exc:  # noqa: BLE001 - whatever a backend raises: no mask, no clear picture
            status.count("infer", "failed")
            self._cover_because(f"inference failed: {_why(exc)}")
            return None
        status.count("infer", "ok")
        return mask

    def _composite(self, frame: Frame | None, mask: Mask | None, canvas: Canvas) -> None:
        outcome = "covered"
        try:
            if frame is not None and mask is not None and mask.of == frame.pts:
                self._stages.effect.apply(frame, mask, self._placement.place(canvas.frame))
                outcome = "ok"
                self._uncover()
            else:
                if mask is not None:
                    self._cover_because("the mask belongs to another frame")
                if frame is not None and self._stages.uncovered_without_mask:
                    copy(frame, self._placement.place(canvas.frame))
                    outcome = "uncovered"
        except Exception as exc:  # noqa: BLE001 - a broken effect must not show what it was to hide
            outcome = "covered"
            self._cover_because(f"the effect failed: {_why(exc)}")
        if outcome == "covered":
            fill(canvas.frame, _COVER)
        self._status.count("composite", outcome)

    def _cover_because(self, why: str) -> None:
        if self._covering is None:
            action = "showing the bare picture" if self._stages.uncovered_without_mask else "covering the picture"
            _log.error("%s: %s; %s until it works again", self._status.name, why, action)
        self._covering = why

    def _uncover(self) -> None:
        if self._covering is not None:
            _log.info("%s: masks are back", self._status.name)
            self._covering = None


def _why(exc: Exception) -> str:
    """In one line: OpenCV speaks in several, and some exceptions say nothing."""
    return " ".join(str(exc).split()) or type(exc).__name__
