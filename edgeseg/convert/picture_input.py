"""Finds the input that the camera feeds, and what the graph does to the picture first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeseg.convert.findings import Dims, InputFinding, text
from edgeseg.convert.graph_walk import constant, dims, input_quantization, name
from edgeseg.ovruntime import ov
from edgeseg.types import Quantization

_FORM = {"Convert", "FakeQuantize", "Interpolate", "Pad", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}
_WHOLE = {"i8", "u8", "i16", "u16", "i32", "i64"}
_FURTHEST = 16


@dataclass(frozen=True, slots=True)
class Preparation:
    """What the graph does to its input before the first weights: real = ``slope`` * value + ``offset``, per channel
    or one number. ``quantization`` says how whole numbers at the input stand for real ones.
    """

    slope: npt.NDArray[np.float64]
    offset: npt.NDArray[np.float64]
    operators: tuple[str, ...] = ()
    quantization: Quantization | None = None


def find_inputs(model: Any, layout: str) -> tuple[InputFinding, ...]:
    """All inputs of ``model`` in order; the first that can be a picture is marked. ``layout`` is what the format
    usually has.
    """
    found = [_look_at(port, layout) for port in model.inputs]
    first = next((index for index, entry in enumerate(found) if entry.picture), None)
    return tuple(entry if not entry.picture or index == first else _another(entry) for index, entry in enumerate(found))


def _look_at(port: Any, usual: str) -> InputFinding:
    element, shape = port.get_element_type().get_type_name(), dims(port)
    if not shape and port.get_partial_shape().rank.is_dynamic:
        return InputFinding(name(port), element, shape, "even the number of its axes is open")
    layout = _layout(port, shape, usual)
    if not layout:
        return InputFinding(name(port), element, shape, _no_picture(shape))
    across, down, plane = (2, 1, 3) if layout == "NHWC" else (3, 2, 1)
    why = (
        "red, green and blue" if shape[plane] == 3 else "three colours, and the mask of the frame before as the fourth"
    )
    return InputFinding(
        *(name(port), element, shape, f"a picture, {layout}: {why}"),
        picture=True,
        layout=layout,
        channels=shape[plane],
        width=shape[across],
        height=shape[down],
    )


def _layout(port: Any, shape: Dims, usual: str) -> str:
    """Which axis has 3 or 4 channels; both may, then what is written in the file or usual in its format decides."""
    if len(shape) != 4:
        return ""
    fitting = [layout for layout, axis in (("NHWC", 3), ("NCHW", 1)) if shape[axis] in {3, 4}]
    if len(fitting) < 2:
        return fitting[0] if fitting else ""
    said = ov.layout_helpers.get_layout(port).to_string().strip("[]").replace(",", "")
    return str(said) if said in fitting else usual


def _no_picture(shape: Dims) -> str:
    if len(shape) == 3 and (shape[0] in {3, 4} or shape[2] in {3, 4}):
        return "a picture without an axis for the batch"
    if len([side for side in shape if side != 1]) <= 1:
        return "a vector, as another network gives it: a style, a state, an option"
    if len(shape) == 4:
        return f"{text(shape)} holds neither 3 nor 4 channels: a state of the frame before, or other data"
    return f"{text(shape)} is no picture"


def _another(entry: InputFinding) -> InputFinding:
    return InputFinding(entry.name, entry.element, entry.dims, "another picture, such as the empty background")


def preparation(port: Any) -> Preparation:
    """Follow a picture from the input ``port`` through arithmetic with constants."""
    slope, offset = np.ones(1), np.zeros(1)
    met: list[str] = []
    quantization: Quantization | None = None
    whole = port.get_element_type().get_type_name() in _WHOLE
    value = port
    for _ in range(_FURTHEST):
        readers = [reader.get_node() for reader in value.get_target_inputs()]
        readers = [node for node in readers if node.get_type_name() != "ShapeOf"]
        if len(readers) != 1:
            break
        node = readers[0]
        kind = node.get_type_name()
        if kind == "FakeQuantize" and whole and quantization is None:
            quantization = input_quantization(node)
        elif kind not in _FORM:
            step = _arithmetic(node, value)
            if step is None:
                break
            slope, offset = slope * step[0], offset * step[0] + step[1]
            met.append(kind)
        value = node.output(0)
    return Preparation(slope, offset, tuple(met), quantization)


def _arithmetic(node: Any, value: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None:
    """(factor, summand) of an operator with a constant, or None when it is something else."""
    kind = node.get_type_name()
    if kind not in {"Add", "Divide", "Multiply", "Subtract"}:
        return None
    sides = node.input_values()
    first = sides[0].get_node() == value.get_node()
    number = constant(sides[1] if first else sides[0])
    if number is None or number.size not in {1, 3, 4} or (kind == "Divide" and (not first or not number.all())):
        return None
    none, one = np.zeros(1), np.ones(1)
    if kind == "Subtract":
        return (one, -number) if first else (-one, number)
    return {"Add": (one, number), "Multiply": (number, none)}.get(kind) or (1 / number, none)
