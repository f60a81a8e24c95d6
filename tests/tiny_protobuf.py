"""Writes protobuf messages by hand, so that tests of the converter need no framework to make a model."""

from __future__ import annotations

import struct

_VARINT, _BYTES, _FLOAT = 0, 2, 5


def number(field: int, value: int) -> bytes:
    """``value`` as a whole number; negative ones in two's complement of 64 bits."""
    return _varint(field << 3 | _VARINT) + _varint(value & (1 << 64) - 1)


def real(field: int, value: float) -> bytes:
    """``value`` as an f32."""
    return _varint(field << 3 | _FLOAT) + struct.pack("<f", value)


def text(field: int, value: str) -> bytes:
    return blob(field, value.encode())


def blob(field: int, *parts: bytes) -> bytes:
    """Bytes, or a message inside a message: its fields one after the other."""
    content = b"".join(parts)
    return _varint(field << 3 | _BYTES) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    low, high = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(high) if high else bytes([low])
