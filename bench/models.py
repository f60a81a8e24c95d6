"""What one inference of each bundled model costs: ``python bench/models.py [--rounds N] [--json]``.

One stream, one thread, u8 picture in and u8 mask out, as the daemon does it. The models take turns, so that what else
the machine does meets all of them alike; the figures are medians of CPU and of wall-clock milliseconds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time

import numpy as np

from edgeseg.backends.openvino import OpenVinoBackend
from edgeseg.recipes import find_model, load_recipe

NAMES = ("selfie", "selfie-landscape")
PRECISIONS = ("f32", "auto")
TURN = 10


def measure(rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds for each model and precision."""
    backends: dict[str, OpenVinoBackend] = {}
    for name in NAMES:
        for precision in PRECISIONS:
            backend = OpenVinoBackend(precision)
            backend.load(load_recipe(find_model(name)), "CPU")
            backend.tensor[:] = np.random.default_rng(0).integers(0, 256, backend.tensor.shape, np.uint8)
            backends[f"{name} {precision}"] = backend
    wall: dict[str, list[float]] = {name: [] for name in backends}
    cpu: dict[str, list[float]] = {name: [] for name in backends}
    for _ in range(rounds):
        for name, backend in backends.items():
            for _ in range(TURN):
                before, before_cpu = time.perf_counter(), time.process_time()
                backend.infer(backend.tensor)
                cpu[name].append(time.process_time() - before_cpu)
                wall[name].append(time.perf_counter() - before)
    return {
        name: {"cpu_ms": statistics.median(cpu[name]) * 1e3, "wall_ms": statistics.median(wall[name]) * 1e3}
        for name in backends
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    results = measure(args.rounds)
    if args.json:
        print(json.dumps({"results": results}, indent=2))
        return 0
    for name, figures in results.items():
        print(f"{name:24} {figures['cpu_ms']:6.2f} ms CPU {figures['wall_ms']:6.2f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
