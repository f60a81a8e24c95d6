"""What one inference costs, and how many a machine does: u8 picture in and u8 mask out, as the daemon pays for it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np

from edgeseg.errors import EdgesegError, InferenceError, ModelError, UsageError
from edgeseg.evaluate.candidates import Candidate
from edgeseg.types import U8, Backend

TURN_S = 0.25
_WARM_UP = 3


@dataclass(frozen=True, slots=True)
class Timing:
    """One candidate. Milliseconds on the clock, but ``cpu_ms``: processor time of the whole process for one inference.

    ``load_ms`` is reading and compiling, ``first_ms`` the first inference after it; ``per_second`` what ``streams``
    callers get together, each with one thread.
    """

    candidate: Candidate
    load_ms: float
    first_ms: float
    median_ms: float
    p90_ms: float
    p99_ms: float
    cpu_ms: float
    inferences: int
    streams: int
    per_second: float


@dataclass(slots=True)
class _Loaded:
    candidate: Candidate
    backend: Backend
    load_ms: float
    first_ms: float
    wall_ms: list[float] = field(default_factory=list)
    cpu_s: float = 0.0


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load() -> float:
    """How many processes wanted to run in the last minute: the machine's own work beside what is measured."""
    return os.getloadavg()[0]


def measure(
    found: Sequence[Candidate], seconds: float, streams: int, refused: Callable[[Candidate, EdgesegError], None]
) -> list[Timing]:
    """Time each candidate for ``seconds`` alone, then for ``seconds`` with ``streams`` callers.

    Alone they take turns, so that what else the machine does meets all alike. ``refused`` hears of those that do not
    run and were not asked for.

    Raises:
        ModelError: one that was asked for cannot be loaded.
        UsageError: its backend is not installed.
        InferenceError: it does not answer.
    """
    with ExitStack() as stack:
        loaded = []
        for candidate in found:
            try:
                one = _load(candidate)
            except (ModelError, UsageError, InferenceError) as exc:
                if candidate.asked_for:
                    raise
                refused(candidate, exc)
                continue
            stack.callback(one.backend.close)
            loaded.append(one)
        _take_turns(loaded, seconds)
    return [_timing(one, streams, _throughput(one.candidate, seconds, streams)) for one in loaded]


def noise(candidate: Candidate) -> U8:
    """A picture for ``candidate``, u8 [1, h, w, 3], always the same."""
    recipe = candidate.recipe
    return np.random.default_rng(0).integers(0, 256, (1, recipe.height, recipe.width, 3), np.uint8)


def _load(candidate: Candidate) -> _Loaded:
    started = time.perf_counter()
    backend = candidate.open(1)
    loaded = time.perf_counter()
    try:
        picture = noise(candidate)
        begun = time.perf_counter()
        backend.infer(picture)
        first = time.perf_counter() - begun
        for _ in range(_WARM_UP):
            backend.infer(picture)
    except BaseException:
        backend.close()
        raise
    return _Loaded(candidate, backend, (loaded - started) * 1e3, first * 1e3)


def _take_turns(loaded: Sequence[_Loaded], seconds: float) -> None:
    pictures = [noise(one.candidate) for one in loaded]
    for _ in range(max(1, round(seconds / TURN_S))):
        for one, picture in zip(loaded, pictures, strict=True):
            cpu = time.process_time()
            until = time.perf_counter() + min(TURN_S, seconds)
            while (begun := time.perf_counter()) < until:
                one.backend.infer(picture)
                one.wall_ms.append((time.perf_counter() - begun) * 1e3)
            one.cpu_s += time.process_time() - cpu


def _throughput(candidate: Candidate, seconds: float, streams: int) -> float:
    """Inferences a second of ``streams`` callers together."""
    picture = noise(candidate)
    counts, spans = [0] * streams, [(0.0, 0.0)] * streams
    problems: list[BaseException] = []
    with ExitStack() as stack:
        backends = []
        for _ in range(streams):
            backends.append(candidate.open(streams))
            stack.callback(backends[-1].close)
            backends[-1].infer(picture)
        begin = threading.Barrier(streams)

        def call(index: int, backend: Backend) -> None:
            begin.wait()
            started = now = time.perf_counter()
            try:
                while now < started + seconds:
                    backend.infer(picture)
                    counts[index] += 1
                    now = time.perf_counter()
                spans[index] = (started, now)
            except Exception as exc:  # noqa: BLE001 - raised again by who waits for this thread
                problems.append(exc)

        callers = [
            threading.Thread(target=call, args=(index, backend), name=f"bench:{index}", daemon=True)
            for index, backend in enumerate(backends)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    if problems:
        raise problems[0]
    return sum(counts) / (max(end for _, end in spans) - min(start for start, _ in spans))


def _timing(one: _Loaded, streams: int, per_second: float) -> Timing:
    median, p90, p99 = (float(value) for value in np.percentile(one.wall_ms, (50, 90, 99)))
    count = len(one.wall_ms)
    return Timing(
        one.candidate, one.load_ms, one.first_ms, median, p90, p99, one.cpu_s * 1e3 / count, count, streams, per_second
    )
