"""Writes a very small Paddle program, so that tests need no Paddle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.tiny_protobuf import blob, number, text

_FLOAT, _TENSOR, _FEED, _FETCH = 5, 7, 9, 10  # of VarType.Type
_INT = 0  # of AttrType


def sigmoid_program(folder: Path, height: int = 4, width: int = 8) -> Path:
    """A program of one operator: f32 ``picture`` [1, 3, height, width] → ``mask``, its sigmoid. A side of -1 is open.
    The file of weights beside it is empty: there are none.
    """
    shape = [1, 3, height, width]
    variables = [
        blob(3, text(1, "feed"), blob(2, number(1, _FEED)), number(3, 1)),
        blob(3, text(1, "fetch"), blob(2, number(1, _FETCH)), number(3, 1)),
        *(blob(3, text(1, name), blob(2, number(1, _TENSOR), _tensor(shape))) for name in ("picture", "mask")),
    ]
    operators = [
        _operator("feed", ("X", "feed"), ("Out", "picture"), column=True),
        _operator("sigmoid", ("X", "picture"), ("Out", "mask")),
        _operator("fetch", ("X", "mask"), ("Out", "fetch"), column=True),
    ]
    block = number(1, 0) + number(2, -1) + b"".join([*variables, *operators])
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "net.pdmodel"
    program.write_bytes(blob(1, block) + blob(4, number(1, 2_006_000)))
    program.with_suffix(".pdiparams").write_bytes(b"")
    return program


def _tensor(shape: Sequence[int]) -> bytes:
    return blob(3, blob(1, number(1, _FLOAT), *(number(2, side) for side in shape)))


def _operator(kind: str, taken: tuple[str, str], given: tuple[str, str], column: bool = False) -> bytes:
    ends = [blob(field, text(1, slot), text(2, name)) for field, (slot, name) in ((1, taken), (2, given))]
    attributes = [blob(4, text(1, "col"), number(2, _INT), number(3, 0))] if column else []
    return blob(4, *ends, text(3, kind), *attributes)
