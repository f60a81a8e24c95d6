"""Where frames are made small for the model: by OpenCV on the processor, or in the model's graph, on this processor.

CPU milliseconds for a frame, from its planes to the mask, the two by turns; and how far their masks agree, on the
bundled photographs and, where they are there, on the test material's sixty people.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

import script
from cost import ROOT
from report import table

sys.path.insert(0, str(ROOT))

from edgeseg.backends.openvino import OpenVinoBackend
from edgeseg.pictures import find, read
from edgeseg.recipes import find_model, load_recipe
from edgeseg.sampling import DeviceSampler
from edgeseg.types import Colour, Frame
from tests.reference import material
from tests.reference.cases import overlap
from tests.reference.model import probability, sampled
from tests.shared import has_shared, shared

MODELS = ("selfie", "selfie-landscape")
SIZES = ("720p", "1080p")
WAYS = ("host", "graph")
TURN = 10
PEOPLE = ("person60", "images")


def frames(size: str) -> list[Frame]:
    """The bundled photographs, and the people of the test material."""
    pictures = list(material.photographs().values())
    if has_shared(*PEOPLE):
        pictures += [read(path) for path in find(shared(*PEOPLE))]
    return [material.frame_of(rgb, material.SIZES[size], Colour()) for rgb in pictures]


def way(name: str, sampling: str) -> tuple[OpenVinoBackend, DeviceSampler]:
    recipe, backend = load_recipe(find_model(name)), OpenVinoBackend("f32", sampling=sampling)
    backend.load(recipe, "CPU")
    return backend, DeviceSampler(recipe, backend.takes)


def cell(name: str, size: str, rounds: int) -> dict[str, Any]:
    """CPU ms/frame of both ways, and their agreement."""
    ways = {sampling: way(name, sampling) for sampling in WAYS}
    pictures, recipe = frames(size), load_recipe(find_model(name))
    agreed, exact = [], {sampling: [] for sampling in WAYS}
    for frame in pictures:
        masks = {s: backend.infer(sampler.sample(frame)) / 255 for s, (backend, sampler) in ways.items()}
        expected = probability(sampled(frame, recipe.width, recipe.height), recipe)
        agreed.append(overlap(masks["host"], masks["graph"]))
        for sampling, mask in masks.items():
            exact[sampling].append(overlap(mask, expected))
    spent: dict[str, list[float]] = {sampling: [] for sampling in WAYS}
    for _ in range(rounds):  # by turns, so that a busy neighbour is everybody's
        for sampling, (backend, sampler) in ways.items():
            started = time.process_time()
            for frame in pictures[:TURN]:
                backend.infer(sampler.sample(frame))
            spent[sampling].append((time.process_time() - started) / len(pictures[:TURN]) * 1e3)
    for backend, _ in ways.values():
        backend.close()
    return {
        "cpu_ms": {sampling: round(statistics.median(times), 2) for sampling, times in spent.items()},
        "agreement": {"mean": statistics.mean(agreed), "median": statistics.median(agreed), "least": min(agreed)},
        "exactness": {sampling: statistics.mean(found) for sampling, found in exact.items()},
        "pictures": len(pictures),
    }


def measure(setting: script.Setting) -> dict[str, Any]:
    cells = {}
    for name in MODELS[:1] if setting.quick else MODELS:
        for size in SIZES:
            setting.say(f"{name}, {size}")
            cells[f"{name}, {size}"] = cell(name, size, setting.rounds)
    return {"cells": cells}


def text(results: dict[str, Any]) -> str:
    rows = [
        [name, *(f"{found['cpu_ms'][sampling]:.2f}" for sampling in WAYS)]
        + [f"{found['agreement'][which]:.4f}" for which in ("mean", "median", "least")]
        + [f"{found['exactness'][sampling]:.4f}" for sampling in WAYS]
        for name, found in results["cells"].items()
    ]
    names = ["model, frames", "host, ms", "graph, ms", "IoU, mean", "median", "least"]
    names += ["host to exact", "graph to exact"]
    count = next(iter(results["cells"].values()))["pictures"]
    head = [f"Sampling and inference, CPU ms/frame, one thread; IoU of the masks of {count} pictures:", ""]
    return "\n".join([*head, *table(names, rows)])


if __name__ == "__main__":
    sys.exit(script.main("sampling", __doc__, measure, text, rounds=15))
