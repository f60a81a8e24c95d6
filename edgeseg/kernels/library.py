"""The compiled kernels, called through ctypes, which lets go of the GIL."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Sequence
from functools import cache

from edgeseg.kernels.build import library
from edgeseg.types import U8

VARIANTS = ("avx2", "baseline")  # the fastest first

# the arrays, and how many of them, at the end, will be written to
Planes = Callable[[Sequence[U8], int], "ctypes.Array[ctypes.c_char]"]

_LONGEST = 2**31 - 1  # pixels are counted in 32 bits
_PLANE_BYTES = struct.calcsize("P3n")

_address = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


def variant() -> str:
    """The fastest variant that was built and that this processor runs: "avx2", "baseline", or "" for none."""
    return next((name for name in VARIANTS if load(name)), "")


def lacking() -> list[str]:
    """A sentence for whoever runs a machine without the kernels; none where they are there."""
    if variant():
        return []
    return [
        "edgeseg was installed without its kernels: OpenCV does their work and takes several times as long "
        "(Debian: apt install gcc libc6-dev, then install edgeseg again)"
    ]


@cache
def load(name: str) -> ctypes.CDLL | None:
    """The library of the variant ``name``, or None when it is not there or not for this machine."""
    try:
        native = ctypes.CDLL(str(library(name)))
        return native if native.edgeseg_planes and native.edgeseg_supported() else None
    except (OSError, AttributeError):
        return None


@cache
def planes_of(name: str) -> Planes:
    """What makes ``plane``s of the C sources, for the variant ``name``, which has been loaded.

    It takes arrays u8 [h, w] with rows of neighbouring bytes. What it gives is good for as long as they are there.

    Raises:
        ValueError: one of them is no such array, or read-only where it is to be written. C would not notice.
    """
    look = ctypes.PyDLL(str(library(name))).edgeseg_planes  # too short to let go of the GIL, and wait for it again
    look.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
    look.restype = ctypes.c_int

    def planes(arrays: Sequence[U8], written: int) -> ctypes.Array[ctypes.c_char]:
        told = [array.__array_struct__ for array in arrays]  # kept while C looks at it
        count = len(told)
        facts = (ctypes.c_char * (count * _PLANE_BYTES))()
        addresses = struct.pack(f"{count}P", *[_address(capsule, None) for capsule in told])
        wrong = look(addresses, count, written, facts)
        if wrong:
            raise ValueError(_why(arrays[wrong - 1]))
        return facts

    return planes


def _why(array: U8) -> str:
    """Why C does not take ``array`` for a plane."""
    if array.ndim == 2 and max(array.shape) > _LONGEST:
        return f"a plane of {array.shape} has a side above {_LONGEST}"
    if array.ndim != 2 or 0 in array.shape or array.itemsize != 1 or array.strides[1] != 1 < array.shape[1]:
        return f"no plane of bytes in rows: {array.dtype} {array.shape}, strides {array.strides}"
    return "nothing can be written to a plane that is read-only"
