"""Whether a .tflite file is all there.

``tflite-runtime`` follows the offsets in a file without looking where they lead: one that was cut off takes the process
with it. (``ai-edge-litert`` looks.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgeseg.flatbuffer import DamagedError, Table, root

# What a table holds, by field number in TensorFlow Lite's schema.fbs: what reads it, or the fields of the tables in it.
_Fields = Mapping[int, "Callable[[Table, int], object] | _Fields"]
_CODE: _Fields = {1: Table.raw}
_TENSOR: _Fields = {0: Table.ints, 3: Table.raw}
_OPERATOR: _Fields = {1: Table.ints, 2: Table.ints, 5: Table.raw}
_SUBGRAPH: _Fields = {0: _TENSOR, 1: Table.ints, 2: Table.ints, 3: _OPERATOR, 4: Table.raw}
_BUFFER: _Fields = {0: Table.raw}
_MODEL: _Fields = {1: _CODE, 2: _SUBGRAPH, 4: _BUFFER}


def is_whole(content: bytes) -> bool:
    """Whether every table and list of the model lies inside of ``content``."""
    try:
        _read(root(content), _MODEL)
    except DamagedError:
        return False
    return True


def _read(table: Table, fields: _Fields) -> None:
    for field, inside in fields.items():
        if callable(inside):
            inside(table, field)
        else:
            for entry in table.tables(field):
                _read(entry, inside)
