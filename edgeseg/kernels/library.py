"""The compiled kernels, called through ctypes, which lets go of the GIL."""

from __future__ import annotations

import ctypes
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


def plane(array: U8) -> tuple[int, int, int, int]:
    """Address, stride, width and height of u8 [h, w] with rows of neighbouring bytes: ``plane`` of the C sources.

    Raises:
        ValueError: it is no such array. C would read beyond what does not fit.
    """
    facts = array.__array_interface__  # one look for everything: this is done ten times for each frame
    shape, strides = facts["shape"], facts["strides"]
    if len(shape) != 2 or not all(shape) or array.itemsize != 1 or (strides and strides[1] != 1 < shape[1]):
        raise ValueError(f"no plane of bytes in rows: {array.dtype} {array.shape}, strides {array.strides}")
    height, width = shape
    if height > _LONGEST or width > _LONGEST:
        raise ValueError(f"a plane of {shape} has a side above {_LONGEST}")
    return facts["data"][0], strides[0] if strides else width, width, height


def writeable(array: U8) -> tuple[int, int, int, int]:
    """``plane`` of an array that is written to.

    Raises:
        ValueError: it is no plane, or read-only.
    """
    if not array.flags.writeable:
        raise ValueError("nothing can be written to a plane that is read-only")
    return plane(array)
