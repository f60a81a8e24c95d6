"""Walks over the fields of a protobuf message, without a schema and without the package ``protobuf``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from mmap import mmap

_VARINT, _EIGHT, _LENGTH, _FOUR = 0, 1, 2, 5
_LONGEST_VARINT = 10


@dataclass(frozen=True, slots=True)
class Field:
    """One field: whole numbers as ``value``; bytes, texts and messages from ``start`` to ``end`` of the buffer."""

    number: int
    wire: int
    value: int = 0
    start: int = 0
    end: int = 0

    @property
    def message(self) -> bool:
        """Whether bytes, a text or a message is in it."""
        return self.wire == _LENGTH

    @property
    def whole(self) -> bool:
        """Whether a whole number is in it."""
        return self.wire == _VARINT


def fields(data: bytes | mmap, start: int = 0, end: int | None = None) -> Iterator[Field]:
    """The fields between ``start`` and ``end`` of ``data``, without looking into them.

    Raises:
        ValueError: this is no protobuf message, or its end is missing.
    """
    stop = len(data) if end is None else end
    at = start
    while at < stop:
        tag, at = _varint(data, at, stop)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise ValueError("field number 0")
        if wire == _VARINT:
            value, at = _varint(data, at, stop)
            yield Field(number, wire, value)
            continue
        if wire == _LENGTH:
            length, at = _varint(data, at, stop)
        elif wire in (_EIGHT, _FOUR):
            length = 8 if wire == _EIGHT else 4
        else:
            raise ValueError(f"wire type {wire}")
        if at + length > stop:
            raise ValueError(f"a field of {length} bytes ends after the message")
        yield Field(number, wire, 0, at, at + length)
        at += length


def text(data: bytes | mmap, field: Field) -> str:
    """The text in ``field``; what is not UTF-8 is replaced."""
    return bytes(data[field.start : field.end]).decode("utf-8", "replace")


def inside(data: bytes | mmap, field: Field, path: Sequence[int]) -> Iterator[Field]:
    """The fields in ``field`` that ``path`` leads to: the number of one in it, of one in that, and so on.

    Raises:
        ValueError: one on the way is no message.
    """
    for found in fields(data, field.start, field.end):
        if found.number == path[0]:
            if len(path) == 1:
                yield found
            else:
                yield from inside(data, found, path[1:])


def _varint(data: bytes | mmap, at: int, stop: int) -> tuple[int, int]:
    """A number and where it ends."""
    value = 0
    for index in range(_LONGEST_VARINT):
        if at + index >= stop:
            raise ValueError("a number ends after the message")
        byte = data[at + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, at + index + 1
    raise ValueError("a number of more than 64 bits")
