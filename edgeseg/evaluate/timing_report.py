"""What the timing of a model found, as text and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgeseg.evaluate.operators import Profile
from edgeseg.evaluate.timing import Timing
from edgeseg.table import table
from edgeseg.types import Recipe

MOST_NODES = 10


def text(recipe: Recipe, timings: Sequence[Timing], devices: Mapping[str, str], cores: int, load: float) -> str:
    """A table of the candidates."""
    rows = [
        [
            timing.candidate.backend,
            timing.candidate.device,
            timing.candidate.file,
            f"{timing.load_ms:.0f}",
            f"{timing.first_ms:.1f}",
            f"{timing.median_ms:.2f}",
            f"{timing.p90_ms:.2f}",
            f"{timing.p99_ms:.2f}",
            f"{timing.cpu_ms:.2f}",
            f"{timing.per_second:.1f}",
        ]
        for timing in timings
    ]
    streams = timings[0].streams
    names = ["backend", "device", "file", "load", "first", "median", "p90", "p99", "CPU", f"per second ({streams})"]
    lines = [
        f"{recipe.name}, {recipe.width}x{recipe.height}; cores: {cores}, load before: {load:.1f}",
        *(f"{device}: {name}" for device, name in devices.items()),
        f"ms; the last column is inferences a second with {streams} at a time",
    ]
    return "\n".join(lines) + "\n" + table(names, rows, left=3)


def operators_text(device: str, profile: Profile) -> str:
    """Time per operator, and the nodes that take most of it."""
    total = profile.total_ms or 1.0
    kinds = [
        [kind, str(count), f"{spent:.3f}", f"{spent / total:.1%}"] for kind, count, spent in profile.kinds() if spent
    ]
    nodes = [
        [node.name, node.kind, node.kernel, f"{node.ms:.3f}", f"{node.ms / total:.1%}"]
        for node in profile.nodes[:MOST_NODES]
    ]
    head = f"time per operator on {device}: {profile.total_ms:.2f} ms in the mean of {profile.runs} inferences\n"
    middle = f"\nthe {len(nodes)} nodes that took most\n"
    return (
        head
        + table(["operator", "nodes", "ms", "share"], kinds)
        + middle
        + table(["node", "operator", "kernel", "ms", "share"], nodes, left=3)
    )


def json_of(
    recipe: Recipe, timings: Sequence[Timing], devices: Mapping[str, str], cores: int, load: float
) -> dict[str, Any]:
    """The same as ``text``."""
    return {
        "model": recipe.name,
        "width": recipe.width,
        "height": recipe.height,
        "cores": cores,
        "load_before": load,
        "devices": dict(devices),
        "results": [
            {
                "backend": timing.candidate.backend,
                "device": timing.candidate.device,
                "file": timing.candidate.recipe.path,
                "load_ms": timing.load_ms,
                "first_ms": timing.first_ms,
                "median_ms": timing.median_ms,
                "p90_ms": timing.p90_ms,
                "p99_ms": timing.p99_ms,
                "cpu_ms": timing.cpu_ms,
                "inferences": timing.inferences,
                "streams": timing.streams,
                "per_second": timing.per_second,
            }
            for timing in timings
        ],
    }


def operators_json(profile: Profile) -> dict[str, Any]:
    """The same as ``operators_text``, with all nodes."""
    return {
        "total_ms": profile.total_ms,
        "runs": profile.runs,
        "operators": [{"operator": kind, "nodes": count, "ms": spent} for kind, count, spent in profile.kinds()],
        "nodes": [
            {"node": node.name, "operator": node.kind, "kernel": node.kernel, "ms": node.ms} for node in profile.nodes
        ],
    }
