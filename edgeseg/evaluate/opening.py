"""Opens models by name for an evaluation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from edgeseg.backends.choose import backend_name, open_backend
from edgeseg.backends.engine import Engine
from edgeseg.backends.fit import picture_shape
from edgeseg.backends.litert import LiteRtEngine
from edgeseg.backends.onnx import OnnxEngine
from edgeseg.backends.openvino_engine import OpenVinoEngine
from edgeseg.errors import ConfigError, UsageError
from edgeseg.evaluate.labeller import Labeller
from edgeseg.evaluate.segmenter import Segmenter
from edgeseg.recipes import find_model, load_recipe
from edgeseg.types import Backend, Recipe


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where models run. ``backend`` "auto" goes by the model's file; ``device`` None is the processor in OpenVINO,
    elsewhere the backend's own choice; ``precision`` is asked of OpenVINO only.
    """

    backend: str = "auto"
    device: str | None = None
    precision: str = "f32"

    def name(self, recipe: Recipe) -> str:
        """The backend that runs ``recipe``."""
        return backend_name(recipe) if self.backend == "auto" else self.backend

    def open(self, recipe: Recipe) -> Backend:
        """A backend with the model loaded.

        Raises:
            ModelError: the model cannot be loaded.
            UsageError: there is no such backend.
        """
        name = self.name(recipe)
        if name == "openvino":
            return open_chosen(recipe, name, self.device or "CPU", precision=self.precision)
        return open_chosen(recipe, name, self.device or "AUTO")


def open_chosen(recipe: Recipe, name: str, device: str, **options: Any) -> Backend:
    """``open_backend`` for a backend that was chosen on the command line and not in a configuration.

    Raises:
        ModelError: the model cannot be loaded.
        UsageError: there is no such backend, or it is not installed.
    """
    try:
        return open_backend(recipe, name, device, **options)
    except ConfigError as exc:
        raise UsageError(exc.message, hint=exc.hint) from exc


def named_recipes(models: Sequence[str]) -> list[tuple[str, Recipe]]:
    """The recipes of ``models``, names or paths, each with a name of its own for the tables.

    Raises:
        ModelError: there is no such model, or its recipe is wrong.
        UsageError: the same model is named twice.
    """
    recipes = [load_recipe(find_model(model)) for model in models]
    taken = Counter(recipe.name for recipe in recipes)
    names = [recipe.name if taken[recipe.name] == 1 else model for model, recipe in zip(models, recipes, strict=True)]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise UsageError(f"model {twice[0]} is named twice")
    return list(zip(names, recipes, strict=True))


def open_segmenters(models: Sequence[str], runtime: Runtime, refined: bool, stack: ExitStack) -> list[Segmenter]:
    """Each model, loaded; ``stack`` closes them.

    Raises:
        ModelError: one cannot be loaded.
        UsageError: one is named twice.
    """
    opened = []
    for name, recipe in named_recipes(models):
        segmenter = Segmenter(name, recipe, partial(runtime.open, recipe), refined)
        stack.callback(segmenter.close)
        opened.append(segmenter)
    return opened


def open_labellers(models: Sequence[str], runtime: Runtime, stack: ExitStack) -> list[Labeller]:
    """Each model, loaded, to be asked for its classes; ``stack`` closes them.

    Raises:
        ModelError: one cannot be loaded.
        UsageError: one is named twice, or the backend says only what is kept.
    """
    opened = []
    for name, recipe in named_recipes(models):
        engine = _engine(recipe, runtime)
        stack.callback(engine.close)
        opened.append(Labeller(name, recipe, engine))
    return opened


def _engine(recipe: Recipe, runtime: Runtime) -> Engine:
    name = runtime.name(recipe)
    path = Path(recipe.path)
    if name == "openvino":
        return OpenVinoEngine(path, runtime.precision, runtime.device or "CPU")
    if name == "litert":
        return LiteRtEngine(path, picture=picture_shape(recipe))
    if name == "onnx":
        return OnnxEngine(path, picture=picture_shape(recipe))
    raise UsageError(f"--classes: backend {name!r} says only what is kept", hint="edgeseg convert makes an IR")
