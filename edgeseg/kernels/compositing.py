"""Mixes the planes of two pictures by a mask (``compositing.c``)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache

from edgeseg.kernels import library
from edgeseg.types import U8

# keep, other, alpha, out
Blend = Callable[[Sequence[U8], Sequence[U8], U8, Sequence[U8]], None]

_MOST_PLANES = 4


@cache
def load(name: str) -> Blend | None:
    """The function of the variant ``name``, or None when it is not there or not for this machine.

    It fills each of the 1 to 4 planes of ``out``, u8 [h, w], with that of ``keep``, u8 [h, w], where ``alpha``, u8
    [mh, mw], is 255, with that of ``other`` where it is 0, and with their mixture between. A plane of ``other`` is
    u8 [h, w], and may be that of ``out``, or a smaller one that is enlarged; its rows may be one and the same.
    """
    native = library.load(name)
    call = getattr(native, "edgeseg_blend", None)
    if call is None:
        return None
    call.argtypes = (ctypes.c_void_p, ctypes.c_int)
    call.restype = ctypes.c_int
    planes_of = library.planes_of(name)

    def blend(keep: Sequence[U8], other: Sequence[U8], alpha: U8, out: Sequence[U8]) -> None:
        count = len(out)
        if not 0 < count <= _MOST_PLANES or not len(keep) == len(other) == count:
            raise ValueError(f"{len(keep)} and {len(other)} planes cannot be mixed into {count}")
        for above, target in zip(keep, out, strict=True):
            if above.shape != target.shape:
                raise ValueError(f"planes {above.shape} cannot be kept in {target.shape}")
        if call(planes_of((alpha, *keep, *other, *out), count), count):
            raise MemoryError("there is no memory for a few rows of pixels")

    return blend
