"""Just enough of FlatBuffers to look into a .tflite file without trusting it.

Every offset is checked against the file: a truncated or a renamed file raises ``DamagedError``, where native readers
would follow a wild pointer.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator


class DamagedError(Exception):
    """An offset leads out of the file."""


class Table:
    """One FlatBuffers table. Fields are asked for by their number in the schema."""

    __slots__ = ("_buffer", "_position", "_vtable", "_vtable_size")

    def __init__(self, buffer: bytes, position: int) -> None:
        self._buffer = buffer
        self._position = position
        self._vtable = position - int(_unpack("<i", buffer, position))
        self._vtable_size = int(_unpack("<H", buffer, self._vtable))
        if position + int(_unpack("<H", buffer, self._vtable + 2)) > len(buffer):
            raise DamagedError("a table reaches beyond the end of the file")

    def scalar(self, field: int, code: str, default: int = 0) -> int:
        """A number stored in the table; ``code`` is its ``struct`` character (b, B, i, I, q, Q)."""
        at = self._field(field)
        return default if at is None else int(_unpack(f"<{code}", self._buffer, at))

    def raw(self, field: int) -> bytes:
        """A vector of bytes, or a string; empty when the field is absent."""
        start, length = self._vector(field, 1)
        return self._buffer[start : start + length]

    def text(self, field: int) -> str:
        return self.raw(field).decode("utf-8", "replace")

    def ints(self, field: int, code: str = "i") -> tuple[int, ...]:
        """A vector of integers; ``code`` is the ``struct`` character of one."""
        start, length = self._vector(field, struct.calcsize(f"<{code}"))
        return struct.unpack_from(f"<{length}{code}", self._buffer, start)

    def floats(self, field: int) -> tuple[float, ...]:
        """A vector of 32-bit floats."""
        start, length = self._vector(field, 4)
        return struct.unpack_from(f"<{length}f", self._buffer, start)

    def table(self, field: int) -> Table | None:
        """A table of its own, or None when the field is absent."""
        at = self._field(field)
        return None if at is None else Table(self._buffer, at + int(_unpack("<I", self._buffer, at)))

    def tables(self, field: int) -> Iterator[Table]:
        """A vector of tables."""
        start, length = self._vector(field, 4)
        for position in range(start, start + 4 * length, 4):
            yield Table(self._buffer, position + int(_unpack("<I", self._buffer, position)))

    def _field(self, field: int) -> int | None:
        entry = 4 + 2 * field
        if entry + 2 > self._vtable_size:
            return None
        offset = int(_unpack("<H", self._buffer, self._vtable + entry))
        return self._position + offset if offset else None

    def _vector(self, field: int, item_size: int) -> tuple[int, int]:
        at = self._field(field)
        if at is None:
            return 0, 0
        start = at + int(_unpack("<I", self._buffer, at))
        length = int(_unpack("<I", self._buffer, start))
        if start + 4 + length * item_size > len(self._buffer):
            raise DamagedError(f"a list of {length} elements reaches beyond the end of the file")
        return start + 4, length


def root(buffer: bytes) -> Table:
    """The table that a FlatBuffers file starts with."""
    return Table(buffer, int(_unpack("<I", buffer, 0)))


def _unpack(code: str, buffer: bytes, position: int) -> int:
    if position < 0 or position + struct.calcsize(code) > len(buffer):
        raise DamagedError(f"an offset leads to byte {position} of {len(buffer)}")
    value: int = struct.unpack_from(code, buffer, position)[0]
    return value
