"""Between Y'CbCr and R'G'B', by the formulas of ITU-R BT.601 and BT.709 (H.273, 8.3)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from edgeseg.types import U8, Colour, Matrix

_KR_KB = {Matrix.BT601: (0.299, 0.114), Matrix.BT709: (0.2126, 0.0722)}


@lru_cache(maxsize=8)
def rgb_from_yuv(matrix: Matrix, full_range: bool) -> npt.NDArray[np.float32]:
    """The 3x4 matrix that takes (Y, U, V, 1) in 0..255 to (R, G, B) in 0..255."""
    kr, kb = _KR_KB[matrix]
    kg = 1 - kr - kb
    luma, chroma, black = (1.0, 1.0, 0.0) if full_range else (255 / 219, 255 / 224, 16.0)
    linear = np.array(
        [
            [luma, 0, 2 * (1 - kr) * chroma],
            [luma, -2 * kb * (1 - kb) / kg * chroma, -2 * kr * (1 - kr) / kg * chroma],
            [luma, 2 * (1 - kb) * chroma, 0],
        ]
    )
    offset = -linear @ np.array([black, 128.0, 128.0])
    return np.column_stack([linear, offset]).astype(np.float32)


@lru_cache(maxsize=8)
def yuv_from_rgb(matrix: Matrix, full_range: bool) -> npt.NDArray[np.float32]:
    """The 3x4 matrix that takes (R, G, B, 1) in 0..255 to (Y, U, V) in 0..255."""
    forward = rgb_from_yuv(matrix, full_range).astype(np.float64)
    inverse = np.linalg.inv(forward[:, :3])
    return np.column_stack([inverse, -inverse @ forward[:, 3]]).astype(np.float32)


def yuv_of(rgb: tuple[int, int, int], colour: Colour) -> tuple[int, int, int]:
    """One R'G'B' colour, 0..255 each, as the (Y, U, V) bytes of a picture read with ``colour``."""
    exact = yuv_from_rgb(colour.matrix, colour.full_range) @ np.array([*rgb, 1.0])
    y, u, v = (int(value) for value in np.clip(np.rint(exact), 0, 255))
    return y, u, v


def i420_from_rgb(rgb: U8, colour: Colour) -> tuple[U8, U8, U8]:
    """A u8 [h, w, 3] R'G'B' picture with even sides as I420 planes read with ``colour``; chroma is the mean of four."""
    import cv2

    yuv = cv2.transform(rgb, yuv_from_rgb(colour.matrix, colour.full_range))
    height, width = rgb.shape[:2]
    small = cv2.resize(yuv, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return tuple(np.ascontiguousarray(plane) for plane in (yuv[..., 0], small[..., 1], small[..., 2]))  # type: ignore[return-value]


def rgb_from_i420(y: U8, u: U8, v: U8, colour: Colour) -> U8:
    """I420 planes read with ``colour`` as a u8 [h, w, 3] R'G'B' picture."""
    import cv2

    size = (y.shape[1], y.shape[0])
    full = [cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in (u, v)]
    rgb: U8 = cv2.transform(cv2.merge([y, *full]), rgb_from_yuv(colour.matrix, colour.full_range))
    return rgb
