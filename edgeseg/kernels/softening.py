"""Makes planes small and blurs what a mask hides (``softening.c``)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from edgeseg.kernels import library
from edgeseg.types import F32, U8

# the planes, alpha, for each plane the weights of a Gaussian from its middle on, and out
Soften = Callable[[Sequence[U8], U8, Sequence[F32], Sequence[U8]], bool]

_MOST_PLANES = 4
_NO_MEMORY = -1


@cache
def load(name: str) -> Soften | None:
    """The function of the variant ``name``, or None when it is not there or not for this machine.

    It fills each of the 1 to 4 planes of ``out``, u8 [h >> n, w >> n], with means of the plane u8 [h, w], blurred by a
    Gaussian (f32 [radius + 1]) in which a pixel counts as much as ``alpha``, u8 [mh, mw], is below 255 there. False,
    with nothing done, for n above 4.
    """
    native = library.load(name)
    call = getattr(native, "edgeseg_soften", None)
    if call is None:
        return None
    call.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    call.restype = ctypes.c_int
    planes_of = library.planes_of(name)

    def soften(planes: Sequence[U8], alpha: U8, taps: Sequence[F32], out: Sequence[U8]) -> bool:
        count = len(out)
        if not 0 < count <= _MOST_PLANES or not len(planes) == len(taps) == count:
            raise ValueError(f"{len(planes)} planes cannot be softened into {count} by {len(taps)} Gaussians")
        for plane, target in zip(planes, out, strict=True):
            if not _is_halved(plane.shape, target.shape):
                raise ValueError(f"a plane {plane.shape} does not become {target.shape} by halving")
        facts = planes_of((alpha, *planes, *out), count)
        weights = np.concatenate(taps, dtype=np.float32)
        radii = (ctypes.c_int * count)(*(len(part) - 1 for part in taps))
        failed = call(facts, count, weights.ctypes.data, radii)
        if failed == _NO_MEMORY:
            raise MemoryError("there is no memory for a few rows of pixels")
        return not failed

    return soften


def _is_halved(shape: tuple[int, ...], small: tuple[int, ...]) -> bool:
    times = max(shape[0] // max(small[0], 1), 1).bit_length() - 1
    return (shape[0] >> times, shape[1] >> times) == small
