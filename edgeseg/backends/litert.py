"""Runs .tflite files with LiteRT: ``ai-edge-litert``, or its older self ``tflite-runtime`` where that is installed."""

from __future__ import annotations

import logging
import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from edgeseg.backends.engine import Array, Port, no_device
from edgeseg.backends.engine_backend import EngineBackend
from edgeseg.backends.fit import picture_shape
from edgeseg.backends.tflite_whole import is_whole
from edgeseg.errors import InferenceError, ModelError
from edgeseg.types import Quantization, Recipe

DEVICES = ("CPU", "AUTO")
_PACKAGES = {"ai-edge-litert": "ai_edge_litert.interpreter", "tflite-runtime": "tflite_runtime.interpreter"}
_EDGETPU_OPERATOR = b"edgetpu-custom-op"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Runtime:
    """The package that runs .tflite files here; ``name`` is for people, ``module`` holds its Interpreter."""

    name: str
    module: Any


class Delegate(Protocol):
    """What takes over a part of a model; destroyed by its owner, after the engine is closed."""

    def _get_native_delegate_pointer(self) -> int: ...


class LiteRtBackend(EngineBackend):
    """Runs a .tflite model on the CPU.

    Args:
        threads: how many threads one inference may use.
    """

    def __init__(self, threads: int = 1) -> None:
        super().__init__(lambda recipe, device: _open(recipe, device, threads))


class LiteRtEngine:
    """A .tflite file as it is. Inference releases the GIL; loading holds it (0.1 s for a large model).

    Args:
        path: the file.
        threads: how many threads one inference may use.
        picture: the shape that the first input is to have, where the file leaves sides open.
        delegates: who is asked to take over operators, instead of the ones that LiteRT brings.
        other_kernels: run it in another set of LiteRT's kernels than usual, to see how far its own sets agree.

    Raises:
        ModelError: no package for such files is installed, or this one cannot be run.
    """

    def __init__(
        self,
        path: Path,
        threads: int = 1,
        picture: Sequence[int] | None = None,
        delegates: Sequence[Delegate] = (),
        other_kernels: bool = False,
    ) -> None:
        found = find_runtime()
        self.runtime = found.name
        self._path = path
        self._interpreter = _allocated(found, path, threads, picture, delegates, other_kernels=other_kernels)
        feeds = self._interpreter.get_input_details()
        answers = self._interpreter.get_output_details()
        self._feeds = [int(feed["index"]) for feed in feeds]
        self._answers = [int(answer["index"]) for answer in answers]
        self.inputs = tuple(_port(feed) for feed in feeds)
        self.outputs = tuple(_port(answer) for answer in answers)

    def run(self, arrays: Sequence[Array]) -> list[Array]:
        """One answer for each output, the caller's own.

        Raises:
            InferenceError: an array has another shape or type than its input, or the model failed.
        """
        interpreter = self._interpreter  # its own hold on it: another thread may close
        if interpreter is None:
            raise InferenceError(f"{self._path} is closed")
        try:
            for feed, array in zip(self._feeds, arrays, strict=True):
                interpreter.set_tensor(feed, array)
            interpreter.invoke()
            return [interpreter.get_tensor(answer) for answer in self._answers]
        except (RuntimeError, ValueError) as exc:
            raise InferenceError(f"{self._path} did not answer: {_one_line(exc)}") from exc

    def close(self) -> None:
        """Free the model. May be called twice."""
        self._interpreter = None


def find_runtime() -> Runtime:
    """The package that runs .tflite files here; ``ai-edge-litert`` where both are installed.

    Raises:
        ModelError: none is installed, or the one that is does not work with the numpy that is.
    """
    for package, module in _PACKAGES.items():
        try:
            release = version(package)
        except PackageNotFoundError:
            continue
        if package == "tflite-runtime" and int(np.__version__.partition(".")[0]) > 1:
            # Importing it would print a page about binary compatibility, and the first model raise SystemError.
            raise ModelError(
                f"tflite-runtime {release} does not work with numpy {np.__version__}: it was built for numpy 1",
                hint="pip install 'edgeseg[tflite]' for its successor ai-edge-litert, or pip install 'numpy<2'",
            )
        try:
            return Runtime(f"{package} {release}", import_module(module))
        except ImportError as exc:
            raise ModelError(f"{package} {release} cannot be imported: {_one_line(exc)}") from exc
    raise ModelError(
        "nothing that runs .tflite files is installed", hint="pip install 'edgeseg[tflite]' for ai-edge-litert"
    )


