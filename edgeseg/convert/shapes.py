"""Finds out what a model takes and gives, and fixes the shapes that it leaves open."""

from __future__ import annotations

from typing import Any

from edgeseg.convert.source_model import SourceModel
from edgeseg.errors import ModelError, UsageError
from edgeseg.ovruntime import reason
from edgeseg.types import OutputKind

_PASSING = {"Convert", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}  # change the form of an answer, not its meaning
_LABEL_TYPES = {"i32", "i64", "u32", "u64"}
_SQUASHING = {"Sigmoid", "SoftMax", "Softmax"}


def fix_size(source: SourceModel, size: tuple[int, int] | None) -> tuple[int, int]:
    """Make the picture input static and return its (width, height). Batch becomes 1.

    Raises:
        ModelError: the model takes something else than one picture of three channels.
        UsageError: the model leaves the size open and ``size`` does not say it, or says another one.
    """
    if len(source.model.inputs) != 1:
        names = ", ".join(describe(port) for port in source.model.inputs)
        raise ModelError(f"{source.path} has {len(source.model.inputs)} inputs, and one picture is expected: {names}")
    port = source.model.input()
    shape = port.get_partial_shape()
    if shape.rank.is_dynamic or len(shape) != 4:
        raise ModelError(f"{source.path} takes {shape}, which is no picture")
    across, down, channels = (2, 1, 3) if source.layout == "NHWC" else (3, 2, 1)
    if shape[channels].is_static and shape[channels].get_length() != 3:
        raise ModelError(f"{source.path} takes {shape[channels].get_length()} channels, and pictures have 3")
    wanted = size or tuple(shape[axis].get_length() for axis in (across, down) if shape[axis].is_static)
    if len(wanted) != 2:
        raise UsageError(f"{source.path} takes pictures of any size ({shape})", hint="choose one with --size WxH")
    fixed = [1, 3, 3, 3]
    fixed[across], fixed[down] = wanted
    try:
        source.model.reshape(fixed)
    except RuntimeError as exc:
        raise UsageError(f"{source.path} cannot take {wanted[0]}x{wanted[1]} pictures: {reason(exc)}") from exc
    return wanted[0], wanted[1]


def guess_kind(model: Any, output_index: int) -> OutputKind:
    """How an answer is to be read: whole numbers are labels, the result of a squashing function is a probability.

    Raises:
        UsageError: there is no such output, or it may be anything.
    """
    if output_index >= len(model.outputs):
        raise UsageError(f"there is no output {output_index}: the model has {len(model.outputs)}")
    node = model.output(output_index).get_node().input_value(0).get_node()
    element = node.get_output_element_type(0)
    if element.get_type_name() in _LABEL_TYPES:
        return OutputKind.LABELS
    if not element.is_real():
        raise UsageError(
            f"output {output_index} is {element.get_type_name()}: labels, or a quantised probability",
            hint="--kind labels if it is the first; the other cannot be read yet",
        )
    while node.get_type_name() in _PASSING:
        node = node.input_value(0).get_node()
    return OutputKind.PROBABILITY if node.get_type_name() in _SQUASHING else OutputKind.LOGITS


def describe(port: Any) -> str:
    """An input or output in one phrase: its names, type and shape."""
    names = "/".join(sorted(port.get_names())) or "(no name)"
    return f"{names} {port.get_element_type().get_type_name()} {port.get_partial_shape()}"
