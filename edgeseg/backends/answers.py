"""Reads a model's answer with numpy: the twin of what ``graph`` puts behind a model inside OpenVINO."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edgeseg.backends.engine import Port
from edgeseg.backends.fit import arrangement, check_labels, kept_planes, no_numbers
from edgeseg.types import F32, U8, Activation, OutputKind, Quantization, Recipe


class AnswerReader:
    """Makes masks and decisions of the answers of one output.

    Args:
        recipe: says how the numbers are to be read.
        port: the output that ``recipe.output_index`` picks.

    Raises:
        ModelError: the output is no picture of the recipe's size, or has no such plane.
    """

    def __init__(self, recipe: Recipe, port: Port) -> None:
        self._recipe = recipe
        self._quantization = recipe.output_quantization or (None if _real(port.dtype) else port.quantization)
        self._arrangement = arrangement(port.shape, recipe)
        self._single = self._arrangement.planes == 1
        if recipe.kind is OutputKind.LABELS:
            check_labels(recipe, port.shape)
        else:
            self._keep = kept_planes(recipe, self._arrangement.planes)
        self._sigmoid = recipe.activation is Activation.SIGMOID or self._single

    def real(self, answer: npt.NDArray[Any]) -> F32:
        """What the numbers of ``answer`` stand for, f32 in its own shape; maybe the same memory."""
        return dequantised(answer, self._quantization)

    def mask(self, answer: npt.NDArray[Any]) -> U8:
        """u8 [h, w], 255 = keep.

        Raises:
            InferenceError: the answer holds something that is no number.
        """
        if self._recipe.kind is OutputKind.LABELS:
            return self._label_mask(self._labels(answer))
        with np.errstate(invalid="ignore"):  # infinite logits: they become NaN, and that is said below
            plane = self._probability(answer)
        if np.isnan(plane.min()):  # min() hands a NaN on
            raise no_numbers(self._recipe.name)
        levels = np.multiply(plane, np.float32(255))
        np.clip(np.rint(levels, out=levels), 0, 255, out=levels)
        return levels.astype(np.uint8)

    def decide(self, answer: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """i64 [h, w]: the label of each pixel, the largest plane there, or 1 where a single plane is above one half.

        Raises:
            InferenceError: a label is no number.
        """
        if self._recipe.kind is OutputKind.LABELS:
            return self._labels(answer)
        if not self._single:  # a scale is above 0: the largest whole number stands for the largest real one
            planes = answer.reshape(self._arrangement.axes)
            return np.asarray(planes.argmax(axis=0 if self._arrangement.planes_first else 2), np.int64)
        border = 0.0 if self._recipe.kind is OutputKind.LOGITS else 0.5
        return np.asarray(self._planes(answer)[0] > border, np.int64)

    def _probability(self, answer: npt.NDArray[Any]) -> F32:
        """f32 [h, w]: how sure it is that a pixel is one to keep; may leave 0..1 a little."""
        planes = self._planes(answer)
        if self._recipe.kind is not OutputKind.LOGITS:
            return _sum(planes[self._keep])
        if self._sigmoid:
            # 1 / (1 + exp(-x)), in a form that cannot overflow.
            half: F32 = np.tanh(planes[self._keep].max(axis=0) * np.float32(0.5))
            return half * np.float32(0.5) + np.float32(0.5)
        powers: F32 = np.exp(planes - planes.max(axis=0))
        share: F32 = _sum(powers[self._keep]) / powers.sum(axis=0)
        return share

    def _planes(self, answer: npt.NDArray[Any]) -> F32:
        """f32 [planes, h, w], in this order in memory too: numpy is ten times slower along a short last axis."""
        planes = self.real(answer).reshape(self._arrangement.axes)
        if self._arrangement.planes_first:
            return planes
        height, width, count = planes.shape
        if count == 1:
            return planes.reshape(1, height, width)
        # OpenCV goes block by block: eight times as fast as numpy with 21 planes.
        first = cv2.transpose(np.ascontiguousarray(planes).reshape(-1, count))
        return np.asarray(first, np.float32).reshape(count, height, width)

    def _labels(self, answer: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        whole = answer
        if _real(answer.dtype):
            if not np.isfinite(answer).all():
                raise no_numbers(self._recipe.name)
            whole = np.rint(answer)
        axes = self._arrangement.axes
        return whole.astype(np.int64).reshape(axes[1:] if self._arrangement.planes_first else axes[:2])

    def _label_mask(self, labels: npt.NDArray[np.int64]) -> U8:
        hit = labels == self._recipe.keep[0]
        for label in self._recipe.keep[1:]:
            hit |= labels == label
        return np.asarray(hit * np.uint8(255), np.uint8)


def dequantised(answer: npt.NDArray[Any], quantization: Quantization | None) -> F32:
    """f32 in the shape of ``answer``; the same memory where there is nothing to do."""
    values = answer.astype(np.float32, copy=False)
    if quantization is None:
        return values
    return (values - np.float32(quantization.zero_point)) * np.float32(quantization.scale)


def _sum(planes: F32) -> F32:
    return planes[0] if len(planes) == 1 else np.asarray(planes.sum(axis=0), np.float32)


def _real(dtype: np.dtype[Any]) -> bool:
    return bool(np.issubdtype(dtype, np.floating))
