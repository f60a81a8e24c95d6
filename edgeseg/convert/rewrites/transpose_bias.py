"""MediaPipe's ``Convolution2DTransposeBias``: a transposed convolution that adds a bias.

Its options are three little-endian 32-bit integers: padding (1 SAME, 2 VALID), stride across, stride down. Its
inputs are x [n, h, w, i], weights [o, kh, kw, i] and bias [o].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeseg.convert.readers.tflite_file import TfliteFile
from edgeseg.convert.rewrites import custom
from edgeseg.errors import ModelError
from edgeseg.ovruntime import ov

NAME = "Convolution2DTransposeBias"
_SAME, _VALID = 1, 2


@dataclass(frozen=True, slots=True)
class Options:
    """How the operator moves over the picture: strides in pixels, (down, across)."""

    same_padding: bool
    stride: tuple[int, int]


def parse_options(custom_options: bytes) -> Options:
    """The operator's options as they lie in the file.

    Raises:
        ModelError: they are none that are known.
    """
    padding, across, down = custom.integers(NAME, custom_options, 3)
    if padding not in (_SAME, _VALID) or across < 1 or down < 1:
        raise ModelError(f"{NAME}: padding {padding} with stride {across}x{down} is not known")
    return Options(same_padding=padding == _SAME, stride=(down, across))


def extension(file: TfliteFile) -> Any:
    """The ``ConversionExtension`` that translates every such operator of ``file``."""
    return custom.extension(
        file,
        NAME,
        parse_options,
        lambda inputs, options: [transposed_convolution(inputs[0], inputs[1], inputs[2], options).output(0)],
    )


def transposed_convolution(x: Any, weights: Any, bias: Any, options: Options) -> Any:
    """The node that answers as the operator does, [n, h', w', o] from x [n, h, w, i].

    Where the kernel is as large as the stride, no two steps overlap, and each input pixel becomes its own block of
    pixels: a 1x1 convolution into kh*kw planes that are then laid side by side, which runs faster on a CPU.
    """
    kernel = tuple(weights.get_shape())[1:3]
    square = options.stride[0] == options.stride[1]
    form: Callable[..., Any] = _blocks if square and kernel == options.stride else _backprop
    nchw = ov.opset13.transpose(x, np.array([0, 3, 1, 2]))
    return ov.opset13.transpose(form(nchw, weights, bias, options), np.array([0, 2, 3, 1]))


def _blocks(nchw: Any, weights: Any, bias: Any, options: Options) -> Any:
    ops = ov.opset13
    outputs, high, wide, inputs = weights.get_shape()
    planes = ops.transpose(weights, np.array([1, 2, 0, 3]))  # DepthToSpace, blocks first: (kh, kw, o) planes
    planes = ops.reshape(planes, np.array([high * wide * outputs, inputs, 1, 1]), special_zero=False)
    shift = ops.broadcast(bias, np.array([high * wide, outputs]))
    shift = ops.reshape(shift, np.array([1, high * wide * outputs, 1, 1]), special_zero=False)
    product = ops.convolution(nchw, planes, [1, 1], [0, 0], [0, 0], [1, 1])
    return ops.depth_to_space(ops.add(product, shift), "blocks_first", options.stride[0])


def _backprop(nchw: Any, weights: Any, bias: Any, options: Options) -> Any:
    ops = ov.opset13
    # Explicit padding: TFLite puts the odd pixel of SAME at the end, OpenVINO's SAME_UPPER of this operator at the
    # start.
    kernel = tuple(weights.get_shape())[1:3]
    surplus = [max(k - s, 0) if options.same_padding else 0 for k, s in zip(kernel, options.stride, strict=True)]
    before = [total // 2 for total in surplus]
    after = [total - begin for total, begin in zip(surplus, before, strict=True)]
    grown = [max(s - k, 0) if options.same_padding else 0 for k, s in zip(kernel, options.stride, strict=True)]
    product = ops.convolution_backprop_data(
        nchw,
        ops.transpose(weights, np.array([3, 0, 1, 2])),
        strides=list(options.stride),
        pads_begin=before,
        pads_end=after,
        dilations=[1, 1],
        output_padding=grown,
    )
    return ops.add(product, ops.reshape(bias, np.array([1, -1, 1, 1]), special_zero=False))
