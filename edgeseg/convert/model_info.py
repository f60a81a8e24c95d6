"""Writes a recipe into an IR, under the names that OpenVINO's Model API reads, and reads it back.

Two sections of the model's runtime information: ``model_info`` is what Model API, Open Model Zoo and OTX write and
read; ``edgeseg`` holds the whole recipe, one JSON text for each field, since the first has no words for half of it.
Numbers and flags are text in both, as Model API wants them: lists with spaces between, "True" and "False".
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edgeseg.backends.graph import wrap
from edgeseg.convert.graph_walk import dims
from edgeseg.errors import ModelError
from edgeseg.ovruntime import ov
from edgeseg.types import Activation, OutputKind, Quantization, Recipe

_THEIRS, _OURS = "model_info", "edgeseg"
_LEFT_OUT = {"path", "extra"}  # where it lies, and what belongs to others
_YES = {"True", "YES", "true"}


def embed(model: Any, recipe: Recipe) -> None:
    """Write ``recipe`` into ``model``, which ``openvino.save_model`` then saves with it; the order is OpenVINO's, by
    name.

    Model API is told that this is a segmentation model only when it could read the answer, see ``not_for_model_api``.
    """
    theirs = {
        "mean_values": _spaced(recipe.mean_values),
        "scale_values": _spaced(recipe.scale_values),
        "reverse_input_channels": str(recipe.color_order == "RGB"),  # Model API is given B, G, R
        "resize_type": "standard",  # to the model's size, whatever the shape of the picture
    }
    if not not_for_model_api(model, recipe):
        theirs["model_type"] = "Segmentation"
    if len(recipe.labels) > 1:  # the first class is background to Model API and has no name there; names have no spaces
        theirs["labels"] = " ".join(label.replace(" ", "_") for label in recipe.labels[1:])
    for key, value in theirs.items():
        model.set_rt_info(value, [_THEIRS, key])
    for field in dataclasses.fields(Recipe):
        value = getattr(recipe, field.name)
        if field.name not in _LEFT_OUT and value != field.default:
            model.set_rt_info(json.dumps(value, default=_plain), [_OURS, field.name])
    if len(model.inputs) == 1 and len(dims(model.input())) == 4:
        model.input().get_node().layout = ov.Layout(recipe.layout)


def extract(model: Any) -> dict[str, Any]:
    """Fields of ``Recipe`` that ``model`` carries; none for a model that carries nothing. What cannot be read is left
    out.
    """
    found = _from_theirs(model, _section(model, _THEIRS))
    for key, text in _section(model, _OURS).items():
        if key in _RECIPE and key not in _LEFT_OUT:
            try:
                found[key] = _restored(key, json.loads(text))
            except (ValueError, TypeError):
                continue  # written by a version with other ideas: as if it were not there
    return found


def not_for_model_api(model: Any, recipe: Recipe) -> str:
    """Why Model API's segmentation wrapper cannot read ``model``; empty when it can.

    It feeds B, G, R pictures of three channels and reads labels [1, h, w] or planes [1, classes, h, w] with at least
    two classes, of which it takes the strongest. (Its Python package 0.4.7 says that it reads labels and fails on them:
    argmax over an axis that is not there.) ``for_model_api`` makes a model that it reads.
    """
    if recipe.prior_channel:
        return "it has no word for the mask of the frame before"
    if recipe.input_quantization is not None or recipe.output_quantization is not None:
        return "it has no words for quantised inputs and answers"
    if recipe.kind is OutputKind.IMAGE:
        return "it has no wrapper for pictures"
    if len(model.outputs) != 1:
        return "it reads a single output"
    shape = dims(model.output())
    if len(shape) == 3 and recipe.kind is OutputKind.LABELS:
        return ""
    planes = len(shape) == 4 and recipe.kind is not OutputKind.LABELS
    if planes and shape[1] is not None and shape[1] > 1 and not _channels_last(shape, recipe):
        return ""
    return "it reads labels [1, h, w] or planes [1, classes, h, w] and nothing else"


def for_model_api(model: Any, recipe: Recipe) -> tuple[Any, Recipe]:
    """A model that Model API can read whatever ``model`` answers, and its recipe: u8 [1, h, w, 3] pictures in the
    colour order of ``recipe`` → f32 [1, 2, h, w], how surely a pixel is not kept and is kept, 0..1 in steps of
    1/255. ``model`` is used up.

    Raises:
        ModelError: the model does not fit its recipe, answers with a picture, or reads the mask of the frame before.
    """
    if recipe.prior_channel:
        raise ModelError(f"model {recipe.name!r} reads the mask of the frame before, which Model API cannot give it")
    ops = ov.opset13
    masked = wrap(model, recipe)
    mask = masked.output(0).get_node().input_value(0)
    kept = ops.multiply(ops.convert(mask, "f32"), np.float32(1 / 255))
    kept = ops.reshape(kept, np.array([1, 1, *mask.get_shape()]), special_zero=False)
    planes = ops.concat([ops.subtract(np.float32(1), kept), kept], 1)
    planes.output(0).set_names({"planes"})
    masked.input().set_names({"picture"})
    names = [recipe.labels[number] for number in recipe.keep if number < len(recipe.labels)]
    plain = Recipe(
        name=recipe.name,
        path=recipe.path,
        width=recipe.width,
        height=recipe.height,
        color_order=recipe.color_order,
        scale_values=(1.0,),
        labels=("background", "+".join(names) or "kept"),
        licence=recipe.licence,
        origin=recipe.origin,
        sha256=recipe.sha256,
    )
    return ov.Model([ops.result(planes)], masked.get_parameters(), recipe.name), plain


def _channels_last(shape: tuple[int | None, ...], recipe: Recipe) -> bool:
    return shape[1:3] == (recipe.height, recipe.width) or (shape[3] or 0) < (shape[1] or 0) < (shape[2] or 0) * 2


def _section(model: Any, name: str) -> dict[str, str]:
    if not model.has_rt_info(name):
        return {}
    section = model.get_rt_info(name)
    section = getattr(section, "value", section)
    if not isinstance(section, Mapping):
        return {}
    return {str(key): str(getattr(value, "value", value)) for key, value in section.items()}


def _from_theirs(model: Any, section: Mapping[str, str]) -> dict[str, Any]:
    """Model API's own defaults stand in for what a section leaves out: B, G, R, 0..255."""
    if section.get("model_type", "Segmentation").lower() != "segmentation" or not section:
        return {}
    found: dict[str, Any] = {"mean_values": (0.0,), "scale_values": (1.0,), "color_order": "BGR"}
    for key in ("mean_values", "scale_values"):
        numbers = _numbers(section.get(key, ""))
        if numbers:
            found[key] = numbers
    if section.get("reverse_input_channels") in _YES:
        found["color_order"] = "RGB"
    labels = tuple(section.get("labels", "").split())
    if labels and labels != ("None",):
        found["labels"] = labels if _all_named(model, labels) else ("background", *labels)
    return found


