"""TILE of axes of length one, as in a pooled branch that is laid out over the picture again.

OpenVINO moves transpositions past Tile without transposing how often each axis is repeated, and the reader then fails
on shapes that do not fit together. Broadcast gives the same answer and is left in its place.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeseg.ovruntime import ov

NAME = "TILE"
BUILTIN = 69  # BuiltinOperator.TILE


def extension() -> Any:
    """The ``ConversionExtension`` that takes the place of OpenVINO's own for TILE."""
    return ov.frontend.ConversionExtension(NAME, lambda node: [tiled(node.get_input(0), node.get_input(1)).output(0)])


def tiled(x: Any, repeats: Any) -> Any:
    """The node that answers as TILE does: x, repeated along each axis as often as ``repeats``, i32 [rank], says."""
    ops = ov.opset13
    shape, source = x.get_partial_shape(), repeats.get_node()
    if shape.is_dynamic or source.get_type_name() != "Constant":
        return ops.tile(x, repeats)
    lengths = np.array([side.get_length() for side in shape])
    times = source.data.reshape(-1).astype(np.int64)
    if np.any((lengths != 1) & (times != 1)):
        return ops.tile(x, repeats)
    return ops.broadcast(x, lengths * times)
