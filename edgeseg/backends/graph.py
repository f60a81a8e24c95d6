"""Puts a picture in front of an OpenVINO model and a mask behind it, inside the graph.

u8 [1, h, w, 3] → mean and scale → layout → **model** → how its answer is to be read → u8 [h, w]. The conversions
run fused with the model's first and last operators, which costs less than two passes over the pixels outside.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeseg.backends.fit import (
    arrangement,
    check_labels,
    check_ports,
    kept_planes,
    misfit,
    other_picture,
    picture_shape,
)
from edgeseg.backends.planes import plane_inputs, sampled
from edgeseg.errors import ModelError
from edgeseg.ovruntime import ov
from edgeseg.types import Activation, OutputKind, PlaneFormat, Quantization, Recipe

_TO_NCHW, _TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)


def wrap(model: Any, recipe: Recipe, planes: PlaneFormat | None = None) -> Any:
    """A new model, u8 [1, height, width, 3] in the recipe's colour order → u8 [h, w], 255 = keep.

    With ``planes`` the three planes of a whole frame take the place of that tensor (``edgeseg.backends.planes``).
    Its second output "broken", u8 [1], is 1 when the model answered with NaN or with a label that is infinite; the mask
    means nothing then.
    With ``recipe.prior_channel`` it has a second input "prior", u8 [1, height, width, 1]: the mask of the frame before,
    zeros at first. ``model`` is used up. All shapes of the result are static.

    Raises:
        ModelError: the model does not fit its recipe.
    """
    ops = ov.opset13
    if planes is None:
        picture = ops.parameter([1, recipe.height, recipe.width, 3], np.uint8, name="picture")
        inputs = [picture]
    else:
        inputs = plane_inputs(planes)
        picture = sampled(inputs, planes, recipe)
    prior = ops.parameter([1, recipe.height, recipe.width, 1], np.uint8, name="prior") if recipe.prior_channel else None
    check_ports(recipe, len(model.inputs), len(model.outputs))
    _feed(model, recipe, picture, prior)
    answer = model.output(recipe.output_index).get_node().input_value(0)
    if answer.get_partial_shape().is_dynamic:
        raise ModelError(f"{misfit(recipe)}: the shape of the answer, {answer.get_partial_shape()}, is not fixed")
    read = _label_mask if recipe.kind is OutputKind.LABELS else _plane_mask
    mask, broken = read(answer, recipe)
    results = [ops.result(mask, name="mask"), ops.result(broken, name="broken")]
    return ov.Model(results, inputs if prior is None else [*inputs, prior], recipe.name)


def _feed(model: Any, recipe: Recipe, picture: Any, prior: Any) -> None:
    """Let ``picture``, and ``prior`` as its fourth plane, take the place of the model's own input."""
    ops = ov.opset13
    old = model.input()
    if not old.get_partial_shape().compatible(ov.PartialShape(list(picture_shape(recipe)))):
        raise other_picture(recipe, old.get_partial_shape())
    x = _normalised(picture, recipe)
    if prior is not None:
        last = ops.multiply(ops.convert(prior, "f32"), np.float32(1 / 255))
        x = ops.concat([x if x.get_element_type().is_real() else ops.convert(x, "f32"), last], 3)
    x = _as_type(x, old.get_element_type(), recipe.input_quantization)
    if recipe.layout == "NCHW":
        x = ops.transpose(x, np.array(_TO_NCHW))
    for reader in old.get_target_inputs():
        reader.replace_source_output(x.output(0))
    for result in [sink for sink in model.results if sink.input_value(0).get_node() is old.get_node()]:
        model.remove_result(result)


def _normalised(picture: Any, recipe: Recipe) -> Any:
    """(x - mean) / scale; untouched, still u8 if it was, where that changes nothing."""
    ops = ov.opset13
    if not any(recipe.mean_values) and all(scale == 1 for scale in recipe.scale_values):
        return picture
    x = ops.convert(picture, "f32")
    if any(recipe.mean_values):
        x = ops.subtract(x, np.array(recipe.mean_values, np.float32))
    return ops.multiply(x, (1 / np.array(recipe.scale_values)).astype(np.float32))


