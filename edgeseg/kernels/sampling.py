"""Frame to model tensor in one call (``sampling.c``)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from edgeseg.kernels import library
from edgeseg.types import U8

Weights = ctypes.Array[ctypes.c_int16]
# the planes y, u and v; the weights; the tensor
Sample = Callable[[Sequence[U8], Weights, U8], bool]

_WEIGHT, _OFFSET = 8192, 16
# Half a level, to round at last; and three products are rounded down for each level, by half a unit in the mean.
_ROUNDING = 8 + 1.5
_NO_MEMORY = -1


@cache
def load(name: str) -> Sample | None:
    """The function of the variant ``name``, or None when it is not there or not for this machine.

    It fills u8 [1, h, w, 3] from the planes of a frame, u8 [h, w] each, those of colour half as large, rounded up, with
    ``weights_of`` their matrix. False, with nothing done, for a frame that is too many times as large.
    """
    native = library.load(name)
    call = getattr(native, "edgeseg_sample", None)
    if call is None:
        return None
    call.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
    call.restype = ctypes.c_int
    planes_of = library.planes_of(name)

    def sample(planes: Sequence[U8], weights: Weights, tensor: U8) -> bool:
        y, u, v = planes
        half = ((y.shape[0] + 1) // 2, (y.shape[1] + 1) // 2)
        if not u.shape == v.shape == half:
            raise ValueError(f"planes of colour of {u.shape} and {v.shape} do not belong to one of {y.shape}")
        if tensor.shape[0] != 1 or tensor.shape[3:] != (3,) or not tensor.flags.c_contiguous or tensor.itemsize != 1:
            raise ValueError(f"no tensor for a picture: {tensor.dtype} {tensor.shape}, strides {tensor.strides}")
        _, height, width, _ = tensor.shape
        failed = call(planes_of(planes, 0), tensor.__array_interface__["data"][0], width, height, weights)
        if failed == _NO_MEMORY:
            raise MemoryError("there is no memory for a few rows of pixels")
        return not failed

    return sample


def weights_of(matrix: npt.NDArray[np.float32]) -> Weights:
    """What the function takes for f32 [3, 4], ``edgeseg.colour.rgb_from_yuv`` with its rows in the tensor's order."""
    offset = matrix[:, 3] + (matrix[:, 1] + matrix[:, 2]) * 128
    scaled = np.column_stack((matrix[:, :3] * _WEIGHT, offset * _OFFSET + _ROUNDING))
    return (ctypes.c_int16 * scaled.size)(*np.rint(scaled).astype(int).ravel().tolist())
