"""Runs .onnx files with ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from edgeseg.backends.engine import Array, Port, no_device
from edgeseg.backends.engine_backend import EngineBackend
from edgeseg.backends.fit import picture_shape
from edgeseg.errors import InferenceError, ModelError
from edgeseg.types import Recipe

DEVICES = ("CPU", "AUTO")
_ERRORS_ONLY = 3
_TYPES = {"float": "float32", "double": "float64"} | {
    name: name for name in ("float16", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool")
}


class OnnxBackend(EngineBackend):
    """Runs an .onnx model on the CPU.

    Args:
        threads: how many threads one inference may use.
    """

    def __init__(self, threads: int = 1) -> None:
        super().__init__(lambda recipe, device: _open(recipe, device, threads))


class OnnxEngine:
    """An .onnx file as it is. Inference releases the GIL.

    Args:
        path: the file.
        threads: how many threads one inference may use.
        picture: the shape that the first input is to have, where the file leaves sides open; 1 without it.

    Raises:
        ModelError: onnxruntime is not installed, or the file cannot be run by it.
    """

    def __init__(self, path: Path, threads: int = 1, picture: Sequence[int] | None = None) -> None:
        onnxruntime = _import()
        self.runtime = f"onnxruntime {onnxruntime.__version__}"
        self._path = path
        if not path.is_file():
            raise ModelError(f"{path} does not exist")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        # Threads that spin between two frames would eat the processor that the encoder needs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as exc:  # its errors have no common base but Exception
            raise ModelError(f"{path} cannot be run by {self.runtime}: {_reason(exc)}") from exc
        feeds, answers = self._session.get_inputs(), self._session.get_outputs()
        self.inputs = tuple(
            self._port(feed, _closed(feed.shape, picture if index == 0 else None)) for index, feed in enumerate(feeds)
        )
        shapes = [answer.shape for answer in answers]
        if not all(shape and all(isinstance(side, int) for side in shape) for shape in shapes):
            # Only a run tells the sides that depend on those of the input.
            tried = self._infer([np.zeros(port.shape, port.dtype) for port in self.inputs], ModelError)
            shapes = [answer.shape for answer in tried]
        self.outputs = tuple(self._port(answer, tuple(shape)) for answer, shape in zip(answers, shapes, strict=True))

    def run(self, arrays: Sequence[Array]) -> list[Array]:
        """One answer for each output, the caller's own.

        Raises:
            InferenceError: an array has another shape or type than its input, or the model failed.
        """
        if self._session is None:
            raise InferenceError(f"{self._path} is closed")
        return self._infer(arrays, InferenceError)

    def close(self) -> None:
        """Free the model. May be called twice."""
        self._session = None

    def _infer(self, arrays: Sequence[Array], error: type[InferenceError | ModelError]) -> list[Array]:
        try:
            feeds = {port.name: array for port, array in zip(self.inputs, arrays, strict=True)}
            return [np.asarray(answer) for answer in self._session.run(None, feeds)]
        except Exception as exc:  # its errors have no common base but Exception
            raise error(f"{self._path} did not answer: {_reason(exc)}") from exc

    def _port(self, node: Any, shape: tuple[int, ...]) -> Port:
        kind = str(node.type).removeprefix("tensor(").removesuffix(")")
        if kind not in _TYPES:
            raise ModelError(f"{self._path}: {node.name} is a {node.type}, which no picture or mask can be")
        return Port(str(node.name), tuple(int(side) for side in shape), np.dtype(_TYPES[kind]))


def _open(recipe: Recipe, device: str, threads: int) -> OnnxEngine:
    if device not in DEVICES:
        raise no_device(device, DEVICES)
    return OnnxEngine(Path(recipe.path), threads, picture_shape(recipe))


def _import() -> Any:
    try:
        return import_module("onnxruntime")
    except ImportError as exc:
        raise ModelError("onnxruntime is not installed", hint="pip install 'edgeseg[onnx]'") from exc


def _closed(shape: Sequence[Any], picture: Sequence[int] | None) -> tuple[int, ...]:
    """``shape`` with a number for each side that the file leaves open: the picture's, else 1."""
    if not shape and picture is not None:
        return tuple(picture)  # the file does not even say how many sides there are
    fill = picture if picture is not None and len(picture) == len(shape) else [1] * len(shape)
    return tuple(side if isinstance(side, int) else wanted for side, wanted in zip(shape, fill, strict=True))


def _reason(exc: BaseException) -> str:
    """The text of an error of onnxruntime without its "[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : "."""
    text = " ".join(str(exc).split())
    parts = text.split(" : ", 3)
    return (parts[3] if len(parts) == 4 and parts[0] == "[ONNXRuntimeError]" else text).rstrip(".")
