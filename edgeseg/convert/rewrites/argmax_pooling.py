"""MediaPipe's ``MaxPoolingWithArgmax2D`` and ``MaxUnpooling2D``: a maximum that remembers where it was found.

The pooling answers with the largest value of each window and with its place in the window, counted row by row: a float,
0.1 above the whole number, so that truncation gives it back. Of several equal values the first counts (in XNNPACK,
which LiteRT uses, the first by columns). The unpooling puts each value at its place in a window of zeros. Their options
begin with six little-endian 32-bit integers: padding (1 SAME, 2 VALID), stride across, down, window across, down,
activation.

Windows that do not overlap are all that was ever seen, and all that is translated: the picture is cut into windows, and
places are found by comparing, which is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeseg.convert.readers.tflite_file import TfliteFile
from edgeseg.convert.rewrites import custom
from edgeseg.errors import ModelError
from edgeseg.ovruntime import ov

POOL, UNPOOL = "MaxPoolingWithArgmax2D", "MaxUnpooling2D"
_SAME, _VALID = 1, 2
_ABOVE = np.float32(0.1)
_LOWEST = np.finfo(np.float32).min
_PLACES = 1  # the axis of [n, place, h, w, c]


@dataclass(frozen=True, slots=True)
class Options:
    """The window, in pixels (down, across); it moves by its own size. ``same_padding``: incomplete windows count."""

    same_padding: bool
    window: tuple[int, int]


def parse_options(custom_options: bytes) -> Options:
    """The options of either operator as they lie in the file.

    Raises:
        ModelError: they are none that are known, or the windows overlap.
    """
    padding, across, down, wide, high, activation = custom.integers(POOL, custom_options, 6)
    if padding not in (_SAME, _VALID) or activation or min(across, down) < 1 or (across, down) != (wide, high):
        raise ModelError(
            f"{POOL}: padding {padding}, stride {across}x{down}, window {wide}x{high}, activation {activation} "
            "is not known"
        )
    return Options(same_padding=padding == _SAME, window=(high, wide))


def pool_extension(file: TfliteFile) -> Any:
    """The ``ConversionExtension`` for the poolings of ``file``."""
    return custom.extension(file, POOL, parse_options, lambda inputs, options: list(pool(inputs[0], options)))


def unpool_extension(file: TfliteFile) -> Any:
    """The ``ConversionExtension`` for the unpoolings of ``file``."""
    return custom.extension(
        file, UNPOOL, parse_options, lambda inputs, options: [unpool(inputs[0], inputs[1], options)]
    )


def pool(x: Any, options: Options) -> tuple[Any, Any]:
    """Maxima and places, each f32 [n, h', w', c], of x, f32 [n, h, w, c].

    Raises:
        ModelError: the size of x is not fixed.
    """
    ops = ov.opset13
    windows = _windows(_whole_windows(x, options), options.window)
    highest = ops.reduce_max(windows, np.array([_PLACES]), keep_dims=True)
    count = options.window[0] * options.window[1]
    places = ops.select(ops.equal(windows, highest), _places(count), np.float32(count))
    first = ops.reduce_min(places, np.array([_PLACES]))
    return ops.squeeze(highest, np.array([_PLACES])).output(0), ops.add(first, _ABOVE).output(0)


def unpool(x: Any, places: Any, options: Options) -> Any:
    """f32 [n, h * down, w * across, c]: every value of x, f32 [n, h, w, c], at its place, and zeros around it.

    Raises:
        ModelError: the size of x is not fixed.
    """
    ops = ov.opset13
    down, across = options.window
    batch, high, wide, channels = _shape(x, UNPOOL)
    here = ops.equal(ops.unsqueeze(ops.floor(places), np.array([_PLACES])), _places(down * across))
    spread = ops.select(here, ops.unsqueeze(x, np.array([_PLACES])), np.float32(0))
    spread = _reshape(spread, [batch, down, across, high, wide, channels])
    spread = ops.transpose(spread, np.array([0, 3, 1, 4, 2, 5]))
    return _reshape(spread, [batch, high * down, wide * across, channels]).output(0)


def _whole_windows(x: Any, options: Options) -> Any:
    """What remains of x without what no whole window covers (VALID), or with a border that never wins (SAME)."""
    ops = ov.opset13
    sides = _shape(x, POOL)[1:3]
    surplus = [-side % size if options.same_padding else 0 for side, size in zip(sides, options.window, strict=True)]
    before = [total // 2 for total in surplus]
    after = [
        total - begin if options.same_padding else -(side % size)
        for total, begin, side, size in zip(surplus, before, sides, options.window, strict=True)
    ]
    if not any(before + after):
        return x
    return ops.pad(x, np.array([0, *before, 0]), np.array([0, *after, 0]), "constant", _LOWEST)


def _windows(x: Any, window: tuple[int, int]) -> Any:
    """[n, place, h', w', c] of [n, h' * down, w' * across, c]."""
    (down, across), (batch, high, wide, channels) = window, _shape(x, POOL)
    high, wide = high // down, wide // across
    cut = _reshape(x, [batch, high, down, wide, across, channels])
    cut = ov.opset13.transpose(cut, np.array([0, 2, 4, 1, 3, 5]))
    return _reshape(cut, [batch, down * across, high, wide, channels])


def _places(count: int) -> Any:
    return np.arange(count, dtype=np.float32).reshape(1, count, 1, 1, 1)


def _shape(x: Any, name: str) -> list[int]:
    port = x if hasattr(x, "get_partial_shape") else x.output(0)
    shape = port.get_partial_shape()
    if shape.is_dynamic or len(shape) != 4:
        raise ModelError(f"{name}: the size of its input, {shape}, is not fixed")
    return [int(side.get_length()) for side in shape]


def _reshape(x: Any, shape: list[int]) -> Any:
    return ov.opset13.reshape(x, np.array(shape), special_zero=False)
