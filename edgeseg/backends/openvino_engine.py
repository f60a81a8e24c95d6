"""A model in OpenVINO as it is in its file, nothing put before or behind it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgeseg.backends import ir_file
from edgeseg.backends.engine import Array, Port, check_arrays
from edgeseg.errors import InferenceError, ModelError
from edgeseg.ovruntime import ov, reason


class OpenVinoEngine:
    """An IR with its own inputs and outputs. For proofs and evaluation; streams run ``OpenVinoBackend``.

    Args:
        path: the ``.xml`` of an IR; its ``.bin`` lies beside it.
        precision: what the device is told to compute in. "f32" answers as the framework did that the model is from;
            "auto" leaves it to the device.
        device: OpenVINO's name of it.
        threads: how many threads one inference may use (CPU only).

    Raises:
        ModelError: the file is missing or is no IR, leaves a shape open, or the device cannot run it.
    """

    def __init__(self, path: Path, precision: str = "f32", device: str = "CPU", threads: int = 1) -> None:
        self.runtime = f"openvino {ov.__version__.partition('-')[0]}"
        self._path = path
        compiled = _compile(path, device, ir_file.properties(precision, device, threads=threads))
        self.inputs = tuple(self._port(port, index, "input") for index, port in enumerate(compiled.inputs))
        self.outputs = tuple(self._port(port, index, "output") for index, port in enumerate(compiled.outputs))
        self._request: Any = compiled.create_infer_request()

    def run(self, arrays: Sequence[Array]) -> list[Array]:
        """One answer for each output; views that the next call overwrites.

        Raises:
            InferenceError: an array has another shape or type than its input, or the model failed.
        """
        if self._request is None:
            raise InferenceError(f"{self._path} is closed")
        check_arrays(self._path, self.inputs, arrays)
        try:
            # By index: a list would be taken for one array where there is one input.
            self._request.infer(dict(enumerate(np.ascontiguousarray(array) for array in arrays)), share_outputs=True)
        except RuntimeError as exc:
            raise InferenceError(f"{self._path} did not answer: {reason(exc)}") from exc
        return [self._request.get_output_tensor(index).data for index in range(len(self.outputs))]

    def close(self) -> None:
        """Free the model. May be called twice."""
        self._request = None

    def _port(self, port: Any, index: int, kind: str) -> Port:
        if port.get_partial_shape().is_dynamic:
            raise ModelError(
                f"{self._path}: {kind} {index} has no fixed shape, but {port.get_partial_shape()}",
                hint="edgeseg convert --size WxH fixes it",
            )
        names = sorted(port.get_names())
        name = names[0] if names else f"{kind} {index}"
        try:
            dtype = np.dtype(port.get_element_type().to_dtype())
        except (RuntimeError, TypeError) as exc:
            element = port.get_element_type().get_type_name()
            raise ModelError(f"{self._path}: {kind} {index} holds {element}, which numpy does not know") from exc
        return Port(name, tuple(int(side) for side in port.shape), dtype)


def _compile(path: Path, device: str, properties: dict[str, Any]) -> Any:
    ir_file.files(path)
    core = ov.Core()
    model = ir_file.read(core, path)
    try:
        return core.compile_model(model, device, properties)
    except RuntimeError as exc:
        raise ModelError(
            f"{path} cannot run on {device}: {reason(exc)}", hint=f"available: {', '.join(core.available_devices)}"
        ) from exc
