"""Puts a picture in front of an OpenVINO model and a mask behind it, inside the graph.

u8 [1, h, w, 3] → mean and scale → layout → **model** → how its answer is to be read → u8 [h, w]. The conversions
run fused with the model's first and last operators, which costs less than two passes over the pixels outside.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeseg.errors import ModelError
from edgeseg.ovruntime import ov
from edgeseg.types import OutputKind, Recipe

_TO_NCHW, _TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)


def wrap(model: Any, recipe: Recipe) -> Any:
    """A new model, u8 [1, height, width, 3] in the recipe's colour order → u8 [h, w], 255 = keep.

    ``model`` is used up. All shapes of the result are static.

    Raises:
        ModelError: the model does not fit its recipe.
    """
    picture = ov.opset13.parameter([1, recipe.height, recipe.width, 3], np.uint8, name="picture")
    _feed(model, recipe, picture)
    if recipe.output_index >= len(model.outputs):
        raise ModelError(f"{_where(recipe)}: there is no output {recipe.output_index}, only {len(model.outputs)}")
    answer = model.output(recipe.output_index).get_node().input_value(0)
    mask = _label_mask(answer, recipe) if recipe.kind is OutputKind.LABELS else _plane_mask(answer, recipe)
    return ov.Model([ov.opset13.result(mask, name="mask")], [picture], recipe.name)


def _feed(model: Any, recipe: Recipe, picture: Any) -> None:
    """Let ``picture`` take the place of the model's own input."""
    ops = ov.opset13
    if len(model.inputs) != 1:
        raise ModelError(f"{_where(recipe)}: it has {len(model.inputs)} inputs, and one picture is all there is")
    old = model.input()
    sides = (recipe.height, recipe.width)
    wanted = [1, *sides, 3] if recipe.layout == "NHWC" else [1, 3, *sides]
    if not old.get_partial_shape().compatible(ov.PartialShape(wanted)):
        raise ModelError(
            f"{_where(recipe)}: the model takes {old.get_partial_shape()}, the recipe says {recipe.layout} {wanted}",
            hint="correct width, height or layout in model.yaml",
        )
    x = picture
    if any(recipe.mean_values) or any(scale != 1 for scale in recipe.scale_values):
        x = ops.convert(x, "f32")
        if any(recipe.mean_values):
            x = ops.subtract(x, np.array(recipe.mean_values, np.float32))
        x = ops.multiply(x, (1 / np.array(recipe.scale_values)).astype(np.float32))
    kind = old.get_element_type()
    if x.get_element_type() != kind:
        x = ops.convert(x if kind.is_real() else ops.round(ops.convert(x, "f32"), "half_to_even"), kind)
    if recipe.layout == "NCHW":
        x = ops.transpose(x, np.array(_TO_NCHW))
    for reader in old.get_target_inputs():
        reader.replace_source_output(x.output(0))
    for result in [sink for sink in model.results if sink.input_value(0).get_node() is old.get_node()]:
        model.remove_result(result)


def _plane_mask(answer: Any, recipe: Recipe) -> Any:
    """u8 [h, w] from planes of probabilities or logits."""
    ops = ov.opset13
    planes = _as_nhwc(answer, recipe)
    count = planes.get_shape()[3]
    if recipe.channel >= count:
        raise ModelError(f"{_where(recipe)}: there is no channel {recipe.channel} in an answer of {count}")
    planes = ops.convert(planes, "f32")
    if recipe.kind is OutputKind.LOGITS:
        planes = ops.sigmoid(planes) if count == 1 else ops.softmax(planes, 3)
    plane = planes if count == 1 else ops.gather(planes, np.array([recipe.channel]), np.int64(3))
    plane = ops.squeeze(plane, np.array([0, 3]))
    levels = ops.round(ops.multiply(plane, np.float32(255)), "half_to_even")
    return ops.convert(ops.clamp(levels, 0.0, 255.0), "u8")


def _label_mask(answer: Any, recipe: Recipe) -> Any:
    """u8 [h, w], 255 where a label map shows one of ``recipe.keep``."""
    ops = ov.opset13
    if not recipe.keep:
        raise ModelError(f"{_where(recipe)}: keep names no label")
    labels = _as_nhwc(answer, recipe)
    if labels.get_shape()[3] != 1:
        raise ModelError(f"{_where(recipe)}: the answer {answer.get_shape()} is no map of labels")
    hits = ops.equal(ops.convert(labels, "i32"), np.array(recipe.keep, np.int32))
    hit = ops.squeeze(ops.reduce_logical_or(hits, np.array([3])), np.array([0]))
    return ops.select(hit, np.uint8(255), np.uint8(0))


def _as_nhwc(answer: Any, recipe: Recipe) -> Any:
    """The answer as [1, h, w, planes], whatever the model gives: NHWC, NCHW, without batch or planes, or flat."""
    ops = ov.opset13
    if answer.get_partial_shape().is_dynamic:
        raise ModelError(f"{_where(recipe)}: the shape of the answer, {answer.get_partial_shape()}, is not fixed")
    shape = [int(side) for side in answer.get_shape()]
    area = recipe.height * recipe.width
    if len(shape) == 4 and shape[0] == 1:
        return answer if _planes_last(shape, recipe) else ops.transpose(answer, np.array(_TO_NHWC)).output(0)
    if (len(shape) == 3 and shape[0] == 1) or (len(shape) == 2 and shape[0] != 1):
        target = [1, shape[-2], shape[-1], 1]
    elif shape and int(np.prod(shape)) % area == 0:
        target = [1, recipe.height, recipe.width, int(np.prod(shape)) // area]
    else:
        raise ModelError(f"{_where(recipe)}: the answer {shape} is no picture of {recipe.width}x{recipe.height}")
    return ops.reshape(answer, np.array(target), special_zero=False).output(0)


def _planes_last(shape: list[int], recipe: Recipe) -> bool:
    """Where the planes are in an answer of four axes. Not every model answers in the layout that it is asked in, so
    the side lengths decide when they can.
    """
    sides = [recipe.height, recipe.width]
    last, first = shape[1:3] == sides, shape[2:4] == sides
    return last if last != first else recipe.layout == "NHWC"


def _where(recipe: Recipe) -> str:
    return f"model {recipe.name!r} does not fit its recipe"