def _as_type(x: Any, kind: Any, quantization: Quantization | None) -> Any:
    """``x`` as the numbers that the model takes: whole ones are rounded and clipped to what their type can hold."""
    ops = ov.opset13
    if kind.is_real() or (quantization is None and x.get_element_type() == kind):
        return x if x.get_element_type() == kind else ops.convert(x, kind)
    x = ops.convert(x, "f32")
    if quantization is not None:
        x = ops.multiply(x, np.float32(1 / quantization.scale))
        x = ops.add(x, np.float32(quantization.zero_point))
    limits = np.iinfo(kind.to_dtype())
    return ops.convert(ops.clamp(ops.round(x, "half_to_even"), float(limits.min), float(limits.max)), kind)


def _plane_mask(answer: Any, recipe: Recipe) -> tuple[Any, Any]:
    """u8 [h, w] from planes of probabilities or logits: the sum of those that are kept. And whether it is broken."""
    ops = ov.opset13
    planes = _as_nhwc(answer, recipe)
    count = planes.get_shape()[3]
    keep = kept_planes(recipe, count)
    planes = ops.convert(planes, "f32")
    if recipe.output_quantization is not None:
        planes = ops.subtract(planes, np.float32(recipe.output_quantization.zero_point))
        planes = ops.multiply(planes, np.float32(recipe.output_quantization.scale))
    logits = recipe.kind is OutputKind.LOGITS
    sigmoid = recipe.activation is Activation.SIGMOID or count == 1
    if logits:
        planes = ops.sigmoid(planes) if sigmoid else ops.softmax(planes, 3)
    kept = planes if count == 1 else ops.gather(planes, np.array(keep), np.int64(3))
    # The CPU's softmax and reduce_max let a NaN in one plane vanish from the others: look before they are joined.
    broken = _flag(ops.is_nan(_total(planes if logits and not sigmoid else kept))) if _is_real(answer) else _never()
    if len(keep) > 1:  # sigmoids answer each for itself and do not add up
        join = ops.reduce_max if logits and sigmoid else ops.reduce_sum
        kept = join(kept, np.array([3]), keep_dims=True)
    plane = ops.squeeze(kept, np.array([0, 3]))
    levels = ops.round(ops.multiply(plane, np.float32(255)), "half_to_even")
    return ops.convert(ops.clamp(levels, 0.0, 255.0), "u8"), broken


def _label_mask(answer: Any, recipe: Recipe) -> tuple[Any, Any]:
    """u8 [h, w], 255 where a label map shows one of ``recipe.keep``. And whether it is broken."""
    ops = ov.opset13
    check_labels(recipe, answer.get_shape())
    labels, broken = _as_nhwc(answer, recipe), _never()
    if _is_real(answer):
        labels = ops.convert(labels, "f32")
        broken = _flag(ops.logical_not(ops.is_finite(_total(labels))))
        labels = ops.round(labels, "half_to_even")
    hits = ops.equal(ops.convert(labels, "i32"), np.array(recipe.keep, np.int32))
    hit = ops.squeeze(ops.reduce_logical_or(hits, np.array([3])), np.array([0]))
    return ops.select(hit, np.uint8(255), np.uint8(0)), broken


def _is_real(answer: Any) -> bool:
    return bool(answer.get_element_type().is_real())


def _total(values: Any) -> Any:
    """f32 [1]: the sum of ``values``, [1, h, w, planes]. It hands every NaN and infinity on, at a fraction of the cost
    of a look at each value.
    """
    return ov.opset13.reduce_sum(values, np.array([1, 2, 3]))


def _flag(condition: Any) -> Any:
    return ov.opset13.convert(condition, "u8")


def _never() -> Any:
    return ov.opset13.constant(np.zeros(1, np.uint8))


def _as_nhwc(answer: Any, recipe: Recipe) -> Any:
    """The answer as [1, h, w, planes], whatever the model gives: NHWC, NCHW, without batch or planes, or flat."""
    ops = ov.opset13
    found = arrangement(answer.get_shape(), recipe)
    target = [1, *found.axes]
    if list(answer.get_shape()) != target:
        answer = ops.reshape(answer, np.array(target), special_zero=False).output(0)
    return ops.transpose(answer, np.array(_TO_NHWC)).output(0) if found.planes_first else answer
