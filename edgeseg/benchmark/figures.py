"""What was measured, and what follows from it by arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean

STAGES = ("decode", "sample", "infer", "mask", "composite", "encode")
# What nobody can do without.
FLOOR = ("decode", "infer", "encode")
# Below this share of the wanted rate a stream is not carried.
HOLDS = 0.97
# A machine that is used up by less than this is held up by something else than its processor.
_USED_UP = 0.85


@dataclass(frozen=True, slots=True)
class Costs:
    """CPU of one stream, in milliseconds for each picture that it puts out at its own rate, ``fps``.

    ``stages`` has one figure for each of ``STAGES``; ``whole`` is the same of a whole daemon with its children.
    """

    stages: dict[str, float]
    whole: float
    fps: float

    @property
    def floor(self) -> float:
        return sum(self.stages[name] for name in FLOOR)

    @property
    def rest(self) -> float:
        """What the daemon takes beside its stages: hand-over, queues, recording. Below 0 by noise only."""
        return self.whole - sum(self.stages.values())

    def per_second(self, fps: float | None = None) -> float:
        """CPU milliseconds of a second at ``fps`` pictures; every picture of the source is decoded, shown or not."""
        return self.stages["decode"] * self.fps + (self.whole - self.stages["decode"]) * (fps or self.fps)


def streams_that_fit(costs: list[Costs], cores: float, fps: float | None = None) -> float:
    """How many streams of this kind, in turn, ``cores`` would carry if nothing but the processor counted.

    ``fps`` is the highest rate; None is each one's own.
    """
    each = fmean(cost.per_second(None if fps is None else min(fps, cost.fps)) for cost in costs)
    return cores * 1000 / each


@dataclass(frozen=True, slots=True)
class Trial:
    """``count`` streams, watched for ``seconds``; ``rates`` and ``wanted`` are pictures a second of each.

    ``cpu`` and ``others`` are the cores that the daemon with its children and everybody else kept busy, ``pss`` is the
    memory of the daemon with its children in bytes, pages that they share counted once.
    """

    rates: tuple[float, ...]
    wanted: tuple[float, ...]
    cpu: float
    others: float
    pss: int
    seconds: float

    @property
    def count(self) -> int:
        return len(self.rates)

    @property
    def share(self) -> float:
        """What the slowest stream gave of what was wanted of it; catching up does not count."""
        return min(1.0, *(rate / wanted for rate, wanted in zip(self.rates, self.wanted, strict=True)))

    @property
    def slowest(self) -> float:
        """Pictures a second of the stream that gave the least of what was wanted."""
        pairs = zip(self.rates, self.wanted, strict=True)
        return min(pairs, key=lambda pair: pair[0] / pair[1])[0]

    @property
    def held(self) -> bool:
        return self.share >= HOLDS


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many streams were carried; ``fps`` None is each one's own rate.

    ``most`` is the largest number that memory allowed to try.
    """

    fps: float | None
    estimated: float
    most: int
    trials: list[Trial] = field(default_factory=list)

    @property
    def carried(self) -> Trial | None:
        """The largest trial that held."""
        return max((trial for trial in self.trials if trial.held), key=lambda trial: trial.count, default=None)

    @property
    def too_many(self) -> Trial | None:
        """The smallest trial above that, which did not hold."""
        carried = self.carried.count if self.carried else 0
        above = [trial for trial in self.trials if not trial.held and trial.count > carried]
        return min(above, key=lambda trial: trial.count, default=None)

    def limited_otherwise(self, cores: float) -> bool:
        """Whether streams were too many though processors were free."""
        trial = self.too_many
        return trial is not None and trial.share > 0 and trial.cpu + trial.others < _USED_UP * cores
