"""The compiled compositing, called through ctypes, which lets go of the GIL."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

from edgeseg.kernels.build import library
from edgeseg.types import U8

# keep, other, alpha, out
Blend = Callable[[U8, U8, U8, U8], None]

VARIANTS = ("avx2", "baseline")  # the fastest first

_POINTER, _STRIDE, _COUNT = ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int
_PLANE = (_POINTER, _STRIDE)
_SIZE = (_COUNT, _COUNT)
_LONGEST = 2**31 - 1  # ctypes would cut off what does not fit into an int


def variant() -> str:
    """The fastest variant that was built and that this processor runs: "avx2", "baseline", or "" for none."""
    return next((name for name in VARIANTS if load(name)), "")


@cache
def load(name: str) -> Blend | None:
    """The function of the variant ``name``, or None when it is not there or not for this machine.

    It fills ``out``, u8 [h, w], with ``keep``, u8 [h, w], where ``alpha``, u8 [mh, mw], is 255, with ``other`` where
    it is 0, and with their mixture between. ``other`` is u8 [h, w], and may be ``out``, or a smaller plane that is
    enlarged.
    """
    try:
        native = ctypes.CDLL(str(library(name)))
        if not native.edgeseg_supported():
            return None
        call = native.edgeseg_blend
    except (OSError, AttributeError):
        return None
    call.argtypes = (*_PLANE, *_PLANE, *_SIZE, *_PLANE, *_SIZE, *_PLANE, *_SIZE)
    call.restype = ctypes.c_int

    def blend(keep: U8, other: U8, alpha: U8, out: U8) -> None:
        _check(keep, other, alpha, out)
        size, small, cells = out.shape[::-1], other.shape[::-1], alpha.shape[::-1]
        if call(*_plane(keep), *_plane(other), *small, *_plane(out), *size, *_plane(alpha), *cells):
            raise MemoryError("there is no memory for a few rows of pixels")

    return blend


def _check(keep: U8, other: U8, alpha: U8, out: U8) -> None:
    """C would read beyond what does not fit."""
    if keep.shape != out.shape:
        raise ValueError(f"planes {keep.shape} cannot be kept in {out.shape}")
    if not out.flags.writeable:
        raise ValueError("nothing can be written to a plane that is read-only")
    for plane in (keep, other, alpha, out):
        if plane.ndim != 2 or not plane.size or plane.dtype.itemsize != 1 or (plane.strides[1] != 1 < plane.shape[1]):
            raise ValueError(f"no plane of bytes in rows: {plane.dtype} {plane.shape}, strides {plane.strides}")
        if max(plane.shape) > _LONGEST:
            raise ValueError(f"a plane of {plane.shape} has a side above {_LONGEST}")


def _plane(plane: U8) -> tuple[int, int]:
    return plane.__array_interface__["data"][0], plane.strides[0]
