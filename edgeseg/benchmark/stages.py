"""CPU of each step, with the parts that the daemon builds, one step after the other over the material."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any, TypeVar

from edgeseg.benchmark import processes
from edgeseg.benchmark.encoding import LoneEncoder
from edgeseg.benchmark.figures import STAGES
from edgeseg.benchmark.material import Tell
from edgeseg.benchmark.settings import Played
from edgeseg.build import blueprint, build_keeper
from edgeseg.config import Config
from edgeseg.encoding.command import usable_settings
from edgeseg.encoding.matroska import RawFormat
from edgeseg.errors import SourceError
from edgeseg.pipeline import Stages
from edgeseg.placement import Placement
from edgeseg.types import Frame, Source

# Pictures that are not counted: everything warms up.
_WARM = 10
_LEAST, _LONGEST = 20, 6.0

T = TypeVar("T")


class _Clock:
    """Adds up the CPU of this process, all its threads, by step: a model may run on threads of its own."""

    def __init__(self) -> None:
        self.spent = dict.fromkeys(STAGES, 0.0)

    def run(self, name: str, call: Callable[[], T]) -> T:
        before = time.process_time()
        try:
            return call()
        finally:
            self.spent[name] += time.process_time() - before


def measure(played: Played, config: Config, seconds: float, tell: Tell) -> tuple[dict[str, float], str]:
    """CPU ms of each of ``STAGES`` for a picture that the stream puts out, and the device that the model ran on.

    ``config`` is what ``settings.write`` wrote of ``played``. Decoding counts for the pictures that are left out, too.
    Encoding includes reading the raw pictures from the pipe. Takes ``seconds``, up to six times that where pictures
    take long.

    Raises:
        SourceError: the source does not play.
        ModelError: the model cannot be loaded.
        InferenceError: it does not answer.
        EncoderError: the encoder does not work.
    """
    plan = blueprint(next(iter(config.streams)), config, build_keeper(config))
    encoder, _ = usable_settings(plan.encoder)
    stages = plan.load()
    source = plan.make_source()
    try:
        found = source.open()
        placement = Placement(found, plan.video.size, plan.video.fit)
        fps = Fraction(played.fps).limit_denominator(1001)
        raw = RawFormat(placement.width, placement.height, fps, found.colour, placement.sample_aspect_ratio)
        with LoneEncoder(encoder, raw) as lone:
            spent = _Run(stages, source, placement, lone).measure(seconds, tell)
    finally:
        source.close()
        plan.unload()
    spent["decode"] *= played.source_fps / played.fps
    return spent, plan.status.device


class _Run:
    def __init__(self, stages: Stages, source: Source, placement: Placement, lone: LoneEncoder) -> None:
        self._stages, self._source, self._placement, self._lone = stages, source, placement, lone

    def measure(self, seconds: float, tell: Tell) -> dict[str, float]:
        for _ in range(_WARM):
            self._picture(_Clock())
        clock, count = _Clock(), 0
        encoder, decoders = self._lone.cpu_s, self._children_s()
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds or (count < _LEAST and passed < _LONGEST * seconds):
            self._picture(clock)
            count += 1
            tell(passed / seconds)
        clock.spent["encode"] = self._lone.cpu_s - encoder
        clock.spent["decode"] += self._children_s() - decoders
        return {name: spent / count * 1000 for name, spent in clock.spent.items()}

    def _picture(self, clock: _Clock) -> None:
        frame = clock.run("decode", self._next)
        shown = clock.run("composite", lambda: self._placement.prepare(frame))
        sample: Any = clock.run("sample", lambda: self._stages.sampler.sample(shown))
        answer = clock.run("infer", lambda: self._stages.backend.infer(sample))
        mask = clock.run("mask", lambda: self._stages.refiner.refine(answer, shown.pts))
        canvas = self._lone.pool.take()
        canvas.stamp(shown)
        place = self._placement.place(canvas.frame)
        clock.run("composite", lambda: self._stages.effect.apply(shown, mask, place))
        self._lone.picture(canvas)

    def _next(self) -> Frame:
        while (item := self._source.read()) is not None:
            if isinstance(item, Frame):
                return item
        raise SourceError("the source ended before anything could be measured")

    def _children_s(self) -> float:
        """Of children that decode."""
        return sum(processes.cpu_s(pid) for pid in processes.tree(os.getpid())[1:] if pid != self._lone.pid)
