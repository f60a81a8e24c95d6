"""How much a model's mask changes where the picture does not.

A pixel is *still* from one frame to the next when none of Y, U, V changed by more than ``STILL_LEVELS`` of 255, on the
picture made small (``GRID`` pixels wide, so that all models are asked about the same pixels and the noise of single
pixels averages out). With a_t the mask 0..1 at the same size and S_t the still pixels from frame t-1 to t:

    flicker = sum over t of sum over S_t of |a_t - a_(t-1)|  /  sum over t of |S_t|

``flips`` counts, of the same pixels, the share that went from one side of one half to the other. Both are zero for a
mask that never moves where the picture rests; a moving person does not count. Most still pixels are plain background,
so the figures are small and mean something only beside those of another model on the same clip.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edgeseg.types import U8, Frame

STILL_LEVELS = 3
GRID = 320


@dataclass(frozen=True, slots=True)
class Flicker:
    """``flicker`` and ``flips`` as above, 0..1; ``still`` is the share of all pixels that they were measured on."""

    flicker: float
    flips: float
    still: float
    frames: int


class Stillness:
    """Tells which pixels of a clip's frames are as they were in the frame before."""

    def __init__(self) -> None:
        self._before: U8 | None = None

    def next(self, frame: Frame) -> U8:
        """u8 [h, w], 1 = still, for ``frame``; all zero for the first one. ``GRID`` wide, or less if the frame is."""
        width = min(GRID, frame.width)
        size = (width, max(1, round(frame.height * width / frame.width)))
        small = [cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in frame.planes]
        now: U8 = cv2.merge(small)
        before, self._before = self._before, now
        if before is None or before.shape != now.shape:
            return np.zeros(now.shape[:2], np.uint8)
        return np.asarray(cv2.absdiff(now, before).max(axis=2) <= STILL_LEVELS, np.uint8)


class FlickerMeter:
    """Follows the masks of one model through a clip."""

    def __init__(self) -> None:
        self._before: U8 | None = None
        self._changed = 0
        self._flipped = 0
        self._still = 0
        self._pixels = 0
        self._frames = 0

    def add(self, alpha: U8, still: U8) -> None:
        """The mask of the next frame, u8 [h, w] of any size, and which pixels rested, as ``Stillness`` says."""
        now: U8 = cv2.resize(alpha, still.shape[::-1], interpolation=cv2.INTER_LINEAR)
        before, self._before = self._before, now
        self._frames += 1
        if before is None or before.shape != now.shape:
            return
        rested = still.astype(bool)
        self._changed += int(cv2.absdiff(now, before)[rested].sum())
        self._flipped += int(np.count_nonzero(((now >= 128) != (before >= 128))[rested]))
        self._still += int(np.count_nonzero(rested))
        self._pixels += still.size

    def result(self) -> Flicker:
        """The figures so far; zero where nothing rested."""
        still = max(1, self._still)
        return Flicker(
            self._changed / 255 / still, self._flipped / still, self._still / max(1, self._pixels), self._frames
        )
