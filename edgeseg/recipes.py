"""Reads ``model.yaml``, which says what a model wants and what it answers, and finds models by name.

Besides ``edgeseg.config`` this is the only place that knows YAML.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

import edgeseg
from edgeseg.errors import ModelError
from edgeseg.types import Activation, OutputKind, Quantization, Recipe

RECIPE_FILE = "model.yaml"
MODEL_FILE = "model.xml"
LARGEST_SIDE = 8192


def load_recipe(folder: Path) -> Recipe:
    """The recipe in ``folder``, with the absolute path of the model that it describes.

    Raises:
        ModelError: there is no recipe, or a key in it is missing, unknown or has a value that cannot be.
    """
    file = folder / RECIPE_FILE
    entries = _read(file)
    known = _READERS.keys() | {"file"}
    for key in entries:
        if key not in known:
            hint = _guess(str(key), known) or f"known keys: {', '.join(sorted(known))}"
            raise ModelError(f"{file}: unknown key {key!r}", hint=hint)
    for key in ("name", "width", "height"):
        if key not in entries:
            raise ModelError(f"{file}: {key} is missing")
    values: dict[str, Any] = {}
    for key, value in entries.items():
        try:
            if key != "file":
                values[key] = _READERS[key](value)
        except (TypeError, ValueError) as exc:
            raise ModelError(f"{file}: {key}: {exc}") from exc
    model = folder / str(entries.get("file", MODEL_FILE))
    if not model.is_file():
        raise ModelError(f"{model} does not exist, but {file} describes it")
    return Recipe(path=str(model.resolve()), **values)


def dump_recipe(recipe: Recipe) -> str:
    """``recipe`` as the text of a ``model.yaml``, which ``load_recipe`` reads back to the same."""
    entries: dict[str, Any] = {"name": recipe.name}
    if Path(recipe.path).name != MODEL_FILE:
        entries["file"] = Path(recipe.path).name
    for key in _READERS:
        value = getattr(recipe, key)
        if key not in _ALWAYS_WRITTEN and value == _DEFAULTS.get(key, _NOTHING):
            continue
        entries[key] = _plain(dict(value) if key == "extra" else value)
    return yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)


def find_model(name_or_path: str, base: Path | None = None) -> Path:
    """The folder of a model: its ``model.yaml`` is there, the model that it describes lies beside it.

    ``name_or_path`` is a path to such a folder or to the model file in it, relative to ``base`` (default: the working
    directory), or a name: a folder in ``models/ir`` below ``base``, else one of the models that come with edgeseg.

    Raises:
        ModelError: nothing is there. The message holds a guess and the names that exist.
    """
    base = Path() if base is None else base
    path = base / Path(name_or_path).expanduser()
    if path.is_file():
        return _folder_of(path)
    if (path / RECIPE_FILE).is_file():
        return path
    if _is_path(name_or_path):
        what = f"holds no {RECIPE_FILE}" if path.is_dir() else "does not exist"
        raise ModelError(f"model {path} {what}", hint="edgeseg convert makes a folder with model and recipe")
    libraries = [base / "models" / "ir", shipped_models()]
    for library in libraries:
        if (library / name_or_path / RECIPE_FILE).is_file():
            return library / name_or_path
    names = sorted({entry.parent.name for library in libraries for entry in library.glob(f"*/{RECIPE_FILE}")})
    guess = _guess(name_or_path, names)
    raise ModelError(
        f"no model is called {name_or_path!r}", hint=f"{f'{guess} ' if guess else ''}there are: {', '.join(names)}"
    )


def shipped_models() -> Path:
    """The folder of the models that come with edgeseg: inside an installed package, beside a checked-out one."""
    package = Path(edgeseg.__file__).resolve().parent
    installed = package / "models_ir"
    return installed if installed.is_dir() else package.parent / "models" / "ir"


def _read(file: Path) -> Mapping[str, Any]:
    try:
        entries = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise ModelError(f"{file} does not exist", hint="edgeseg convert makes a folder with model and recipe") from exc
    except OSError as exc:
        raise ModelError(f"{file} cannot be read: {exc.strerror}") from exc
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        raise ModelError(f"{file} is not YAML: {' '.join(str(exc).split())}") from exc
    if not isinstance(entries, dict):
        raise ModelError(f"{file} is not a recipe: it holds no keys")
    return entries


def _folder_of(model: Path) -> Path:
    recipe = model.parent / RECIPE_FILE
    if not recipe.is_file():
        raise ModelError(f"{model} has no recipe: {recipe} does not exist", hint="edgeseg convert writes one")
    described = Path(load_recipe(model.parent).path)
    if model.name != RECIPE_FILE and described != model.resolve():
        raise ModelError(f"{recipe} describes {described.name}, not {model.name}")
    return model.parent


def _is_path(text: str) -> bool:
    return "/" in text or text.startswith((".", "~")) or Path(text).suffix in {".xml", ".yaml", ".tflite", ".onnx"}


def _guess(word: str, words: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, sorted(words), n=1)
    return f"did you mean {close[0]!r}?" if close else ""


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _whole(value: Any, least: int = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{value!r} is no whole number from {least} up")
    return value


def _side(value: Any) -> int:
    if _whole(value, 1) > LARGEST_SIDE:
        raise ValueError(f"{value} pixels are more than {LARGEST_SIDE}")
    return int(value)


def _choice(*allowed: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in allowed:
            hint = _guess(str(value), allowed)
            raise ValueError(f"{value!r} is none of {', '.join(allowed)}{f'; {hint}' if hint else ''}")
        return str(value)

    return read


def _per_channel(value: Any) -> tuple[float, ...]:
    numbers = value if isinstance(value, list) else [value]
    if any(isinstance(number, bool) or not isinstance(number, int | float) for number in numbers):
        raise TypeError(f"{value!r} is no list of numbers")
    if len(numbers) not in {1, 3} or not all(math.isfinite(number) for number in numbers):
        raise ValueError(f"{value!r} is neither one number nor three")
    return tuple(float(number) for number in numbers)


def _divisors(value: Any) -> tuple[float, ...]:
    if 0.0 in _per_channel(value):
        raise ValueError("nothing can be divided by 0")
    return _per_channel(value)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return value


def _kept(value: Any) -> tuple[int, ...]:
    classes = tuple(_whole(entry) for entry in _list(value))
    for place, number in enumerate(classes):
        if number in classes[:place]:  # its share would be added twice
            raise ValueError(f"{number} stands there twice")
    return classes


def _extra(value: Any) -> tuple[tuple[str, Any], ...]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} holds no keys")
    return tuple((_text(key), entry) for key, entry in value.items())


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def _quantization(value: Any) -> Quantization:
    if not isinstance(value, dict) or not {"scale"} <= value.keys() <= {"scale", "zero_point"}:
        raise TypeError(f"{value!r} is no {{scale: …, zero_point: …}}")
    scale, zero_point = value["scale"], value.get("zero_point", 0)
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"scale {scale!r} is no number above 0")
    if isinstance(zero_point, bool) or not isinstance(zero_point, int):
        raise TypeError(f"zero_point {zero_point!r} is no whole number")
    return Quantization(float(scale), zero_point)


def _color(value: Any) -> tuple[int, int, int]:
    levels = _list(value)
    if len(levels) != 3 or any(_whole(level) > 255 for level in levels):
        raise ValueError(f"{value!r} is no colour [r, g, b] of 0..255 each")
    return levels[0], levels[1], levels[2]


def _plain(value: Any) -> Any:
    """``value`` in the types that YAML has."""
    if isinstance(value, Quantization):
        return {"scale": value.scale, "zero_point": value.zero_point}
    if isinstance(value, StrEnum):
        return str(value)
    return [_plain(entry) for entry in value] if isinstance(value, tuple) else value


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "name": _text,
    "width": _side,
    "height": _side,
    "layout": _choice("NHWC", "NCHW"),
    "color_order": _choice("RGB", "BGR"),
    "mean_values": _per_channel,
    "scale_values": _divisors,
    "input_quantization": _quantization,
    "prior_channel": _flag,
    "output_index": _whole,
    "kind": lambda value: OutputKind(_choice(*map(str, OutputKind))(value)),
    "activation": lambda value: Activation(_choice(*map(str, Activation))(value)),
    "output_quantization": _quantization,
    "keep": _kept,
    "labels": lambda value: tuple(_text(entry) for entry in _list(value)),
    "colors": lambda value: tuple(_color(entry) for entry in _list(value)),
    "licence": _text,
    "origin": _text,
    "sha256": _text,
    "extra": _extra,
}

# The others are left out of what is written when they have their usual value: they would only raise questions.
_ALWAYS_WRITTEN = {"name", "width", "height", "layout", "color_order", "mean_values", "scale_values", "kind"}
_NOTHING = object()
_DEFAULTS: Mapping[str, Any] = {field.name: field.default for field in dataclasses.fields(Recipe)}