def _all_named(model: Any, labels: tuple[str, ...]) -> bool:
    """Whether the first class has a name too. OTX leaves the background out, older tools do not."""
    shape = dims(model.output(0))
    return labels[0].lower() == "background" or (len(shape) == 4 and shape[1] == len(labels))


def _numbers(text: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.replace(",", " ").split())
    except ValueError:
        return ()
    return numbers[:1] if len(set(numbers)) == 1 else numbers


def _spaced(values: tuple[float, ...]) -> str:
    """One number for each of the three channels: Model API takes no single one."""
    return " ".join(f"{value:.9g}" for value in (values * 3 if len(values) == 1 else values))


def _plain(value: Any) -> Any:
    return dataclasses.asdict(value)


def _restored(key: str, value: Any) -> Any:
    return _RESTORED[key](value) if key in _RESTORED and value is not None else value


def _quantization(value: Mapping[str, Any]) -> Quantization:
    return Quantization(float(value["scale"]), int(value["zero_point"]))


_RECIPE = {field.name for field in dataclasses.fields(Recipe)}
_RESTORED: Mapping[str, Callable[[Any], Any]] = {
    "mean_values": lambda value: tuple(map(float, value)),
    "scale_values": lambda value: tuple(map(float, value)),
    "input_quantization": _quantization,
    "output_quantization": _quantization,
    "kind": OutputKind,
    "activation": Activation,
    "keep": lambda value: tuple(map(int, value)),
    "labels": lambda value: tuple(map(str, value)),
    "colors": lambda value: tuple((red, green, blue) for red, green, blue in value),
}
