"""Tells whether a picture still is the one that the kept mask was made of, so that the mask need not be made again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from edgeseg.types import U8

# Blocks of 4x4 model pixels: of 1280x720, 20x11 pixels for a model of 256x256. Their means lose the noise of a camera
# and of its encoder, and keep a hand. Halved twice, as OpenCV's area filter is fast at 2:1 only.
_HALVINGS = 2
# What may be left of a mask before, where masks are averaged over time.
_SETTLED = 0.05
# A model that reads its own last mask gets so many more: what it makes of it cannot be told from here.
_PRIOR_MASKS = 5


@dataclass(frozen=True, slots=True)
class StillSettings:
    """How still a picture has to be.

    ``threshold`` is by how many levels (of 255) the mean of a block may differ in one of its colours. ``max_age_s`` is
    the longest time between a picture and the one that its mask was made of. ``settle`` is how many more masks are made
    after a move before one is reused: what remembers the past has to come to rest first.
    """

    threshold: float = 6.0
    max_age_s: float = 0.5
    settle: int = 0


def settling(temporal: float, *, prior: bool) -> int:
    """How many masks it takes until nothing of the past is left, for ``StillSettings.settle``.

    ``temporal`` is the refiner's; with ``prior`` the model reads its own last mask.
    """
    averaged = math.ceil(math.log(_SETTLED) / math.log(temporal)) if temporal > 0 else 0
    return max(averaged, _PRIOR_MASKS if prior else 0)


class StillGate:
    """Compares the tensors of one stream with the one that its last mask was made of, never with the one before: what
    drifts slowly has moved once it has gone far enough.
    """

    def __init__(self, settings: StillSettings) -> None:
        self.max_age_s = settings.max_age_s
        self._threshold = settings.threshold
        self._settle = settings.settle
        self._kept: U8 | None = None
        self._seen: U8 | None = None
        self._moved = True
        self._calm = 0

    def still(self, tensor: Any) -> bool:
        """Whether ``tensor``, u8 [1, h, w, 3], looks like that of the last mask, and that mask had come to rest.

        What is no tensor is a frame that is sampled on the model's device, where nobody can look: it is never still.

        Raises:
            cv2.error: the tensor has another shape than the one of the last mask.
        """
        if not isinstance(tensor, np.ndarray):
            self.reset()
            return False
        self._seen = _blocks(tensor[0])
        self._moved = self._kept is None or cv2.norm(self._seen, self._kept, cv2.NORM_INF) > self._threshold
        return not self._moved and self._calm >= self._settle

    def keep(self, *, masked: bool) -> None:
        """What ``still`` saw last was segmented; ``masked`` says whether that gave a mask."""
        if not masked or self._seen is None:
            self.reset()
            return
        self._kept = self._seen
        self._calm = 0 if self._moved else self._calm + 1

    def reset(self) -> None:
        """What comes next has nothing to do with what was before."""
        self._kept, self._seen, self._moved, self._calm = None, None, True, 0


def _blocks(picture: U8) -> U8:
    """The means of the blocks of ``picture``, u8 [h, w, 3]; one at least in each direction."""
    for _ in range(_HALVINGS):
        height, width = picture.shape[:2]
        picture = cv2.resize(picture, (max(1, width // 2), max(1, height // 2)), interpolation=cv2.INTER_AREA)
    return picture
