"""What a .tflite file says about itself: tensors, operators and the options of its custom operators.

Field numbers are those of TensorFlow Lite's ``schema.fbs``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeseg.convert.readers.flatbuffer import DamagedError, Table, root
from edgeseg.errors import ModelError

IDENTIFIER = b"TFL3"
_CUSTOM = 32  # BuiltinOperator.CUSTOM


@dataclass(frozen=True, slots=True)
class TfliteOperator:
    """One operator. ``custom`` is the name of a custom operator, empty for one of the format's own."""

    custom: str
    custom_options: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TfliteFile:
    """The first subgraph of a file, which is the one that runs."""

    operators: tuple[TfliteOperator, ...]

    @property
    def custom_operators(self) -> list[str]:
        """The names of the custom operators in it, each once, in order."""
        return list(dict.fromkeys(operator.custom for operator in self.operators if operator.custom))


def parse(path: Path) -> TfliteFile:
    """Read and check the structure of ``path``.

    Raises:
        ModelError: it is no .tflite file, or a part of it is missing.
    """
    content = path.read_bytes()
    if content[4:8] != IDENTIFIER:
        raise ModelError(f"{path} is not a TensorFlow Lite model: its identifier {IDENTIFIER.decode()} is missing")
    try:
        return _parse(root(content))
    except (DamagedError, IndexError) as exc:
        raise ModelError(f"{path} is damaged: {exc}", hint="was it downloaded whole?") from exc


def _parse(model: Table) -> TfliteFile:
    codes = [(max(code.scalar(0, "b"), code.scalar(3, "i")), code.text(1)) for code in model.tables(1)]
    for buffer in model.tables(4):
        buffer.raw(0)  # only to see that all of it is there
    subgraphs = list(model.tables(2))
    if not subgraphs:
        raise DamagedError("it holds no graph")
    names = []
    for tensor in subgraphs[0].tables(0):
        tensor.ints(0)  # likewise: the shape
        names.append(tensor.text(3))
    operators = []
    for operator in subgraphs[0].tables(3):
        builtin, custom = codes[operator.scalar(0, "I")]
        operators.append(
            TfliteOperator(
                custom=custom if builtin == _CUSTOM else "",
                custom_options=operator.raw(5),
                inputs=tuple(names[index] if index >= 0 else "" for index in operator.ints(1)),
                outputs=tuple(names[index] for index in operator.ints(2)),
            )
        )
    return TfliteFile(tuple(operators))
