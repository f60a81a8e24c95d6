"""Between Y'CbCr and R'G'B', step by step as ITU-T H.273 (8.3) writes it, with the constants of BT.601-7 and BT.709-6.

Planes and R'G'B' are 0..255, not rounded. The signals E' of the recommendations are 0..1, and -0.5..0.5 for Pb and Pr.
"""

from __future__ import annotations

import numpy as np

from edgeseg.types import Colour, Matrix
from tests.reference.resampling import F64, halved

# KR and KB: BT.601-7, 2.5.1; BT.709-6, item 3.2 (H.273, table 4: values 6 and 1).
_LUMA = {Matrix.BT601: (0.299, 0.114), Matrix.BT709: (0.2126, 0.0722)}

Planes = tuple[F64, F64, F64]


def signals(y: F64, u: F64, v: F64, colour: Colour) -> Planes:
    """E'Y, E'PB and E'PR of bytes: H.273, 8.3, where VideoFullRangeFlag says which, the other way round."""
    if colour.full_range:
        return y / 255, (u - 128) / 255, (v - 128) / 255
    return (y - 16) / 219, (u - 128) / 224, (v - 128) / 224


def rgb_of(y: F64, u: F64, v: F64, colour: Colour) -> F64:
    """[h, w, 3]: R'G'B' 0..255 of three planes of one size, clipped."""
    kr, kb = _LUMA[colour.matrix]
    luma, pb, pr = signals(y, u, v, colour)
    red = luma + 2 * (1 - kr) * pr
    blue = luma + 2 * (1 - kb) * pb
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)  # of E'Y = KR R' + (1 - KR - KB) G' + KB B'
    return np.clip(255 * np.stack([red, green, blue], axis=-1), 0, 255)


def yuv_of(rgb: F64, colour: Colour) -> Planes:
    """Y, U and V, 0..255, of R'G'B' [..., 3], 0..255."""
    kr, kb = _LUMA[colour.matrix]
    red, green, blue = (rgb[..., channel] / 255 for channel in range(3))
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    pb, pr = (blue - luma) / (2 * (1 - kb)), (red - luma) / (2 * (1 - kr))
    if colour.full_range:
        return 255 * luma, 255 * pb + 128, 255 * pr + 128
    return 219 * luma + 16, 224 * pb + 128, 224 * pr + 128


def i420_of(rgb: F64, colour: Colour) -> Planes:
    """Planes of R'G'B' [h, w, 3] with even sides; the colour of four pixels is their mean."""
    y, u, v = yuv_of(rgb, colour)
    return y, halved(u), halved(v)
