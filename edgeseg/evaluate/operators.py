"""Where the time of one inference goes inside a model, as OpenVINO counts it."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeseg.backends.compiled import Wanted
from edgeseg.backends.graph import wrap
from edgeseg.errors import ModelError
from edgeseg.ovruntime import ov, reason
from edgeseg.types import Recipe

_FEWEST = 5


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the compiled graph: ``kind`` is the operator, ``kernel`` what the device runs it with, ``ms`` the
    time that it took in the mean of the inferences.
    """

    name: str
    kind: str
    kernel: str
    ms: float


@dataclass(frozen=True, slots=True)
class Profile:
    """All nodes that ran, the longest first. ``runs`` inferences were counted."""

    nodes: tuple[Node, ...]
    runs: int

    @property
    def total_ms(self) -> float:
        return sum(node.ms for node in self.nodes)

    def kinds(self) -> list[tuple[str, int, float]]:
        """Operator, how many nodes, milliseconds of all of them; the longest first."""
        counts: dict[str, int] = defaultdict(int)
        times: dict[str, float] = defaultdict(float)
        for node in self.nodes:
            counts[node.kind] += 1
            times[node.kind] += node.ms
        return sorted(((kind, counts[kind], times[kind]) for kind in counts), key=lambda row: -row[2])


def profile(recipe: Recipe, device: str, precision: str, seconds: float) -> Profile:
    """Run ``recipe``, an IR, for ``seconds`` on one thread and count what each node takes. Includes what edgeseg puts
    before and behind the model.

    Raises:
        ModelError: it cannot be run.
    """
    wanted = Wanted.of(recipe, device, precision, 1, None)
    core = ov.Core()
    try:
        model = wrap(core.read_model(recipe.path), recipe)
        compiled = core.compile_model(model, device, wanted.properties() | {"PERF_COUNT": True})
        request = compiled.create_infer_request()
        for port in compiled.inputs:
            shape = tuple(int(side) for side in port.shape)
            picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
            request.set_tensor(port, ov.Tensor(picture))
        request.infer()  # what is done once only is not counted
        return _run(request, seconds)
    except RuntimeError as exc:
        raise ModelError(f"model {recipe.name!r} cannot be profiled on {device}: {reason(exc)}") from exc


def _run(request: Any, seconds: float) -> Profile:
    times: dict[tuple[str, str, str], float] = defaultdict(float)
    runs = 0
    until = time.perf_counter() + seconds
    while runs < _FEWEST or time.perf_counter() < until:
        request.infer()
        runs += 1
        for entry in request.get_profiling_info():
            if entry.status == ov.ProfilingInfo.Status.EXECUTED:
                key = (entry.node_name, entry.node_type, entry.exec_type)
                times[key] += entry.real_time.total_seconds() * 1e3
    nodes = (Node(*key, spent / runs) for key, spent in times.items())
    return Profile(tuple(sorted(nodes, key=lambda node: -node.ms)), runs)
