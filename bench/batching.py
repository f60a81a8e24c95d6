"""Many streams, one model: requests side by side, batches, or OpenVINO's throughput mode? ``python bench/batching.py``.

The same IR on this processor in each way; the ways take turns. CPU milliseconds for a picture, and how many pictures a
second come out when nothing else runs. What streams would wait for each other in a batch is not in it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from edgeseg.ovruntime import ov
from edgeseg.recipes import find_model, load_recipe

TURN_S = 0.5
Way = Callable[[float], tuple[int, float]]  # seconds to run for → pictures, CPU seconds


def compiled(model: str, batch: int, **properties: Any) -> Any:
    core = ov.Core()
    graph = core.read_model(load_recipe(find_model(model)).path)
    shape = graph.input(0).get_partial_shape()
    shape[0] = batch
    graph.reshape(shape)
    return core.compile_model(graph, "CPU", {"ENABLE_CPU_PINNING": False, **properties})


def picture(model: Any) -> Any:
    port = model.input(0)
    noise = np.random.default_rng(0).random(tuple(port.shape), np.float32)
    dtype = np.dtype(port.get_element_type().to_dtype())
    return noise.astype(dtype) if dtype.kind == "f" else (noise * 255).astype(dtype)


def requests(model: str, streams: int) -> Way:
    """As the daemon does it: one request for each stream, as many at a time as there are processors."""
    at_once = min(streams, os.cpu_count() or 1)
    shared = compiled(model, 1, NUM_STREAMS=at_once, INFERENCE_NUM_THREADS=at_once)
    ready = [shared.create_infer_request() for _ in range(streams)]
    for request in ready:
        request.set_input_tensor(ov.Tensor(picture(shared), shared_memory=False))
        request.infer()

    def run(seconds: float) -> tuple[int, float]:
        counts = [0] * streams
        until, before = time.monotonic() + seconds, time.process_time()

        def stream(number: int) -> None:
            while time.monotonic() < until:
                ready[number].infer(share_outputs=True)
                counts[number] += 1

        threads = [threading.Thread(target=stream, args=(number,)) for number in range(streams)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(counts), time.process_time() - before

    return run


def batch(model: str, size: int, threads: int) -> Way:
    """One request with a picture of each stream."""
    shared = compiled(model, size, NUM_STREAMS=1, INFERENCE_NUM_THREADS=threads)
    request = shared.create_infer_request()
    request.set_input_tensor(ov.Tensor(picture(shared), shared_memory=False))
    request.infer()

    def run(seconds: float) -> tuple[int, float]:
        count = 0
        until, before = time.monotonic() + seconds, time.process_time()
        while time.monotonic() < until:
            request.infer(share_outputs=True)
            count += size
        return count, time.process_time() - before

    return run


def throughput(model: str, streams: int) -> Way:
    """OpenVINO's own hint, with a queue of asynchronous requests."""
    shared = compiled(model, 1, PERFORMANCE_HINT="THROUGHPUT")
    queue = ov.AsyncInferQueue(shared, streams)
    tensor = picture(shared)

    def run(seconds: float) -> tuple[int, float]:
        count = 0
        until, before = time.monotonic() + seconds, time.process_time()
        while time.monotonic() < until:
            queue.start_async({0: tensor}, share_inputs=True)
            count += 1
        queue.wait_all()
        return count, time.process_time() - before

    return run


def measure(model: str, rounds: int) -> dict[str, dict[str, float]]:
    cores = os.cpu_count() or 1
    ways: dict[str, Way] = {"one request": requests(model, 1)}
    for streams in (4, 8):
        ways[f"{streams} streams: requests side by side"] = requests(model, streams)
        ways[f"{streams} streams: throughput hint"] = throughput(model, streams)
        ways[f"{streams} streams: one batch, one thread"] = batch(model, streams, 1)
        ways[f"{streams} streams: one batch, {cores} threads"] = batch(model, streams, cores)
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    rate: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, run in ways.items():
            started = time.monotonic()
            count, spent = run(TURN_S)
            cpu[name].append(spent / count * 1e3)
            rate[name].append(count / (time.monotonic() - started))
    return {
        name: {
            "cpu_ms": round(statistics.median(cpu[name]), 2),
            "pictures_per_s": round(statistics.median(rate[name]), 1),
        }
        for name in ways
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", nargs="?", default="selfie", help="name or folder of an IR of floats")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    results = measure(args.model, args.rounds)
    if args.json:
        print(json.dumps({"model": args.model, "results": results}, indent=2))
        return 0
    for name, figures in results.items():
        print(f"{name:36} {figures['cpu_ms']:7.2f} ms CPU {figures['pictures_per_s']:7.1f} pictures/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
