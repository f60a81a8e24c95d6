"""From the picture to a model's input and from its answer to a mask, with numpy and OpenCV.

For engines that cannot take this into their graph; ``graph`` does the same for OpenVINO.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edgeseg.backends.answers import AnswerReader
from edgeseg.backends.engine import Array, Port
from edgeseg.backends.fit import check_ports, other_picture, picture_shape
from edgeseg.types import U8, Quantization, Recipe

# What cv2.LUT can look up directly; other types go through f32, which holds each of their 256 values exactly.
_TABLE_TYPES = {np.dtype(name) for name in ("uint8", "int8", "uint16", "int16", "int32", "float32", "float64")}


class Codec:
    """What a recipe says about numbers, for an engine with these ports. Not for several threads at once.

    A quantisation in the recipe goes before that of a port. A model of whole numbers whose recipe changes nothing (mean
    0, scale 1, no ``input_quantization``) gets the picture as it is.

    Raises:
        ModelError: the model does not fit its recipe.
    """

    def __init__(self, recipe: Recipe, inputs: Sequence[Port], outputs: Sequence[Port]) -> None:
        check_ports(recipe, len(inputs), len(outputs))
        port, wanted = inputs[0], picture_shape(recipe)
        if port.shape != wanted:
            raise other_picture(recipe, list(port.shape))
        self._recipe = recipe
        self._answer = AnswerReader(recipe, outputs[recipe.output_index])
        self._input = np.zeros(wanted, port.dtype)
        self._table = _table(recipe, port)
        self._picture = np.zeros((recipe.height, recipe.width, 4), np.uint8) if recipe.prior_channel else None

    def encode(self, tensor: U8, prior: U8 | None = None) -> Array:
        """What the model takes for ``tensor``, u8 [1, h, w, 3]; the next call overwrites it.

        ``prior``, u8 [h, w] of any size, is the mask of the picture before; None is an empty one. A model without such
        a plane does not look at it.
        """
        picture = np.ascontiguousarray(tensor[0])
        if self._picture is not None:
            picture = self._with_prior(self._picture, picture, prior)
        if self._recipe.layout == "NHWC":
            _look_up(picture, self._table, self._input[0])
        else:
            for plane, target in enumerate(self._input[0]):
                _look_up(cv2.extractChannel(picture, plane), self._table[..., plane], target)
        return self._input

    def real(self, answer: Array) -> npt.NDArray[np.float32]:
        """What the numbers of the recipe's output stand for, f32 in its own shape."""
        return self._answer.real(answer)

    def mask(self, answers: Sequence[Array]) -> U8:
        """The mask in the answers of all outputs: u8 [h, w], 255 = keep, freshly made.

        Raises:
            InferenceError: the model answered with something that is no number.
        """
        return self._answer.mask(answers[self._recipe.output_index])

    def decide(self, answers: Sequence[Array]) -> npt.NDArray[np.int64]:
        """The class of each pixel, i64 [h, w]: label, largest plane, or 1 where a single plane is above one half.

        Raises:
            InferenceError: a label is no number.
        """
        return self._answer.decide(answers[self._recipe.output_index])

    def _with_prior(self, target: U8, picture: U8, prior: U8 | None) -> U8:
        target[..., :3] = picture
        if prior is None:
            target[..., 3] = 0
        elif prior.shape == target.shape[:2]:
            target[..., 3] = prior
        else:
            target[..., 3] = cv2.resize(prior, target.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        return target


def _look_up(picture: U8, table: Array, target: Array) -> None:
    if target.dtype == table.dtype:
        cv2.LUT(picture, table, dst=target)
    else:
        np.copyto(target, cv2.LUT(picture, table), casting="unsafe")


def _table(recipe: Recipe, port: Port) -> Array:
    """[1, 256, planes]: what each of the 256 levels becomes, plane by plane."""
    levels = np.arange(256.0)
    mean = np.broadcast_to(recipe.mean_values, 3)
    scale = np.broadcast_to(recipe.scale_values, 3)
    columns = [(levels - mean[plane]) / scale[plane] for plane in range(3)]
    if recipe.prior_channel:
        columns.append(levels / 255)
    values = np.stack(columns, axis=-1)[None]
    dtype = port.dtype if port.dtype in _TABLE_TYPES else np.dtype(np.float32)
    if np.issubdtype(port.dtype, np.floating):
        return values.astype(dtype)
    return _whole(values, port.dtype, _quantization(recipe, port)).astype(dtype)


def _quantization(recipe: Recipe, port: Port) -> Quantization | None:
    raw = not any(recipe.mean_values) and all(scale == 1 for scale in recipe.scale_values)
    return recipe.input_quantization or (None if raw else port.quantization)


def _whole(values: npt.NDArray[np.float64], dtype: np.dtype[Any], quantization: Quantization | None) -> Array:
    if quantization is not None:
        values = values / quantization.scale + quantization.zero_point
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values), limits.min, limits.max)
