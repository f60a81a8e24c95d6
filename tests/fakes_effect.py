"""Effects for tests: one that keeps to the contract, and one that breaks it in the worst moment."""

from __future__ import annotations

import numpy as np

from edgeseg.frames import copy
from edgeseg.types import Frame, Mask


class KeepOrGrey:
    """Shows a pixel where the nearest mask cell is at least half, and mid grey elsewhere."""

    def apply(self, frame: Frame, mask: Mask, out: Frame) -> None:
        for source, target in zip(frame.planes, out.planes, strict=True):
            rows = np.arange(source.shape[0]) * mask.alpha.shape[0] // source.shape[0]
            columns = np.arange(source.shape[1]) * mask.alpha.shape[1] // source.shape[1]
            target[...] = np.where(mask.alpha[np.ix_(rows, columns)] >= 128, source, 128)


class BreaksHalfWay:
    """Has let the bare luma out already when it raises; works again when ``broken`` is set to False."""

    def __init__(self, error: Exception | None = None) -> None:
        self.broken = True
        self._error = error or RuntimeError("half way")
        self._works = KeepOrGrey()

    def apply(self, frame: Frame, mask: Mask, out: Frame) -> None:
        if self.broken:
            np.copyto(out.y, frame.y)
            raise self._error
        self._works.apply(frame, mask, out)


class Bare:
    """The picture as it is: what a test can recognise the source by."""

    def apply(self, frame: Frame, mask: Mask, out: Frame) -> None:
        copy(frame, out)
