"""Measures the streams of a configuration: what they cost, how many of them hold, what would help."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgeseg.benchmark import material, processes, settings, stages, trial
from edgeseg.benchmark.advice import Advice, Facts, advise, bottleneck, lighter
from edgeseg.benchmark.capacity import TRIALS, search
from edgeseg.benchmark.figures import Capacity, Costs, Trial, streams_that_fit
from edgeseg.benchmark.progress import Progress
from edgeseg.benchmark.settings import Played
from edgeseg.config import StreamConfig

_RENDER_NODE = Path("/dev/dri/renderD128")
# More would find the limits of the benchmark.
_MOST = 64
# Of the memory that is free; the rest is for whoever else runs here.
_MEMORY_SHARE = 0.8
_STEPS = 4  # for each stream, before the search


@dataclass(frozen=True, slots=True)
class StreamResult:
    """One stream: what was played, on which device its model ran, what it costs and what would help."""

    played: Played
    device: str
    costs: Costs
    advice: Advice


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that was measured."""

    processor: str
    cores: float
    load_before: float
    seconds: float
    streams: tuple[StreamResult, ...]
    capacities: tuple[Capacity, ...]

    @property
    def others(self) -> float:
        """The cores that other programs kept busy meanwhile, at the most."""
        return max((each.others for capacity in self.capacities for each in capacity.trials), default=0.0)


def steps(streams: int) -> int:
    """How many steps ``run`` tells of at most."""
    return _STEPS * streams + 2 * TRIALS


def run(streams: dict[str, StreamConfig], ffmpeg: str, seconds: float, fps_floor: float, progress: Progress) -> Result:
    """Measure ``streams``, each measurement for ``seconds``. Nothing is sent anywhere; files are temporary.

    Raises:
        EdgesegError: a source, a model or an encoder does not work.
    """
    load, cores = os.getloadavg()[0], processes.cores()
    with tempfile.TemporaryDirectory(prefix="edgeseg-streams-") as name:
        bench = _Bench(ffmpeg, Path(name), seconds, progress)
        # All of them first: a camera that is away is told before minutes are spent on the others.
        found = []
        for stream_name, stream in streams.items():
            progress.step(f"{stream_name}: what is played")
            found.append(material.prepare(stream_name, stream, ffmpeg, Path(name), progress.within))
        results, memory = [], 1
        for played in found:
            device, costs, pss = bench.costs(played)
            source = (played.width, played.height)
            facts = Facts(source, played.size, fps_floor, _RENDER_NODE.exists(), bench.lighter_ms(played, costs))
            results.append(StreamResult(played, device, costs, advise(played.stream, costs, facts)))
            memory = max(memory, pss)
        most = _most(memory)
        rates: list[float | None] = [None]
        if any(result.costs.fps > fps_floor for result in results):
            rates.append(fps_floor)
        capacities = []
        for number, fps in enumerate(rates):
            bench.begin(_STEPS * len(streams) + number * TRIALS)
            capacities.append(bench.capacity(results, cores, fps, most))
    return Result(processes.processor_name(), cores, load, seconds, tuple(results), tuple(capacities))


def _most(stream_bytes: int) -> int:
    """How many streams of this size may be tried: as many as the free memory holds, where that is known."""
    available = processes.available_bytes()
    return max(1, min(_MOST, int(_MEMORY_SHARE * available / stream_bytes))) if available else _MOST


class _Bench:
    def __init__(self, ffmpeg: str, folder: Path, seconds: float, progress: Progress) -> None:
        self._ffmpeg, self._folder, self._seconds, self._progress = ffmpeg, folder, seconds, progress
        self._next_step: int | None = None

    def begin(self, step: int) -> None:
        """What comes next is this step: a search may have ended early."""
        self._next_step = step

    def costs(self, played: Played) -> tuple[str, Costs, int]:
        """Device, costs, and the memory of a daemon with this one stream in bytes."""
        self._progress.step(f"{played.name}: each stage")
        spent, device = self._stages(played)
        self._progress.step(f"{played.name}: the whole")
        whole, pss = trial.whole(played, self._ffmpeg, self._folder, self._seconds, self._progress.within)
        return device, Costs(spent, whole, played.fps), pss

    def lighter_ms(self, played: Played, costs: Costs) -> float | None:
        """What the bottleneck costs with the setting that makes it lighter; None where there is none."""
        stage = bottleneck(costs)
        option = lighter(played.stream, stage)
        if option is None:
            return None
        self._progress.step(f"{played.name}: {option.what}")
        return self._stages(replace(played, stream=option.stream))[0][stage]

    def _stages(self, played: Played) -> tuple[dict[str, float], str]:
        config = settings.read(settings.write(self._folder, [played], self._ffmpeg))
        return stages.measure(played, config, self._seconds, self._progress.within)

    def capacity(self, results: Sequence[StreamResult], cores: float, fps: float | None, most: int) -> Capacity:
        """The search for the number of streams that hold at ``fps``; None is each one's own rate."""
        streams = [result.played for result in results]
        estimated = streams_that_fit([result.costs for result in results], cores, fps)
        rate = "as fast as their sources" if fps is None else f"at {fps:g} fps"

        def attempt(count: int) -> Trial:
            self._progress.step(f"{count} stream{'s'[: count > 1]} {rate}", self._next_step)
            self._next_step = None
            return trial.hold(streams, count, fps, self._ffmpeg, self._folder, self._seconds, self._progress.within)

        return Capacity(fps, estimated, most, search(int(estimated), most, attempt))
