"""Tells what a model is for by the shape of its answers and the head of its graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgeseg.convert.findings import Candidate, InputFinding, Task
from edgeseg.convert.graph_walk import back, dims
from edgeseg.types import OutputKind

_BETWEEN = {"Add", "BatchNormInference", "Multiply", "Relu", "Convert", "Unsqueeze", "Transpose"}
_FURTHEST = 12
_CLASSES = 10


def recognise(model: Any, ranked: Sequence[Candidate], picture: InputFinding | None) -> tuple[Task, str]:
    """What ``model`` seems to be for, and why."""
    outputs = [entry for entry in ranked if entry.index is not None]
    if not outputs or picture is None:
        return Task.UNKNOWN, "it takes no picture" if picture is None else "it has no outputs"
    first = outputs[0]
    if first.kind is OutputKind.IMAGE:
        return Task.STYLE_TRANSFER, f"{first.name} is a picture: style transfer, or another network that paints"
    if first.segments:
        return _segmentation(model, first)
    size = max((_numbers(entry) for entry in outputs), default=0)
    if size < 2 or any(len([side for side in entry.dims if side != 1]) > 1 for entry in outputs):
        return Task.UNKNOWN, "no output is a map of the picture"
    if first.activation in {"softmax", "sigmoid", "argmax"} and size >= _CLASSES:
        return Task.CLASSIFICATION, f"one of {size} classes for the whole picture"
    return (
        Task.VECTOR,
        f"{size} numbers for the whole picture: a classifier, or the style that a painting network reads",
    )


def is_painter(model: Any) -> bool:
    """Whether the graph normalises each picture by itself, as networks for style transfer do."""
    return any(node.get_type_name() == "MVN" for node in model.get_ops())


def _segmentation(model: Any, first: Candidate) -> tuple[Task, str]:
    if first.planes == 1 and first.activation == "sigmoid" and first.index is not None and _db_head(model, first.index):
        why = "one probability behind two transposed convolutions of 2x2: the head of DBNet"
        return Task.TEXT_DETECTION, why
    return Task.SEGMENTATION, f"{first.name}: {first.why}"


def _db_head(model: Any, index: int) -> bool:
    """Sigmoid, transposed convolution by 2, ReLU, transposed convolution by 2: how differentiable binarisation ends."""
    node = back(model.output(index).get_node().input_value(0)).end.get_node()
    doublings = 0
    for _ in range(_FURTHEST):
        node = node.input_value(0).get_node()
        if node.get_type_name() == "ConvolutionBackpropData":
            if dims(node.input_value(1))[-2:] != (2, 2):
                return False
            doublings += 1
        elif node.get_type_name() not in _BETWEEN:
            break
    return doublings == 2


def _numbers(entry: Candidate) -> int:
    return max((side or 0 for side in entry.dims), default=0)
