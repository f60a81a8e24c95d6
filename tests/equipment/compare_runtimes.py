"""Reads models as ``edgeseg convert`` does, and runs each in its own runtime and in OpenVINO on the same noise.

Run by tests in an environment that has the framework: ``python compare_runtimes.py [--size=WxH] FILE…``. Prints a line
of JSON for each.
"""

from __future__ import annotations

import json
import sys

import numpy as np

from edgeseg.convert.readers import formats
from edgeseg.errors import EdgesegError
from edgeseg.ovruntime import ov


def compare(source: str, size: tuple[int, int] | None) -> dict[str, object]:
    """What ``source`` is, and the largest difference of all its answers."""
    try:
        formats.check(source)
        read = formats.read(source, size)
        assert read.engine is not None
        engine = read.engine()
    except EdgesegError as exc:
        return {"error": str(exc), "exit": exc.exit_code}
    compiled = ov.Core().compile_model(read.model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    random = np.random.default_rng(0)
    feeds = [_noise(random, port.shape, port.dtype) for port in engine.inputs]
    ours, original = compiled(feeds), engine.run(feeds)
    distances = [
        float(np.abs(answer.astype(np.float64).reshape(-1) - ours[index].reshape(-1)).max())
        for index, answer in enumerate(original)
    ]
    spread = max(float(np.ptp(answer)) for answer in original)  # a constant would prove nothing
    shapes = [list(port.shape) for port in engine.inputs]
    return {
        "format": read.format,
        "layout": read.layout,
        "runtime": engine.runtime,
        "inputs": shapes,
        "difference": max(distances),
        "spread": spread,
    }


def _noise(random: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> np.ndarray:
    if dtype.kind in "iu":
        return random.integers(0, 128, shape).astype(dtype)
    return random.standard_normal(shape).astype(dtype)


def main() -> None:
    size: tuple[int, int] | None = None
    for argument in sys.argv[1:]:
        if argument.startswith("--size="):
            width, _, height = argument.removeprefix("--size=").partition("x")
            size = int(width), int(height)
        else:
            print(json.dumps(compare(argument, size)))


if __name__ == "__main__":
    main()
