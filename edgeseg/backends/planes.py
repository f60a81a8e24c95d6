"""Puts a whole frame in front of a model, inside the graph: its planes are sampled on the model's own device.

The same as ``edgeseg.sampling`` does outside, in floating point: means of 2x2 while at least twice as large, bilinear
with pixel centres, then the stream's own colour matrix. OpenVINO's NV12 and I420 nodes are not used: they know BT.601
in limited range only, and convert every pixel of the frame instead of those that the model sees.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeseg.ovruntime import ov
from edgeseg.types import PlaneFormat, Recipe

# Beyond this ratio bilinear sampling steps over whole pixels.
_FAR = 3
# Half precision has eleven bits: around zero they are worth most.
_MIDDLE = 128


def plane_inputs(planes: PlaneFormat) -> list[Any]:
    """The parameters "y", "u" and "v": u8 [1, 1, height, width], and half of that, rounded up, for the colours."""
    sides = {"y": (planes.height, planes.width)}
    sides |= dict.fromkeys("uv", ((planes.height + 1) // 2, (planes.width + 1) // 2))
    return [ov.opset13.parameter([1, 1, *size], np.uint8, name=name) for name, size in sides.items()]


def sampled(inputs: list[Any], planes: PlaneFormat, recipe: Recipe) -> Any:
    """f32 [1, h, w, 3], 0..255, in the size and the colour order of ``recipe``; not rounded."""
    ops = ov.opset13
    y, u, v = inputs
    size = (recipe.height, recipe.width)
    # Colour stays at half the size until it meets the brightness, where each value counts for two by two pixels.
    half = ((recipe.height + 1) // 2, (recipe.width + 1) // 2)
    colours = _nearest(_resized(ops.concat([u, v], 1), half), size)
    yuv = ops.concat([_resized(y, size), colours], 1)
    matrix = np.array(planes.rgb_from_yuv)
    if recipe.color_order.upper() == "BGR":
        matrix = matrix[::-1]
    offset = matrix[:, 3] + matrix[:, :3].sum(axis=1) * _MIDDLE
    weights = matrix[:, :3].reshape(3, 3, 1, 1).astype(np.float32)
    rgb = ops.convolution(ops.subtract(yuv, np.float32(_MIDDLE)), weights, [1, 1], [0, 0], [0, 0], [1, 1])
    rgb = ops.clamp(ops.add(rgb, offset.reshape(1, 3, 1, 1).astype(np.float32)), 0.0, 255.0)
    return ops.transpose(rgb, np.array((0, 2, 3, 1)))


def _resized(planes: Any, size: tuple[int, int]) -> Any:
    ops = ov.opset13
    planes = ops.convert(planes, "f32")
    height, width = tuple(planes.get_output_shape(0))[2:]
    down, across = _halvings(height, width, size)
    if down * across > 1:  # an odd last row or column is left out, as it is outside
        planes = ops.avg_pool(planes, [down, across], [0, 0], [0, 0], [down, across], True, "floor")
    if (height // down, width // across) == size:
        return planes
    axes = np.array((2, 3))
    return ops.interpolate(planes, np.array(size), "linear_onnx", "sizes", [0, 0], [0, 0], "half_pixel", axes=axes)


def _halvings(height: int, width: int, size: tuple[int, int]) -> tuple[int, int]:
    """How many rows and columns become one before the rest is bilinear: as ``edgeseg.sampling`` does it."""
    down = across = 1
    while height // down >= 2 * size[0] and width // across >= 2 * size[1]:
        down, across = 2 * down, 2 * across
    while height // down > _FAR * size[0]:
        down *= 2
    while width // across > _FAR * size[1]:
        across *= 2
    return down, across


def _nearest(planes: Any, size: tuple[int, int]) -> Any:
    ops = ov.opset13
    if tuple(planes.get_output_shape(0))[2:] == size:
        return planes
    axes = np.array((2, 3))
    return ops.interpolate(
        planes, np.array(size), "nearest", "sizes", [0, 0], [0, 0], "half_pixel", "round_prefer_ceil", axes=axes
    )
