"""Writes very small .onnx files, so that tests need neither ``onnx`` nor a model from outside."""

from __future__ import annotations

from collections.abc import Sequence

from tests.tiny_protobuf import blob, number, text

_FLOAT = 1  # of TensorProto.DataType
_INT, _INTS = 2, 7  # of AttributeProto.AttributeType
_OPSET, _IR_VERSION = 13, 8


Sides = Sequence[int | str]


def mean_model(height: int | str, width: int | str, channels: int = 3) -> bytes:
    """A model that answers how bright a pixel is: f32 ``picture`` [1, height, width, channels] → ``answer``
    [1, h, w, 1], the mean of the channels. A side that is a word is left open under that name.
    """
    attributes = [_ints("axes", [3]), _int("keepdims", 1)]
    return _model(_node("ReduceMean", attributes), [1, height, width, channels], [1, height, width, 1])


def planes_model(height: int | str, width: int | str, channels: int | str = 3) -> bytes:
    """The same with the channels first: f32 ``picture`` [1, channels, height, width] → ``answer`` [1, 1, h, w]."""
    attributes = [_ints("axes", [1]), _int("keepdims", 1)]
    return _model(_node("ReduceMean", attributes), [1, channels, height, width], [1, 1, height, width])


def shapeless_model() -> bytes:
    """A model of one sigmoid that says nothing about shapes, not even how many axes there are."""
    return _model(_node("Sigmoid", []), None, None)


def unknown_model(operator: str = "Magic", domain: str = "") -> bytes:
    """A model of one operator that nobody knows."""
    return _model(_node(operator, [], domain), [1, 4, 8, 3], [1, 4, 8, 1])


def _model(node: bytes, taken: Sides | None, given: Sides | None) -> bytes:
    graph = [
        blob(1, node),
        text(2, "tiny"),
        blob(11, _value("picture", taken)),
        blob(12, _value("answer", given)),
    ]
    return b"".join([number(1, _IR_VERSION), text(2, "edgeseg"), blob(7, *graph), blob(8, number(2, _OPSET))])


def _node(operator: str, attributes: Sequence[bytes], domain: str = "") -> bytes:
    fields = [text(1, "picture"), text(2, "answer"), text(3, "only"), text(4, operator)]
    return b"".join(
        [*fields, *(blob(5, attribute) for attribute in attributes), *([text(7, domain)] if domain else [])]
    )


def _value(name: str, shape: Sides | None) -> bytes:
    kind = number(1, _FLOAT)
    if shape is not None:
        kind += blob(2, *(blob(1, text(2, side) if isinstance(side, str) else number(1, side)) for side in shape))
    return text(1, name) + blob(2, blob(1, kind))


def _int(name: str, value: int) -> bytes:
    return text(1, name) + number(3, value) + number(20, _INT)


def _ints(name: str, values: Sequence[int]) -> bytes:
    return text(1, name) + b"".join(number(8, value) for value in values) + number(20, _INTS)
