"""Which backend runs a model, and opening it."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from edgeseg import plugins
from edgeseg.backends.litert import compiled_for_edgetpu
from edgeseg.errors import ConfigError, ModelError
from edgeseg.types import Backend, Recipe

_BY_SUFFIX = {".xml": "openvino", ".tflite": "litert", ".onnx": "onnx"}


def backend_name(recipe: Recipe) -> str:
    """The name of the backend that runs the file of ``recipe``.

    Raises:
        ModelError: none does, or the file cannot be read.
    """
    path = Path(recipe.path)
    name = _BY_SUFFIX.get(path.suffix.lower())
    if name is None:
        raise ModelError(
            f"model {recipe.name!r}: no backend runs {path.suffix or 'such'} files ({path})",
            hint="edgeseg convert makes an IR of it; a backend of your own is chosen by its name",
        )
    if not path.is_file():
        raise ModelError(f"model {recipe.name!r}: {path} does not exist")
    return "edgetpu" if name == "litert" and compiled_for_edgetpu(path) else name


def open_backend(recipe: Recipe, name: str = "auto", device: str = "", **options: Any) -> Backend:
    """The backend ``name``, with ``recipe`` loaded on ``device``. May take seconds.

    ``name`` "auto" goes by the file. ``device`` "" is the backend's default. ``options`` are the arguments of the
    backend's class (``precision`` for openvino, ``threads`` for litert, …).

    Raises:
        ConfigError: nobody provides such a backend, or it has no such option.
        ModelError: it cannot run the model; ``close`` need not be called.
    """
    name = backend_name(recipe) if name == "auto" else name
    factory = plugins.load("backends", name)
    try:
        inspect.signature(factory).bind(**options)
    except TypeError as exc:
        known = ", ".join(inspect.signature(factory).parameters) or "none"
        raise ConfigError(f"backend {name!r}: {exc}", hint=f"its options: {known}") from exc
    backend: Backend = factory(**options)
    try:
        backend.load(recipe, device or default_device(name))
    except ModelError:
        backend.close()
        raise
    return backend


def default_device(name: str) -> str:
    """The device of the backend ``name`` where nobody chose one: the processor, or whatever Edge TPU there is."""
    return "AUTO" if name == "edgetpu" else "CPU"
