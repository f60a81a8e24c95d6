"""The compiled kernels, called through ctypes, which lets go of the GIL."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterable, Sequence
from functools import cache

from edgeseg.kernels.build import library
from edgeseg.types import U8

VARIANTS = ("avx2", "baseline")  # the fastest first

_LONGEST = 2**31 - 1  # pixels are counted in 32 bits


def variant() -> str:
    """The fastest variant that was built and that this processor runs: "avx2", "baseline", or "" for none."""
    return next((name for name in VARIANTS if load(name)), "")


@cache
def load(name: str) -> ctypes.CDLL | None:
    """The library of the variant ``name``, or None when it is not there or not for this machine."""
    try:
        native = ctypes.CDLL(str(library(name)))
        return native if native.edgeseg_supported() else None
    except (OSError, AttributeError):
        return None


def planes(arrays: Iterable[U8], *, written: bool = False) -> list[int]:
    """Address, stride, width and height of each u8 [h, w] with rows of neighbouring bytes: ``plane`` in the C sources.

    All of them in one call, and one look for all facts of an array: this is done ten times for each frame.

    Raises:
        ValueError: one of them is no such array, or read-only where it is to be ``written``. C would not notice.
    """
    facts: list[int] = []
    for array in arrays:
        look = array.__array_interface__
        shape, strides, (address, read_only) = look["shape"], look["strides"], look["data"]
        if array.ndim != 2 or 0 in shape or array.itemsize != 1 or (strides and strides[1] != 1 < shape[1]):
            raise ValueError(f"no plane of bytes in rows: {array.dtype} {shape}, strides {array.strides}")
        if written and read_only:
            raise ValueError("nothing can be written to a plane that is read-only")
        height, width = shape
        if height > _LONGEST or width > _LONGEST:
            raise ValueError(f"a plane of {shape} has a side above {_LONGEST}")
        facts += address, strides[0] if strides else width, width, height
    return facts


def packed(facts: Sequence[int]) -> bytes:
    """``facts`` as C reads them. An array of ctypes takes eight times as long."""
    return struct.pack(f"{len(facts)}n", *facts)
