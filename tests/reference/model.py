"""What the model sees of a frame, and what it answers: probabilities, computed in f32 and never rounded."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from edgeseg.ovruntime import ov
from edgeseg.types import Frame, Recipe
from tests.reference.colour import rgb_of
from tests.reference.resampling import F64, halved, linear, resized

# Further away than this, a straight line between two pixels would leave others unseen: then pairs become their means.
_FAR = 3


def sampled(frame: Frame, width: int, height: int) -> F64:
    """[height, width, 3]: R'G'B' 0..255 of the whole frame at the model's size.

    Planes are halved while they are at least twice as large, and the rest is bilinear. Colour stays at half the size
    until it has to be joined with the brightness, where each value counts for two by two pixels, as in 4:2:0.
    """
    half = ((height + 1) // 2, (width + 1) // 2)
    y = _at(frame.y.astype(np.float64), (height, width))
    u, v = (
        np.repeat(np.repeat(_at(plane.astype(np.float64), half), 2, axis=0), 2, axis=1)[:height, :width]
        for plane in (frame.u, frame.v)
    )
    return rgb_of(y, u, v, frame.colour)


def _at(plane: F64, shape: tuple[int, int]) -> F64:
    while plane.shape[0] >= 2 * shape[0] and plane.shape[1] >= 2 * shape[1]:
        plane = halved(plane)
    while plane.shape[0] > _FAR * shape[0]:
        plane = (plane[0::2][: plane.shape[0] // 2] + plane[1::2]) / 2
    while plane.shape[1] > _FAR * shape[1]:
        plane = (plane[:, 0::2][:, : plane.shape[1] // 2] + plane[:, 1::2]) / 2
    return resized(plane, shape, linear)


def probability(rgb: F64, recipe: Recipe) -> F64:
    """[h, w], 0..1: what a model with one plane of probabilities answers to R'G'B' 0..255 [h, w, 3]."""
    tensor = (rgb - np.array(recipe.mean_values)) / np.array(recipe.scale_values)
    answer = _compiled(recipe.path)(tensor[None].astype(np.float32))[recipe.output_index]
    return answer.reshape(rgb.shape[:2]).astype(np.float64)


@cache
def _compiled(path: str) -> Any:
    """The model as it lies in its file."""
    return ov.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
