"""Writes .tflite files of a few operators, so that tests need neither TensorFlow nor a model from outside.

A table is a dictionary from the number of a field in ``schema.fbs`` to its value: a ``Number``, text, bytes, a numpy
vector, a table, or a list of tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np

from edgeseg.types import Quantization

# BuiltinOperator
CONV_2D, DEQUANTIZE, LOGISTIC, MAX_POOL_2D, CUSTOM, MEAN, TILE = 3, 6, 14, 17, 32, 40, 69
REDUCER_OPTIONS = 27  # in BuiltinOptions
KINDS = {np.dtype(name): number for number, name in {0: "f4", 2: "i4", 3: "u1", 4: "i8", 9: "i1"}.items()}
_SLOTS = 16


@dataclass(frozen=True, slots=True)
class Number:
    """A scalar field: ``kind`` is the name of the builder's method, as "Int8", "Uint32" or "Bool"."""

    kind: str
    value: int


@dataclass(frozen=True, slots=True)
class Tensor:
    """``values`` makes it a constant; ``signature`` has -1 for the sides that are left open."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "f4"
    quantization: Quantization | None = None
    values: Any = None
    signature: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Operator:
    """Inputs and outputs by name. ``custom`` names a custom operator; ``options`` is the number of its table in the
    union of options, and the table.
    """

    builtin: int
    inputs: Sequence[str]
    outputs: Sequence[str]
    custom: str = ""
    custom_options: bytes = b""
    options: tuple[int, dict[int, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """What ``build`` writes."""

    tensors: Sequence[Tensor]
    operators: Sequence[Operator]
    inputs: Sequence[str]
    outputs: Sequence[str]
    metadata: dict[str, bytes] = field(default_factory=dict)


def build(model: Model) -> bytes:
    """The file."""
    place = {tensor.name: index for index, tensor in enumerate(model.tensors)}
    buffers: list[dict[int, Any]] = [{}]

    def stored(content: bytes) -> int:
        buffers.append({0: content})
        return len(buffers) - 1

    tensors = []
    for tensor in model.tensors:
        entry: dict[int, Any] = {
            0: np.array(tensor.shape, np.int32),
            1: Number("Int8", KINDS[np.dtype(tensor.dtype)]),
            3: tensor.name,
        }
        if tensor.values is not None:
            entry[2] = Number("Uint32", stored(np.array(tensor.values, tensor.dtype).tobytes()))
        if tensor.quantization is not None:
            scale, point = tensor.quantization.scale, tensor.quantization.zero_point
            entry[4] = {2: np.array([scale], np.float32), 3: np.array([point], np.int64)}
        if tensor.signature:
            entry[7] = np.array(tensor.signature, np.int32)
        tensors.append(entry)
    operators, codes = [], []
    for index, operator in enumerate(model.operators):
        code: dict[int, Any] = {0: Number("Int8", operator.builtin), 3: Number("Int32", operator.builtin)}
        codes.append(code | ({1: operator.custom} if operator.custom else {}))
        entry = {
            0: Number("Uint32", index),
            1: np.array([place[name] for name in operator.inputs], np.int32),
            2: np.array([place[name] for name in operator.outputs], np.int32),
        }
        if operator.options is not None:
            entry |= {3: Number("Uint8", operator.options[0]), 4: operator.options[1]}
        operators.append(entry | ({5: operator.custom_options} if operator.custom_options else {}))
    graph = {
        0: tensors,
        1: np.array([place[name] for name in model.inputs], np.int32),
        2: np.array([place[name] for name in model.outputs], np.int32),
        3: operators,
    }
    entries = [{0: name, 1: Number("Uint32", stored(content))} for name, content in model.metadata.items()]
    return pack({0: Number("Uint32", 3), 1: codes, 2: [graph], 4: buffers, 6: entries}, b"TFL3")


def sigmoid_model(width: int = 8, height: int = 4, channels: int = 3, custom: str = "") -> bytes:
    """A network of one operator, f32 [1, height, width, channels] → its sigmoid.

    With ``custom``, the operator is the custom one of that name instead, which nobody knows.
    """
    tensors = [Tensor(name, (1, height, width, channels)) for name in ("picture", "answer")]
    operator = Operator(CUSTOM if custom else LOGISTIC, ["picture"], ["answer"], custom)
    return build(Model(tensors, [operator], ["picture"], ["answer"]))


def pack(table: dict[int, Any], identifier: bytes) -> bytes:
    """A FlatBuffers file with ``table`` at its root."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(_write(builder, table), file_identifier=identifier)
    return bytes(builder.Output())


def _write(builder: Any, value: Any) -> int:
    if isinstance(value, dict):
        parts = {slot: part if isinstance(part, Number) else _write(builder, part) for slot, part in value.items()}
        builder.StartObject(_SLOTS)
        for slot, part in parts.items():
            if isinstance(part, Number):
                getattr(builder, f"Prepend{part.kind}Slot")(slot, part.value, 0)
            else:
                builder.PrependUOffsetTRelativeSlot(slot, part, 0)
        return int(builder.EndObject())
    if isinstance(value, str):
        return int(builder.CreateString(value))
    if isinstance(value, bytes):
        return int(builder.CreateByteVector(value))
    if isinstance(value, np.ndarray):
        return int(builder.CreateNumpyVector(value))
    tables = [_write(builder, entry) for entry in value]
    builder.StartVector(4, len(tables), 4)
    for offset in reversed(tables):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())
