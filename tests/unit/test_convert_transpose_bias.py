"""The transposed convolution against its definition, written out in numpy."""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt
import pytest

from edgeseg.convert.rewrites.transpose_bias import Options, parse_options, transposed_convolution
from edgeseg.errors import ModelError
from edgeseg.ovruntime import ov

F32 = npt.NDArray[np.float32]


def by_definition(x: F32, weights: F32, bias: F32, options: Options) -> F32:
    """Every input pixel adds its kernel to the output; SAME cuts the surplus, the larger half at the end."""
    _, high, wide, _ = x.shape
    outputs, kh, kw, _ = weights.shape
    down, across = options.stride
    whole = np.zeros(((high - 1) * down + max(kh, down), (wide - 1) * across + max(kw, across), outputs), np.float32)
    for row in range(high):
        for column in range(wide):
            patch = np.einsum("i,ohwi->hwo", x[0, row, column], weights)
            whole[row * down : row * down + kh, column * across : column * across + kw] += patch
    if options.same_padding:
        top, left = max(kh - down, 0) // 2, max(kw - across, 0) // 2
        whole = whole[top : top + high * down, left : left + wide * across]
    else:
        whole = whole[: (high - 1) * down + kh, : (wide - 1) * across + kw]
    return (whole + bias)[None]


@pytest.mark.parametrize("same", [True, False], ids=["same", "valid"])
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize(
    ("kernel", "stride"),
    [
        ((2, 2), (2, 2)),
        ((3, 3), (3, 3)),
        ((3, 3), (2, 2)),
        ((4, 4), (2, 2)),
        ((5, 3), (1, 2)),
        ((2, 1), (2, 1)),
        ((1, 2), (2, 3)),
    ],
    ids=str,
)
def test_equals_the_definition(kernel: tuple[int, int], stride: tuple[int, int], outputs: int, same: bool) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(1, 4, 5, 6)).astype(np.float32)
    weights = random.normal(size=(outputs, *kernel, 6)).astype(np.float32)
    bias = random.normal(size=outputs).astype(np.float32)
    options = Options(same_padding=same, stride=stride)
    ops = ov.opset13
    feed = ops.parameter(list(x.shape), np.float32)
    node = transposed_convolution(
        feed.output(0), ops.constant(weights).output(0), ops.constant(bias).output(0), options
    )
    compiled = ov.Core().compile_model(ov.Model([node], [feed]), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    expected = by_definition(x, weights, bias, options)
    got = np.asarray(compiled([x])[0])
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_no_overlap_becomes_a_1x1_convolution() -> None:
    """The form that was measured to be the faster one."""
    ops = ov.opset13
    feed = ops.parameter([1, 4, 4, 2], np.float32)
    node = transposed_convolution(
        feed.output(0),
        ops.constant(np.ones((1, 2, 2, 2), np.float32)).output(0),
        ops.constant(np.ones(1, np.float32)).output(0),
        Options(same_padding=True, stride=(2, 2)),
    )
    kinds = {operator.get_type_name() for operator in ov.Model([node], [feed]).get_ops()}
    assert "DepthToSpace" in kinds
    assert "ConvolutionBackpropData" not in kinds


def test_options_are_padding_stride_across_stride_down() -> None:
    assert parse_options(struct.pack("<3i", 1, 2, 3)) == Options(same_padding=True, stride=(3, 2))
    assert parse_options(struct.pack("<3i", 2, 1, 1)) == Options(same_padding=False, stride=(1, 1))


@pytest.mark.parametrize("options", [b"", b"\1\0\0\0", struct.pack("<3i", 3, 2, 2), struct.pack("<3i", 1, 0, 2)])
def test_options_that_are_not_known(options: bytes) -> None:
    with pytest.raises(ModelError, match="Convolution2DTransposeBias"):
        parse_options(options)
