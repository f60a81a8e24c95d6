"""What a .tflite file says about itself: tensors, operators and the options of its custom operators.

Field numbers are those of TensorFlow Lite's ``schema.fbs``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TypeVar

from edgeseg.errors import ModelError
from edgeseg.flatbuffer import DamagedError, Table, root
from edgeseg.types import Quantization

T = TypeVar("T")
IDENTIFIER = b"TFL3"
EDGETPU = "edgetpu-custom-op"
_CUSTOM = 32  # BuiltinOperator.CUSTOM
_METADATA = "TFLITE_METADATA"
_MOST_AXES = 8  # TensorFlow's own limit is 8 in most of its operators
_TYPES = {
    0: ("f32", 4),
    1: ("f16", 2),
    2: ("i32", 4),
    3: ("u8", 1),
    4: ("i64", 8),
    6: ("bool", 1),
    7: ("i16", 2),
    9: ("i8", 1),
    10: ("f64", 8),
    12: ("u64", 8),
    15: ("u32", 4),
    16: ("u16", 2),
}
"""TensorType by number: its name here, and the bytes of one element."""


@dataclass(frozen=True, slots=True)
class TfliteTensor:
    """One tensor. ``kind`` is "f32", "i8", "u8" and so on, or "" for one that is not known here; ``constant`` ones have
    their values in the file. ``quantization`` is that of the whole tensor; None where channels have their own.
    """

    name: str
    shape: tuple[int, ...] = ()
    kind: str = "f32"
    quantization: Quantization | None = None
    constant: bool = False


@dataclass(frozen=True, slots=True)
class TfliteOperator:
    """One operator. ``custom`` is the name of a custom operator, empty for one of the format's own, whose number is
    ``builtin``. Inputs that are left out have the name "".
    """

    custom: str
    custom_options: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    builtin: int = _CUSTOM


@dataclass(frozen=True, slots=True)
class TfliteFile:
    """The first subgraph of a file, which is the one that runs, and the metadata for people and tools."""

    operators: tuple[TfliteOperator, ...]
    tensors: tuple[TfliteTensor, ...] = ()
    inputs: tuple[TfliteTensor, ...] = ()
    outputs: tuple[TfliteTensor, ...] = ()
    metadata: bytes = b""

    @property
    def custom_operators(self) -> list[str]:
        """The names of the custom operators in it, each once, in order."""
        return list(dict.fromkeys(operator.custom for operator in self.operators if operator.custom))

    def has_builtin(self, number: int) -> bool:
        """Whether an operator of the format's own, by its number in ``BuiltinOperator``, is in it."""
        return any(operator.builtin == number for operator in self.operators)


def parse(path: Path) -> TfliteFile:
    """Read and check the structure of ``path``.

    Raises:
        ModelError: it is no .tflite file, or a part of it is missing.
    """
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise ModelError(f"{path} cannot be read: {exc.strerror}") from exc
    if content[4:8] != IDENTIFIER:
        raise ModelError(f"{path} is not a TensorFlow Lite model: its identifier {IDENTIFIER.decode()} is missing")
    try:
        return _parse(root(content))
    except (DamagedError, IndexError) as exc:
        raise ModelError(f"{path} is damaged: {exc}", hint="was it downloaded whole?") from exc


def _parse(model: Table) -> TfliteFile:
    codes = [(max(code.scalar(0, "b"), code.scalar(3, "i")), code.text(1)) for code in model.tables(1)]
    buffers = [(buffer.raw(0), buffer.scalar(2, "Q")) for buffer in model.tables(4)]
    subgraphs = list(model.tables(2))
    if not subgraphs:
        raise DamagedError("it holds no graph")
    graph = subgraphs[0]
    tensors = tuple(_tensor(table, buffers) for table in graph.tables(0))
    operators = []
    for operator in graph.tables(3):
        builtin, custom = _pick(codes, operator.scalar(0, "I"))
        operators.append(
            TfliteOperator(
                custom=custom if builtin == _CUSTOM else "",
                custom_options=operator.raw(5),
                inputs=tuple("" if index == -1 else _pick(tensors, index).name for index in operator.ints(1)),
                outputs=tuple(_pick(tensors, index).name for index in operator.ints(2)),
                builtin=builtin,
            )
        )
    inputs, outputs = (tuple(_pick(tensors, index) for index in graph.ints(field)) for field in (1, 2))
    named = {entry.text(0): entry.scalar(1, "I") for entry in model.tables(6)}
    metadata = _pick(buffers, named[_METADATA])[0] if _METADATA in named else b""
    return TfliteFile(tuple(operators), tensors, inputs, outputs, metadata)


def _tensor(table: Table, buffers: list[tuple[bytes, int]]) -> TfliteTensor:
    name, shape = table.text(3), table.ints(0)
    kind, size = _TYPES.get(table.scalar(1, "b"), ("", 0))
    values, elsewhere = _pick(buffers, table.scalar(2, "I"))
    if len(shape) > _MOST_AXES:
        raise DamagedError(f"tensor {name[:80]!r} has {len(shape)} axes")
    if any(side < 0 for side in shape):
        raise DamagedError(f"tensor {name[:80]!r} has the shape {list(shape)}")
    sparse = table.table(6) is not None
    if values and not sparse and len(values) < size * prod(shape):
        raise DamagedError(f"tensor {name[:80]!r} of shape {list(shape)} has {len(values)} bytes of values")
    return TfliteTensor(name, shape, kind, _quantization(table, name, len(shape)), bool(values) or elsewhere > 0)


def _quantization(tensor: Table, name: str, rank: int) -> Quantization | None:
    table = tensor.table(4)
    scales, points = (table.floats(2), table.ints(3, "q")) if table else ((), ())
    if table is not None and max(len(scales), len(points)) > 1 and not 0 <= table.scalar(6, "i") < max(rank, 1):
        raise DamagedError(f"tensor {name[:80]!r} is quantised along axis {table.scalar(6, 'i')} of {rank}")
    if len(scales) != 1 or not scales[0] > 0:
        return None
    return Quantization(scales[0], points[0] if points else 0)


def _pick(items: Sequence[T], index: int) -> T:
    """``items[index]``, for an index that the file gave."""
    if not 0 <= index < len(items):
        raise DamagedError(f"it refers to part {index} of {len(items)}")
    return items[index]
