"""One very small model as IR, .tflite and .onnx: f32 [1, h, w, channels] → the mean of the channels, [1, h, w, 1]."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgeseg.types import Quantization
from tests.tflite_writer import CUSTOM, DEQUANTIZE, MEAN, REDUCER_OPTIONS, Model, Number, Operator, Tensor, build
from tests.tiny_onnx import mean_model


def mean_ir(path: Path, width: int, height: int, channels: int = 3) -> None:
    """For OpenVINO, by OpenVINO."""
    from edgeseg.ovruntime import ov

    ops = ov.opset13
    picture = ops.parameter([1, height, width, channels], np.float32)
    mean = ops.reduce_mean(picture, np.array([3]), keep_dims=True)
    picture.output(0).set_names({"picture"})
    mean.output(0).set_names({"answer"})
    ov.save_model(ov.Model([ops.result(mean)], [picture], "mean"), str(path), compress_to_fp16=False)


def mean_tflite(path: Path, width: int, height: int, channels: int = 3, *, open_sides: bool = False) -> None:
    """With ``open_sides`` batch, height and width are left open, 1 each unless they are given."""
    if open_sides:
        picture = Tensor("picture", (1, 1, 1, channels), signature=(-1, -1, -1, channels))
    else:
        picture = Tensor("picture", (1, height, width, channels))
    _write_mean(path, picture, Tensor("answer", (*picture.shape[:3], 1)))


def mean_int8_tflite(path: Path, width: int, height: int) -> None:
    """In int8, (q + 128) / 255 on both sides, as quantised models come."""
    steps = Quantization(1 / 255, -128)
    picture = Tensor("picture", (1, height, width, 3), "i1", steps)
    _write_mean(path, picture, Tensor("answer", (1, height, width, 1), "i1", steps))


def unscaled_tflite(path: Path, width: int, height: int) -> None:
    """Not a mean: int8 to f32 with a scale of 0, which XNNPACK refuses and LiteRT's plain operators run."""
    picture = Tensor("picture", (1, height, width, 3), "i1", Quantization(0.0, 0))
    operator = Operator(DEQUANTIZE, ["picture"], ["answer"])
    _write(path, [picture, Tensor("answer", picture.shape)], operator)


def edgetpu_tflite(path: Path, width: int, height: int, channels: int = 3) -> None:
    """What edgetpu_compiler leaves of a model: one operator that only the delegate knows."""
    tensors = [Tensor("picture", (1, height, width, channels)), Tensor("answer", (1, height, width, 1))]
    _write(path, tensors, Operator(CUSTOM, ["picture"], ["answer"], custom="edgetpu-custom-op"))


def _write_mean(path: Path, picture: Tensor, answer: Tensor) -> None:
    keep_dims = (REDUCER_OPTIONS, {0: Number("Bool", 1)})
    axis = Tensor("axis", (1,), "i4", values=[3])
    _write(path, [picture, axis, answer], Operator(MEAN, ["picture", "axis"], ["answer"], options=keep_dims))


def _write(path: Path, tensors: Sequence[Tensor], operator: Operator) -> None:
    path.write_bytes(build(Model(tensors, [operator], ["picture"], ["answer"])))


def mean_onnx(path: Path, width: int, height: int, channels: int = 3, *, open_sides: bool = False) -> None:
    """With ``open_sides`` height and width are left open."""
    sides = ("height", "width") if open_sides else (height, width)
    path.write_bytes(mean_model(*sides, channels))
