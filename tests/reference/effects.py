"""What each effect makes of a frame and a mask: three planes, 0..255, not rounded.

``mask`` is [h, w], 1 = keep, at the model's size. What leaves the box is ``rounded``.
"""

from __future__ import annotations

import numpy as np

from edgeseg.types import U8, Colour, Frame
from tests.reference.colour import Planes, i420_of, yuv_of
from tests.reference.resampling import F64, Weights, area, blurred, cubic, halved, linear, resized, three_sigma


def rounded(planes: Planes) -> tuple[U8, U8, U8]:
    """As bytes, to the nearest."""
    y, u, v = (np.rint(np.clip(plane, 0, 255)).astype(np.uint8) for plane in planes)
    return y, u, v


def composite(keep: Planes, other: Planes, mask: F64) -> Planes:
    """``keep`` over ``other`` (Porter and Duff 1984): keep * a + other * (1 - a), a being the enlarged mask."""

    def mixed(above: F64, below: F64) -> F64:
        a = resized(mask, (above.shape[0], above.shape[1]), linear)
        return above * a + below * (1 - a)

    (y, u, v), (y2, u2, v2) = keep, other
    return mixed(y, y2), mixed(u, u2), mixed(v, v2)


def replaced(frame: Frame, mask: F64, background: Planes) -> Planes:
    """The kept region before ``background``, whose planes have the frame's size."""
    return composite(planes_of(frame), background, mask)


def overlaid(frame: Frame, mask: F64, rgb: tuple[int, int, int], opacity: float, *, other: bool) -> Planes:
    """A colour of ``opacity`` over the kept region, or over the ``other``."""
    region = 1 - mask if other else mask
    return composite(plain(frame, rgb), planes_of(frame), region * opacity)


def matte(frame: Frame, mask: F64) -> Planes:
    """The mask as a grey picture between the black and the white of the stream."""
    black, white = (0, 255) if frame.colour.full_range else (16, 235)
    y = resized(black + (white - black) * mask, frame.y.shape, linear)
    grey = np.full(frame.u.shape, 128.0)
    return y, grey, grey


def blurred_background(frame: Frame, mask: F64, strength: float) -> Planes:
    """The hidden region out of focus, without the colours of what is kept.

    At about ninety rows it is the mean of the hidden surroundings, blur(plane * weight) / blur(weight), which Knutsson
    and Westin (1993) call normalised averaging; the weight is how much is hidden, and never quite nothing.
    """

    def soft(plane: F64) -> F64:
        shape = plane.shape
        while plane.shape[0] >= 144 and plane.shape[1] >= 144:
            plane = halved(plane)
        weight = resized(1 - mask, plane.shape, linear) + 0.5 / 255
        sigma = 2.2 * strength * plane.shape[0] / 90
        reach = three_sigma(sigma)
        mean = blurred(plane * weight, sigma, reach) / blurred(weight, sigma, reach)
        return resized(mean, shape, linear)

    y, u, v = planes_of(frame)
    return composite((y, u, v), (soft(y), soft(u), soft(v)), mask)


def planes_of(frame: Frame) -> Planes:
    y, u, v = (plane.astype(np.float64) for plane in frame.planes)
    return y, u, v


def plain(frame: Frame, rgb: tuple[int, int, int]) -> Planes:
    """One colour, as planes of bytes can show it."""
    y, u, v = (np.rint(level) for level in yuv_of(np.array(rgb, np.float64), frame.colour))
    return np.full(frame.y.shape, y), np.full(frame.u.shape, u), np.full(frame.v.shape, v)


def picture(rgb: U8, width: int, height: int, fit: str, colour: Colour) -> Planes:
    """A background picture [h, w, 3] at the size and in the colour of the stream.

    "cover" fills the frame and cuts off, "contain" leaves black bars, "stretch" distorts. Smaller means the mean of
    what each pixel covers, larger cubic interpolation.
    """
    rows, columns = rgb.shape[:2]
    scale = (max if fit == "cover" else min)(width / columns, height / rows)
    inner = (height, width) if fit == "stretch" else (max(1, round(rows * scale)), max(1, round(columns * scale)))
    weights: Weights = area if inner[1] < columns else cubic
    channels = [resized(rgb[..., channel].astype(np.float64), inner, weights) for channel in range(3)]
    scaled = np.clip(np.stack(channels, axis=-1), 0, 255)
    top, left = abs(inner[0] - height) // 2, abs(inner[1] - width) // 2
    if fit != "contain":
        return i420_of(scaled[top : top + height, left : left + width], colour)
    canvas = np.zeros((height, width, 3))
    canvas[top : top + inner[0], left : left + inner[1]] = scaled
    return i420_of(canvas, colour)
