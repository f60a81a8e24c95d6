"""Ranks what may be the answer of a model: its outputs, and tensors inside it that were worth being one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from edgeseg.convert.findings import Candidate, Dims, text
from edgeseg.convert.graph_walk import DECIDING, SQUASHING, Trail, back, dims, name, written_softmax
from edgeseg.types import OutputKind

COARSEST = 32  # input pixels across one pixel of the mask; segmentation networks have 1 to 16
_FINEST = 4  # the other way round
_MOST_CLASSES = 512
_MOST_INSIDE = 3
_CLOSE = 25.0  # scores that differ by less need somebody to decide
_WHOLE = {"boolean", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64"}
_QUANTIZED = {"i8", "u8", "i16", "u16"}
_BY_KIND = {
    OutputKind.LABELS: 100.0,
    OutputKind.PROBABILITY: 96.0,
    OutputKind.LOGITS: 90.0,
    OutputKind.IMAGE: 50.0,
    None: 5.0,
}
_SIDE_HEADS = ("aux", "boundary", "edge", "side", "deep_supervision")

Sides = tuple[int, int]


def rank(model: Any, sides: Sides | None, layout: str, *, style: bool) -> tuple[Candidate, ...]:
    """The candidates of ``model``, likeliest first.

    ``sides`` are the (height, width) of the picture at which the shapes of ``model`` were settled, None where that
    failed; ``layout`` is that of the picture; ``style`` says that the graph looks like one that paints pictures.
    """
    found = [
        look_at(port.get_node().input_value(0), index, sides, layout, style=style, named=name(port))
        for index, port in enumerate(model.outputs)
    ]
    found += _inside(model, found, sides, layout, style=style)
    return tuple(sorted(found, key=lambda entry: -entry.score))


def rivals(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The outputs between which nothing decides, the likeliest first; empty when one is clearly the answer."""
    fitting = [entry for entry in candidates if entry.segments and entry.index is not None]
    if not fitting:
        return ()
    first, *others = fitting
    close = [entry for entry in others if first.score - entry.score < _CLOSE and entry.source != first.source]
    return (first, *close) if close else ()


def expose(model: Any, candidate: Candidate) -> int:
    """The number of ``candidate`` among the outputs of ``model``, after making it one where it is a tensor inside.

    ``model`` is the one that was analysed, or a copy of it.
    """
    if candidate.index is not None:
        return candidate.index
    for node in model.get_ops():
        for value in node.outputs():
            if name(value) == candidate.name:
                model.add_outputs(value)
                return len(model.outputs) - 1
    raise KeyError(candidate.name)


def look_at(value: Any, index: int | None, sides: Sides | None, layout: str, *, style: bool, named: str) -> Candidate:
    """What the tensor ``value`` is, going by its shape and by what made it."""
    trail = back(value)
    shape = dims(value)
    element = value.get_element_type().get_type_name()
    grid = _grid(shape, sides, layout) if sides else None
    activation = _activation(trail)
    deeper = back(trail.end, SQUASHING | DECIDING)
    source = "/".join([name(deeper.end), *trail.picks, *deeper.picks])
    found = Candidate(named, index, element, shape, None, "", activation, source=source)
    if sides is None:
        return replace(found, why=f"{text(shape)}: its size could not be settled", score=10)
    if grid is None:
        return replace(found, why=_no_mask(shape, sides, activation), score=_scored(index, 0))
    height, width, planes = grid
    kind = _kind(trail, activation, element, planes, style=style)
    classes = _classes(trail) if kind is OutputKind.LABELS else planes
    quantization = trail.quantization if element in _QUANTIZED and kind is not OutputKind.LABELS else None
    found = replace(
        found, kind=kind, planes=planes, height=height, width=width, classes=classes, quantization=quantization
    )
    return replace(found, why=_why(found, sides, trail), score=_scored(index, _points(found, sides)))


def _inside(model: Any, outputs: list[Candidate], sides: Sides | None, layout: str, *, style: bool) -> list[Candidate]:
    """Tensors that were worth being an output: what is decided upon, when the outputs are labels or no masks at all."""
    if sides is None or any(entry.segments and entry.kind is not OutputKind.LABELS for entry in outputs):
        return []
    found: dict[str, Candidate] = {}
    for node in reversed(model.get_ordered_ops()):
        for value in _worth_looking(node):
            candidate = look_at(value, None, sides, layout, style=style, named=name(value))
            if candidate.segments and (candidate.classes or 1) <= _MOST_CLASSES:
                found.setdefault(candidate.name, candidate)
        if len(found) >= _MOST_INSIDE:
            break
    return list(found.values())


def _worth_looking(node: Any) -> Iterator[Any]:
    kind = node.get_type_name()
    if kind == "TopK":
        value = node.input_value(0)
        yield value.get_node().input_value(0) if value.get_node().get_type_name() == "FakeQuantize" else value
    elif kind in {"Sigmoid", "Softmax", "SoftMax"} or written_softmax(node):
        yield node.output(0)


def _grid(shape: Dims, sides: Sides, layout: str) -> tuple[int, int, int] | None:
    """(height, width, planes) when ``shape`` can be a picture of ``sides``, the largest such reading."""
    if not shape or any(side is None for side in shape):
        return None
    readings = [reading for reading in _readings([side or 0 for side in shape], sides, layout) if _fits(reading, sides)]
    return max(readings, key=lambda reading: reading[0] * reading[1], default=None)


