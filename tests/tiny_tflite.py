"""Writes very small .tflite files, so that tests of the converter need no model from outside."""

from __future__ import annotations

import flatbuffers

IDENTIFIER = b"TFL3"
_LOGISTIC, _CUSTOM = 14, 32


def sigmoid_model(width: int = 8, height: int = 4, channels: int = 3, custom: str = "") -> bytes:
    """A network of one operator, f32 [1, height, width, channels] → its sigmoid.

    With ``custom``, the operator is the custom one of that name instead, which nobody knows.
    """
    builder = flatbuffers.Builder(256)
    shape = builder.CreateNumpyVector(_ints([1, height, width, channels]))
    names = [builder.CreateString(name) for name in ("picture", "answer")]
    tensors = [_table(builder, 4, {0: shape, 3: name}) for name in names]
    operator_inputs = builder.CreateNumpyVector(_ints([0]))
    operator_outputs = builder.CreateNumpyVector(_ints([1]))
    operator = _table(builder, 6, {1: operator_inputs, 2: operator_outputs})
    subgraph = _table(
        builder,
        5,
        {
            0: _vector(builder, tensors),
            1: builder.CreateNumpyVector(_ints([0])),
            2: builder.CreateNumpyVector(_ints([1])),
            3: _vector(builder, [operator]),
        },
    )
    name = builder.CreateString(custom) if custom else None
    builder.StartObject(4)
    builder.PrependInt8Slot(0, _CUSTOM if custom else _LOGISTIC, 0)
    if name is not None:
        builder.PrependUOffsetTRelativeSlot(1, name, 0)
    builder.PrependInt32Slot(2, 1, 0)
    builder.PrependInt32Slot(3, _CUSTOM if custom else _LOGISTIC, 0)
    code = builder.EndObject()
    buffer = _table(builder, 1, {})
    codes, subgraphs, buffers = (_vector(builder, [table]) for table in (code, subgraph, buffer))
    builder.StartObject(5)
    builder.PrependUint32Slot(0, 3, 0)
    for slot, offset in ((1, codes), (2, subgraphs), (4, buffers)):
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    builder.Finish(builder.EndObject(), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def _ints(values: list[int]) -> object:
    import numpy as np

    return np.array(values, np.int32)


def _table(builder: flatbuffers.Builder, slots: int, offsets: dict[int, int]) -> int:
    builder.StartObject(slots)
    for slot, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    return int(builder.EndObject())


def _vector(builder: flatbuffers.Builder, tables: list[int]) -> int:
    builder.StartVector(4, len(tables), 4)
    for table in reversed(tables):
        builder.PrependUOffsetTRelative(table)
    return int(builder.EndVector())