def compiled_for_edgetpu(path: Path) -> bool:
    """Whether the file holds operators that only an Edge TPU can run.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            if file.seek(0, 2) == 0:
                return False
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return content.find(_EDGETPU_OPERATOR) >= 0
    except OSError as exc:
        raise ModelError(f"{path} cannot be read: {exc.strerror}") from exc


def _open(recipe: Recipe, device: str, threads: int) -> LiteRtEngine:
    if device not in DEVICES:
        raise no_device(device, DEVICES)
    path = Path(recipe.path)
    if compiled_for_edgetpu(path):
        raise ModelError(
            f"model {recipe.name!r}: {path} is compiled for the Edge TPU and runs nowhere else",
            hint="use backend: edgetpu, or the file that it was compiled from",
        )
    return LiteRtEngine(path, threads, picture_shape(recipe))


def _allocated(
    found: Runtime,
    path: Path,
    threads: int,
    picture: Sequence[int] | None,
    delegates: Sequence[Delegate],
    *,
    other_kernels: bool,
) -> Any:
    """An interpreter that is ready to run."""
    if not path.is_file():
        raise ModelError(f"{path} does not exist")
    if found.name.startswith("tflite-runtime") and not is_whole(path.read_bytes()):
        raise ModelError(f"{path} cannot be run by {found.name}: it is damaged", hint="was it downloaded whole?")
    kinds = found.module.OpResolverType
    # LiteRT's XNNPACK refuses some models that its plain operators run: "unsupported scale value (0.000000)".
    resolvers = [kinds.AUTO] if delegates else [kinds.AUTO, kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES]
    resolvers += [kinds.BUILTIN_REF] if other_kernels else []
    place = 1 if other_kernels else 0  # among those that take the model: the usual ones come first
    taken: list[tuple[Any, Any]] = []
    why = ""
    for resolver in resolvers:
        settings = {"experimental_op_resolver_type": resolver, "experimental_delegates": list(delegates)}
        interpreter, why = _try(found.module.Interpreter, path, threads, picture, settings)
        if interpreter is not None:
            taken.append((resolver, interpreter))
        if len(taken) > place:
            break
    else:
        raise ModelError(f"{path} cannot be run by {found.name}: {why or 'it has no other kernels'}")
    resolver, interpreter = taken[place]
    if resolver is not kinds.AUTO and not other_kernels:
        _log.warning("%s runs without XNNPACK, which refuses it: it may be slow", path)
    return interpreter


def _try(
    make: Any, path: Path, threads: int, picture: Sequence[int] | None, settings: dict[str, Any]
) -> tuple[Any, str]:
    """An interpreter, or why there is none. As text: a traceback would keep a half-made one alive, and its delegates
    are destroyed before it is.
    """
    try:
        interpreter = make(model_path=str(path), num_threads=threads, **settings)
        _give_sides(interpreter, picture)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as exc:
        return None, _one_line(exc)
    return interpreter, ""


def _give_sides(interpreter: Any, picture: Sequence[int] | None) -> None:
    """Fix what the file leaves open in the first input, where the picture fits into it."""
    feed = interpreter.get_input_details()[0]
    signature = [int(side) for side in feed["shape_signature"]]
    if picture is None or -1 not in signature or len(signature) != len(picture):
        return
    if all(side in (-1, wanted) for side, wanted in zip(signature, picture, strict=True)):
        interpreter.resize_tensor_input(feed["index"], list(picture))


def _port(details: dict[str, Any]) -> Port:
    scales = details["quantization_parameters"]["scales"]
    points = details["quantization_parameters"]["zero_points"]
    quantization = Quantization(float(scales[0]), int(points[0])) if len(scales) == 1 and scales[0] > 0 else None
    shape = tuple(int(side) for side in details["shape"])
    return Port(str(details["name"]), shape, np.dtype(details["dtype"]), quantization)


def _one_line(exc: BaseException) -> str:
    return " ".join(str(exc).split()).rstrip(".") or type(exc).__name__
