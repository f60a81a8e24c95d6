"""Walks through an OpenVINO graph past whatever changes the form of a tensor and not its meaning."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeseg.convert.findings import Dims
from edgeseg.types import Quantization

FORM = frozenset(
    {"Convert", "ConvertLike", "DepthToSpace", "FakeQuantize", "Gather", "Identity", "Interpolate", "MaxPool", "Pad"}
    | {"Reshape", "Round", "Slice", "Split", "Squeeze", "StridedSlice", "Transpose", "Unsqueeze", "VariadicSplit"}
)
SELECTING = frozenset({"Gather", "Slice", "Split", "StridedSlice", "VariadicSplit"})
SQUASHING = frozenset({"HSigmoid", "HardSigmoid", "LogSoftmax", "Sigmoid", "SoftMax", "Softmax", "Tanh"})
DECIDING = frozenset({"Equal", "Greater", "GreaterEqual", "Less", "LessEqual", "NotEqual", "TopK"})
_ARITHMETIC = frozenset({"Add", "Divide", "Multiply", "Subtract"})
_COUNTED = re.compile(r"_\d+(:\d+)?$")  # Cast_2:0, which an exporter made up
_LONGEST = 200
_MANY = 16  # numbers: more are weights, not a mean or a scale


@dataclass(frozen=True, slots=True)
class Trail:
    """The way back from a tensor. ``end`` is the first tensor (openvino Output) that a form-changing operator did not
    make.

    ``picks`` name the operators on the way that took one plane of several; ``clamped`` is the narrowest range that
    values were clipped to; ``quantization`` is how the whole numbers at its start stand for real ones.
    """

    end: Any
    picks: tuple[str, ...] = ()
    clamped: tuple[float, float] | None = None
    quantization: Quantization | None = None
    factor: float = 1.0
    met: frozenset[str] = field(default_factory=frozenset)


def back(value: Any, past: frozenset[str] = frozenset()) -> Trail:
    """Walk back from ``value`` past form-changing operators, arithmetic with one number, and those in ``past``."""
    picks: list[str] = []
    met: set[str] = set()
    clamped, quantization, factor = None, None, 1.0
    for _ in range(_LONGEST):
        node = value.get_node()
        kind = node.get_type_name()
        following = _input(node)
        if following is None:
            break
        if kind == "Clamp":
            clamped = (float(node.get_attributes()["min"]), float(node.get_attributes()["max"]))
        elif kind in _ARITHMETIC:
            number = _one_number(node)
            if number is None:
                break
            factor *= {"Multiply": number, "Divide": 1 / number if number else 0.0}.get(kind, 1.0)
        elif kind == "FakeQuantize":
            quantization = quantization or answer_quantization(node)
        elif kind in SELECTING and _picks_planes(dims(following), dims(value)):
            picks.append(f"{node.get_friendly_name()}.{value.get_index()}")
        elif kind not in FORM and kind not in past and not (written_softmax(node) and "Softmax" in past):
            break
        met.add(kind)
        value = following
    return Trail(value, tuple(picks), clamped, quantization, factor, frozenset(met))


def written_softmax(node: Any) -> bool:
    """Whether ``node`` is the division at the end of a softmax that was written out: exp(x) / sum(exp(x))."""
    if node.get_type_name() != "Divide":
        return False
    over = [node.input_value(side).get_node() for side in (0, 1)]
    return [entry.get_type_name() for entry in over] == ["Exp", "ReduceSum"]


def constant(value: Any) -> npt.NDArray[np.float64] | None:
    """The few numbers in ``value`` when it is a constant (weights that are kept as half floats are converted on the
    way).
    """
    node = value.get_node()
    while node.get_type_name() in {"Convert", "Reshape", "Unsqueeze", "Squeeze"}:
        node = node.input_value(0).get_node()
    if node.get_type_name() != "Constant" or int(np.prod(node.get_output_shape(0))) > _MANY:
        return None
    return np.asarray(node.get_data(), np.float64).ravel()


def fake_quantize_ranges(node: Any) -> tuple[float, float, float, float] | None:
    """(low, high) in and (low, high) out of a FakeQuantize of one range for the whole tensor."""
    limits = [constant(node.input_value(index)) for index in range(1, 5)]
    if any(limit is None or limit.size != 1 for limit in limits):
        return None
    low_in, high_in, low_out, high_out = (float(limit[0]) for limit in limits if limit is not None)
    return low_in, high_in, low_out, high_out


def input_quantization(node: Any) -> Quantization | None:
    """What a FakeQuantize that makes real numbers of whole ones says about the whole ones."""
    ranges = fake_quantize_ranges(node)
    return None if ranges is None else _quantization(ranges[:2], ranges[2:])


def answer_quantization(node: Any) -> Quantization | None:
    """What a FakeQuantize that makes whole numbers of real ones says about the whole ones; None when it leaves them
    real.
    """
    ranges = fake_quantize_ranges(node)
    if ranges is None or ranges[3] - ranges[2] not in {255.0, 65535.0}:
        return None
    return _quantization(ranges[2:], ranges[:2])


def _quantization(whole: tuple[float, ...], real: tuple[float, ...]) -> Quantization | None:
    if whole[1] <= whole[0] or real[1] <= real[0]:
        return None
    scale = (real[1] - real[0]) / (whole[1] - whole[0])
    return Quantization(scale, round(whole[0] - real[0] / scale))


def dims(value: Any) -> Dims:
    """The sides of a tensor; None where one is open. Empty as well when even their number is open."""
    shape = value.get_partial_shape()
    if shape.rank.is_dynamic:
        return ()
    return tuple(side.get_length() if side.is_static else None for side in shape)


def name(value: Any) -> str:
    """The name to ask for a tensor by: the shortest of its own without a counter, else that of its operator."""
    names = sorted(value.get_names(), key=lambda entry: (bool(_COUNTED.search(entry)), len(entry), entry))
    return str(names[0]) if names else str(value.get_node().get_friendly_name())


def _input(node: Any) -> Any:
    """The input that carries the values, or None at a source."""
    values = node.input_values()
    if not values:
        return None
    if node.get_type_name() in _ARITHMETIC and values[0].get_node().get_type_name() == "Constant":
        return values[1]
    return values[0]


def _one_number(node: Any) -> float | None:
    for value in node.input_values():
        numbers = constant(value)
        if numbers is not None and numbers.size == 1:
            return float(numbers[0])
    return None


def _picks_planes(before: Dims, after: Dims) -> bool:
    """Whether an axis was dropped or cut alone. A crop of a picture cuts two."""
    if len(before) != len(after):
        return True
    return sum(one != other for one, other in zip(before, after, strict=True)) == 1
