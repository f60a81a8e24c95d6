"""A blurred background, small: compiled where that was possible, else with OpenCV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from edgeseg.effects._soften_opencv import OpenCvSoftener
from edgeseg.kernels import library, softening
from edgeseg.types import F32, U8


class Softener(Protocol):
    """out = blur(planes * hidden) / blur(hidden), where hidden is what ``alpha`` leaves. Belongs to one thread.

    ``planes`` are u8 [h, w] of any size, and ``out`` u8 [h >> n, w >> n], n the same for both sides of a plane: they
    become means of 2x2 so many times before they are blurred, or means that are as good. ``alpha``, u8 [mh, mw], 255 =
    does not count, is sampled (bilinear) for each small pixel. ``taps``, f32 [radius + 1], is half of each plane's
    Gaussian, from its middle on, of the sum 1 as a whole; planes of one size in ``out`` have the same.
    """

    def soften(self, planes: Sequence[U8], alpha: U8, taps: Sequence[F32], out: Sequence[U8]) -> None: ...


class CompiledSoftener:
    """The kernel. What is too large for it is left to OpenCV."""

    def __init__(self, soften: softening.Soften) -> None:
        self._soften = soften
        self._opencv = OpenCvSoftener()

    def soften(self, planes: Sequence[U8], alpha: U8, taps: Sequence[F32], out: Sequence[U8]) -> None:
        if not self._soften(planes, alpha, taps, out):
            self._opencv.soften(planes, alpha, taps, out)


def make_softener() -> Softener:
    """The fastest that there is on this machine."""
    soften = softening.load(library.variant())
    return CompiledSoftener(soften) if soften else OpenCvSoftener()