def _readings(shape: list[int], sides: Sides, layout: str) -> Iterator[tuple[int, int, int]]:
    if len(shape) == 4 and shape[0] == 1:
        last, first = (shape[1], shape[2], shape[3]), (shape[2], shape[3], shape[1])
        yield from (last, first) if layout == "NHWC" else (first, last)
    elif len(shape) == 3 and shape[0] == 1:
        yield shape[1], shape[2], 1
        yield from _flat(shape[1], shape[2], sides)
    elif len(shape) == 3:
        yield shape[0], shape[1], shape[2]
        yield shape[1], shape[2], shape[0]
    elif len(shape) == 2:
        yield shape[0], shape[1], 1
        yield from _flat(shape[0], shape[1], sides) if shape[0] != 1 else _flat(shape[1], 1, sides)
    elif len(shape) == 1:
        yield from _flat(shape[0], 1, sides)


def _flat(area: int, planes: int, sides: Sides) -> Iterator[tuple[int, int, int]]:
    if area == sides[0] * sides[1]:
        yield *sides, planes


def _fits(reading: tuple[int, int, int], sides: Sides) -> bool:
    height, width, planes = reading
    if not planes or height * width == 1 or not sides[0] / COARSEST <= height <= sides[0] * _FINEST:
        return False
    return abs(height * sides[1] / sides[0] - width) <= max(1.0, width / 50)


def _activation(trail: Trail) -> str:
    node = trail.end.get_node()
    kind = node.get_type_name()
    if kind == "TopK":
        return "argmax" if trail.end.get_index() == 1 else "maximum"
    if kind == "ReduceMax":
        return "maximum"
    if kind in DECIDING:
        return "threshold"
    if kind in {"Softmax", "SoftMax"} or written_softmax(node):
        return "softmax"
    if kind in SQUASHING:
        return {"LogSoftmax": "logsoftmax", "Tanh": "tanh"}.get(kind, "sigmoid")
    return "clamp" if trail.clamped == (0.0, 1.0) else ""


def _kind(trail: Trail, activation: str, element: str, planes: int, *, style: bool) -> OutputKind | None:
    if activation == "maximum":
        return None
    if activation in {"argmax", "threshold"}:
        return OutputKind.LABELS
    if planes == 3 and (activation in {"sigmoid", "tanh", "clamp"} or style or abs(trail.factor) >= 100):
        return OutputKind.IMAGE
    if activation in {"sigmoid", "softmax", "clamp"}:
        return OutputKind.PROBABILITY
    if element in _WHOLE and (element not in _QUANTIZED or trail.quantization is None):
        return OutputKind.LABELS if planes == 1 else None
    return OutputKind.LOGITS


def _classes(trail: Trail) -> int | None:
    """How many classes were decided between."""
    node = trail.end.get_node()
    if node.get_type_name() != "TopK":
        return 2 if node.get_type_name() in DECIDING else None
    shape = dims(node.input_value(0))
    axis = int(node.get_attributes()["axis"])
    return shape[axis] if shape else None


def _points(found: Candidate, sides: Sides) -> float:
    points = _BY_KIND[found.kind]
    points -= 40 * (1 - min(1.0, (found.height or 1) / sides[0]))
    if (found.planes or 1) > _MOST_CLASSES:
        points -= 40
    if any(word in found.name.lower() for word in _SIDE_HEADS):
        points -= 30
    return points


def _scored(index: int | None, points: float) -> float:
    return points if index is not None else points / 2


def _no_mask(shape: Dims, sides: Sides, activation: str) -> str:
    made = f", made by {activation}" if activation else ""
    if len([side for side in shape if side != 1]) <= 1:
        return f"a vector{made}: one answer for the whole picture"
    return f"{text(shape)}{made} is no map of a picture of {sides[1]}x{sides[0]}"


def _why(found: Candidate, sides: Sides, trail: Trail) -> str:
    made = f" ({found.activation})" if found.activation else " (nothing squashes them)"
    picked = ", one of several planes" if trail.picks and found.planes == 1 else ""
    return f"{_what(found)}{picked}{made}, {_size(found, sides)}"


def _what(found: Candidate) -> str:
    if found.kind is OutputKind.LABELS:
        return "the class of each pixel" + (f", of {found.classes}" if found.classes else "")
    if found.kind is None:
        best = "the score of the best class, not which it is"
        return (
            best if found.activation == "maximum" else "whole numbers of several planes, of which no mask can be made"
        )
    if found.kind is OutputKind.IMAGE:
        return "three colours for each pixel"
    what = "probability" if found.kind is OutputKind.PROBABILITY else "logit"
    if found.planes == 1:
        return f"one {what} for each pixel"
    return f"{'probabilities' if what == 'probability' else 'logits'} of {found.classes} classes for each pixel"


def _size(found: Candidate, sides: Sides) -> str:
    if (found.height, found.width) == sides:
        return "as large as the picture"
    times = sides[0] / (found.height or 1)
    return f"1/{times:.3g} of the picture" if times > 1 else f"{1 / times:.3g} times the picture"
