"""A model in its runtime: raw arrays in, raw arrays out. What lies under backends, proofs and evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edgeseg.errors import DeviceError, InferenceError, ModelError
from edgeseg.types import Quantization

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output: ``shape`` is static, as it runs; ``quantization`` is what the file says, or None."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    quantization: Quantization | None = None


class Engine(Protocol):
    """One loaded model. Ready when constructed, which raises ModelError; one thread at a time.

    ``runtime`` names it for people ("ai-edge-litert 2.3.0"). ``run`` takes one array for each input, of its shape and
    dtype, and returns one for each output, valid until the next call; it raises InferenceError. ``close`` may be called
    twice.
    """

    runtime: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    def run(self, arrays: Sequence[Array]) -> list[Array]: ...

    def close(self) -> None: ...


def check_arrays(where: object, ports: Sequence[Port], arrays: Sequence[Array]) -> None:
    """Check what goes into the engine of the model at ``where``, for runtimes that would not.

    Raises:
        InferenceError: there is not one array for each of ``ports``, or one has another shape or type.
    """
    if len(arrays) != len(ports):
        raise InferenceError(f"{where} takes {len(ports)} arrays, and was given {len(arrays)}")
    for array, port in zip(arrays, ports, strict=True):
        if array.shape != port.shape or array.dtype != port.dtype:
            raise InferenceError(
                f"{where} takes {port.dtype} {port.shape} as {port.name!r}, and was given {array.dtype} {array.shape}"
            )


def no_device(device: str, available: Sequence[str], *, may_come: bool = False) -> ModelError:
    """What to say when a backend is asked for a device that it does not have; a DeviceError if it ``may_come``."""
    kind = DeviceError if may_come else ModelError
    return kind(f"no device {device!r} on this machine", hint=f"available: {', '.join(available)}")
