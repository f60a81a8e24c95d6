"""Rounds as the source's runtime does, in a network that computes in whole numbers.

OpenVINO reads such a network as real numbers with a FakeQuantize behind every layer. Nearly all of its roundings are
those of the source, and the rest grows into other masks over a hundred layers. Here a tensor that stands for
``scale * (q - zero)`` is carried as the whole number ``q - zero``, in f32, which holds it and the sums of a convolution
exactly; one factor and one rounding bring the sum to the scale of the next tensor, as they do in LiteRT:

============  ========================================================================================
convolution   XNNPACK: the nearest whole number to ``sum * factor``, the even one of two
              plain kernels: ``floor(floor(sum * mantissa + 1/2) / 2^shift + 1/2)``, mantissa in 1/2 .. 1
ADD           ``floor(a * factor + b * factor' + 1/2)``, the larger factor of 21 bits
QUANTIZE      ``floor(x * factor + 1/2)``, the factor in steps of 1/256
RESIZE        ``floor(interpolated + 1/2)``
all others    the nearest whole number, the even one of two
============  ========================================================================================

Against XNNPACK nothing is left but sums beyond 2^24, which f32 does not hold, and 1 of 100 000 pairs in ADD. Against
the plain kernels f32 also cuts the mantissa of 31 bits, and their QUANTIZE and RESIZE, which round otherwise, are not
told apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeseg.ovruntime import ov

F64 = npt.NDArray[np.float64]
_CONVOLUTIONS = {"Convolution", "ConvolutionBackpropData", "GroupConvolution", "GroupConvolutionBackpropData"}
_MOVING = {"Broadcast", "Pad", "Reshape", "Squeeze", "StridedSlice", "Tile", "Transpose", "Unsqueeze"}
_WHOLE = {"i8", "u8"}
_ALIKE = 1e-5  # relative: scales that differ by less are one, which went through a sum of f32
_LARGEST_SUM = 2.0**30
_NOTHING = 2.0**-40  # a factor that makes nothing of any sum


@dataclass(frozen=True, slots=True)
class _Whole:
    """A tensor that is ``scale * values``; ``values``, an openvino Output, holds whole numbers in f32."""

    values: Any
    scale: np.float32


def round_as_source(model: Any, scales: Iterable[float], *, plain: bool) -> int:
    """Rewrite ``model``, and say how many of its tensors are whole numbers now.

    ``scales`` are those in the file, which the graph knows only rounded. ``plain``: LiteRT runs it without XNNPACK.
    """
    rewriter = _Rewriter(np.unique(np.array([*scales], np.float32)), plain=plain)
    for node in model.get_ordered_ops():
        rewriter.visit(node)
    model.validate_nodes_and_infer_types()
    return rewriter.count


class _Rewriter:
    """Goes through the operators in the order in which they run."""

    def __init__(self, scales: npt.NDArray[np.float32], *, plain: bool) -> None:
        self.count = 0
        self._scales = scales
        self._plain = plain
        self._known: dict[str, _Whole] = {}

    def visit(self, node: Any) -> None:
        kind = node.get_type_name()
        if kind == "FakeQuantize":
            self._quantised(node)
        elif kind in _MOVING and (x := self._whole(node.input_value(0))) is not None:
            node.input(0).replace_source_output(x.values)
            self._replace(node.output(0), node.output(0), x.scale)

    def _quantised(self, node: Any) -> None:
        limits = [_numbers(node.input_value(index)) for index in range(1, 5)]
        if any(limit is None or limit.size != 1 for limit in limits):
            return
        low, high, low_out, high_out = (float(limit.ravel()[0]) for limit in limits if limit is not None)
        ops, steps, x = ov.opset13, node.get_attributes()["levels"] - 1, node.input_value(0)
        if high - low == steps and x.get_node().get_type_name() == "Convert":  # the model's input
            scale = self._exact((high_out - low_out) / steps)
            zero = np.float32(low - np.rint(low_out / scale))
            self._replace(node.output(0), ops.subtract(x, zero).output(0), scale)
            return
        scale = self._exact((high - low) / steps)
        lowest, highest = np.rint(low / scale), np.rint(high / scale)
        if (low, high) == (low_out, high_out):
            self._replace(node.output(0), ops.clamp(self._rounded(x, scale), lowest, highest).output(0), scale)
        elif high_out - low_out == steps:  # its output
            whole = ops.clamp(self._rounded(x, scale), lowest, highest)
            node.output(0).replace(ops.add(whole, np.float32(low_out - lowest)).output(0))
            self.count += 1

    def _exact(self, scale: float) -> np.float32:
        """The scale in the file that ``scale`` was worked out from."""
        if self._scales.size:
            nearest = self._scales[np.abs(self._scales - scale).argmin()]
            if abs(nearest - scale) <= _ALIKE * scale:
                return np.float32(nearest)
        return np.float32(scale)

    def _whole(self, value: Any) -> _Whole | None:
        return self._known.get(value.get_node().get_name())

    def _replace(self, old: Any, values: Any, scale: np.float32) -> None:
        """Let ``values`` times ``scale`` take the place of ``old``; who can, goes on with ``values``."""
        readers = list(old.get_target_inputs())
        real = ov.opset13.multiply(values, scale)
        self._known[real.get_name()] = _Whole(values, scale)
        names = old.get_names()
        if names:  # an output of the model may be asked for by them
            old.set_names(set())
            real.output(0).set_names(names)
        for reader in readers:
            reader.replace_source_output(real.output(0))
        self.count += 1

    def _rounded(self, value: Any, scale: np.float32) -> Any:
        """``value`` in steps of ``scale``."""
        node, relu = value.get_node(), False
        if node.get_type_name() == "Relu":  # the range that is quantised begins at zero then
            value, relu = node.input_value(0), True
            node = value.get_node()
        for known in (self._sum_of_products, self._sum, self._resized):
            found = known(node, scale)
            if found is not None:
                return found
        whole = self._whole(value)
        if whole is None:
            return _nearest(value, np.float32(1) / scale)
        if whole.scale == scale:
            return whole.values
        factor = whole.scale / scale
        return (
            _nearest(whole.values, factor) if relu else _half_up(whole.values, np.float32(np.rint(256 * factor) / 256))
        )

    def _sum(self, node: Any, scale: np.float32) -> Any:
        """ADD of two tensors."""
        if node.get_type_name() != "Add":
            return None
        one, other = (self._whole(value) for value in node.input_values())
        if one is None or other is None:
            return None
        factors = np.array([one.scale / scale, other.scale / scale], np.float64)
        bits = 21 - int(np.frexp(factors.max())[1])
        factors = np.ldexp(np.rint(np.ldexp(factors, bits)), -bits).astype(np.float32)
        return _half_up(one.values, factors[0], ov.opset13.multiply(other.values, factors[1]))

    def _resized(self, node: Any, scale: np.float32) -> Any:
        """RESIZE_BILINEAR, which keeps the scale."""
        x = self._whole(node.input_value(0)) if node.get_type_name() == "Interpolate" else None
        if x is None or x.scale != scale:
            return None
        node.input(0).replace_source_output(x.values)
        return ov.opset13.floor(ov.opset13.add(node, np.float32(0.5)))

    def _sum_of_products(self, node: Any, scale: np.float32) -> Any:
        """A convolution, with or without a bias behind it."""
        bias = None
        if node.get_type_name() == "Add":
            bias, node = _numbers(node.input_value(1)), node.input_value(0).get_node()
            if bias is None:
                return None
        if node.get_type_name() not in _CONVOLUTIONS or len(node.output(0).get_target_inputs()) != 1:
            return None
        x, dequantised = self._whole(node.input_value(0)), _dequantised(node.input_value(1))
        units = None if dequantised is None else _numbers(dequantised.input_value(1))
        if x is None or dequantised is None or units is None:
            return None
        node.input(0).replace_source_output(x.values)
        # Others may read the same weights: they go on with the real ones.
        node.input(1).replace_source_output(_in_steps(node.input_value(1), dequantised))
        units = units.ravel()
        factor = x.scale * units.astype(np.float32) / scale
        alive = factor > _NOTHING
        real = np.where(alive, float(x.scale) * units.astype(np.float64), 0)
        total = node.output(0)
        if bias is not None:
            whole = np.where(alive, np.rint(bias.ravel() / np.where(alive, real, 1)), 0)
            total = ov.opset13.add(total, _channels(whole)).output(0)
        # Changes nothing, but keeps OpenVINO from multiplying the weights by the factor, which makes them real again.
        total = ov.opset13.clamp(total, -_LARGEST_SUM, _LARGEST_SUM)
        if not self._plain:
            return _nearest(total, _channels(np.where(alive, factor, 0)))
        mantissa, exponent = np.frexp(real / float(scale))
        product = _half_up(total, _channels(np.ldexp(mantissa, np.maximum(exponent, 0))))
        return _half_up(product, _channels(np.ldexp(1.0, np.minimum(exponent, 0))))


def _channels(values: F64) -> npt.NDArray[np.float32]:
    """One value for each channel of NCHW, or one for all."""
    return values.astype(np.float32).reshape(1, -1, 1, 1)


def _nearest(x: Any, factor: Any) -> Any:
    return ov.opset13.round(ov.opset13.multiply(x, factor), "half_to_even")


def _half_up(x: Any, factor: Any, summand: Any = None) -> Any:
    ops = ov.opset13
    product = ops.multiply(x, factor)
    return ops.floor(ops.add(product if summand is None else ops.add(product, summand), np.float32(0.5)))


def _numbers(value: Any) -> npt.NDArray[Any] | None:
    """What ``value`` holds, if it is a constant."""
    node = value.get_node()
    return node.data if node.get_type_name() == "Constant" else None


def _in_steps(weights: Any, dequantised: Any) -> Any:
    """``weights`` as the whole numbers that ``dequantised`` multiplies, in the same order and shape."""
    node, ops = weights.get_node(), ov.opset13
    if node.get_name() == dequantised.get_name():
        return dequantised.input_value(0)
    inner, how = _in_steps(node.input_value(0), dequantised), node.input_value(1)
    kind = node.get_type_name()
    if kind == "Reshape":
        return ops.reshape(inner, how, node.get_attributes()["special_zero"]).output(0)
    return (ops.transpose if kind == "Transpose" else ops.unsqueeze)(inner, how).output(0)


def _dequantised(weights: Any) -> Any:
    """The multiplication by which whole numbers become the real ``weights``, or None."""
    node = weights.get_node()
    while node.get_type_name() in {"Reshape", "Transpose", "Unsqueeze"}:
        node = node.input_value(0).get_node()
    if node.get_type_name() != "Multiply":
        return None
    source = node.input_value(0).get_node()
    if source.get_type_name() == "Subtract":  # u8: their zero
        source = source.input_value(0).get_node()
    whole = source.get_type_name() == "Convert" and source.get_input_element_type(0).get_type_name() in _WHOLE
    return node if whole else None
