"""Mixes two pictures by a mask of the model's size: compiled where that was possible, else with OpenCV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from edgeseg.effects._blend_opencv import OpenCvBlender
from edgeseg.kernels import compositing, library
from edgeseg.types import U8


class Blender(Protocol):
    """out = keep * alpha + other * (1 - alpha), rounded, for planes of any size. Belongs to one thread.

    ``blend_planes`` takes the planes of three pictures, u8 [h, w] each, and ``alpha``, u8 [mh, mw], 255 = ``keep``,
    which is enlarged (bilinear) to each of them. Where it is 0 or 255 the result is exactly one of the two. A plane
    of ``other`` may be the same as that of ``out``, or smaller: it is then enlarged as well. ``plain`` planes may be
    ``keep`` or ``other``.
    """

    def blend_planes(self, keep: Sequence[U8], other: Sequence[U8], alpha: U8, out: Sequence[U8]) -> None: ...


class CompiledBlender:
    """The kernel. One pass over all planes, and no mask of their size in between."""

    def __init__(self, blend: compositing.Blend) -> None:
        self._blend = blend

    def blend_planes(self, keep: Sequence[U8], other: Sequence[U8], alpha: U8, out: Sequence[U8]) -> None:
        self._blend(keep, other, alpha, out)


def make_blender() -> Blender:
    """The fastest that there is on this machine."""
    blend = compositing.load(library.variant())
    return CompiledBlender(blend) if blend else OpenCvBlender()


def plain(shape: tuple[int, ...], value: int) -> U8:
    """A plane of one value, read-only: all of its rows are the same one, which stays in the processor's cache."""
    return np.broadcast_to(np.full(shape[1], value, np.uint8), shape)
