"""The way of a frame: sample, infer, mask, composite, hand over. One worker thread per stream."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from edgeseg.frames import Canvas, CanvasPool, copy, fill
from edgeseg.masks import LatestMask, MaskRefiner, StillGate
from edgeseg.outlet import Outlet
from edgeseg.placement import Placement
from edgeseg.presence import Presence
from edgeseg.queues import Closed, FrameQueue
from edgeseg.status import LatestFrame, StreamStatus
from edgeseg.throttle import Throttle
from edgeseg.types import Backend, Effect, Frame, FrameSampler, Mask

_log = logging.getLogger(__name__)

# What a covered frame looks like: plain dark grey, in any matrix and range.
_COVER = (60, 128, 128)

TimedFrame = tuple[Frame, int]


@dataclass(frozen=True, slots=True)
class Stages:
    """What one stream's worker joins. ``uncovered_without_mask`` is the configuration's explicit choice. With a
    ``gate``, a picture that is still the one before goes without inference.
    """

    sampler: FrameSampler
    backend: Backend
    refiner: MaskRefiner
    effect: Effect
    uncovered_without_mask: bool = False
    presence: Presence | None = None
    gate: StillGate | None = None

    def start_anew(self) -> None:
        """What comes next has nothing to do with what was before: masks of before must not show in it."""
        self.refiner.reset()
        if self.gate is not None:
            self.gate.reset()
        reset = getattr(self.backend, "reset", None)  # only backends that read their last mask have one
        if reset is not None:
            reset()


class _Shown(NamedTuple):
    """The mask that a frame is shown with: its own, that of a picture that was ``still`` the same, or an ``older`` one
    that the throttle lets it share unseen.
    """

    mask: Mask | None
    still: bool = False
    older: bool = False

    @property
    def reused(self) -> bool:
        return self.still or self.older


class Pipeline:
    """Takes frames from a queue and gives composited pictures to the encoder, each with its own mask.

    Fail closed: when there is no mask of exactly this frame, or the effect raises, what goes out is a plain cover.
    Nothing but ``Stages.uncovered_without_mask`` and the passthrough effect can let the source's picture out. Only two
    let a frame have the mask of one before, and of none older than they allow: a throttle that is on such a step, and
    the gate that has found the two to show the same.

    Args:
        stages: what to join.
        frames: the source's frames with their output times in ms; ends when it is closed.
        placement: where they go in the output.
        outlet: takes the pictures to the encoder.
        pool: where the encoder returns its canvases to.
        status: counts and times.
        latest: is offered every picture that goes out.
        failed: called on the worker's thread with what ended it early.
        throttle: is told what each frame costs, and says which of them need a mask of their own; None: all of them.
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
        throttle: Throttle | None = None,
    ) -> None:
        self._stages = stages
        self._throttle = throttle
        self._latest_mask = LatestMask(throttle.max_mask_age_s if throttle else 0.0)
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
        began = time.perf_counter()
        placed = self._place(frame)
        shown = _Shown(None) if placed is None else self._mask_for(placed)
        if self._stages.presence is not None:
            self._stages.presence.look(None if shown.older else shown.mask, timestamp_ms)
        canvas = self._pool.take()
        canvas.stamp(frame)
        started = time.perf_counter()
        self._composite(placed, shown, canvas)
        composited = time.perf_counter()
        status = self._status
        if shown.mask is not None:
            status.mask_age.observe(max(0.0, time.monotonic() - self._latest_mask.captured_at))
        self._latest.offer(canvas.frame)
        self._outlet.video(canvas, timestamp_ms)
        ended = time.perf_counter()
        status.took("composite", composited - started)
        status.took("hand_over", ended - composited)
        status.count("encode", "in")
        if self._throttle is not None and shown.mask is not None:
            self._throttle.worked(ended - began, reused=shown.reused)

    def _place(self, frame: Frame) -> Frame | None:
        """The part of the frame that is shown. The model sees the same part, or its mask would lie beside it."""
        try:
            return self._placement.prepare(frame)
        except Exception as exc:  # noqa: BLE001 - a frame that does not fit must not end the stream
            self._cover_because(f"the frame cannot be placed: {_why(exc)}")
            return None

    def _mask_for(self, frame: Frame) -> _Shown:
        every = 1 if self._throttle is None else self._throttle.step.mask_every
        older = self._latest_mask.mask_for(frame, every)
        if older is not None:
            return _Shown(older, older=True)
        try:
            tensor = self._sample(frame)
            still = self._still_mask(frame, tensor)
            if still is not None:
                self._status.count("infer", "still")
                return _Shown(still, still=True)
            mask = self._infer(tensor, frame.pts)
        except Exception as exc:  # noqa: BLE001 - whatever a backend raises: no mask, no clear picture
            self._status.count("infer", "failed")
            self._cover_because(f"inference failed: {_why(exc)}")
            mask = None
        self._keep(frame, mask)
        return _Shown(mask)

    def _sample(self, frame: Frame) -> Any:
        started = time.perf_counter()
        tensor = self._stages.sampler.sample(frame)
        self._status.took("sample", time.perf_counter() - started)
        return tensor

    def _still_mask(self, frame: Frame, tensor: Any) -> Mask | None:
        """The kept mask, where a gate finds that ``frame`` shows what it was made of."""
        gate = self._stages.gate
        if gate is None or not gate.still(tensor):
            return None
        return self._latest_mask.still_for(frame, gate.max_age_s)

    def _infer(self, tensor: Any, pts: int) -> Mask:
        stages, status = self._stages, self._status
        started = time.perf_counter()
        answer = stages.backend.infer(tensor)
        inferred = time.perf_counter()
        mask = stages.refiner.refine(answer, pts)
        refined = time.perf_counter()
        status.took("infer", inferred - started)
        status.took("mask", refined - inferred)
        status.count("infer", "ok")
        return mask

    def _keep(self, frame: Frame, mask: Mask | None) -> None:
        """For those that may share it; a loss is kept too, so that no mask of before hides it."""
        self._latest_mask.keep(frame, mask)
        if self._stages.gate is not None:
            self._stages.gate.keep(masked=mask is not None)

    def _composite(self, frame: Frame | None, shown: _Shown, canvas: Canvas) -> None:
        outcome, mask = "covered", shown.mask
        try:
            if frame is not None and mask is not None and (shown.reused or mask.of == frame.pts):
                self._stages.effect.apply(frame, mask, self._placement.place(canvas.frame))
                outcome = "reused_mask" if shown.reused else "ok"
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
