"""A model that answers about pictures by the way of the daemon's frames: sampled from planes, inferred, refined."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from edgeseg.masks import MaskRefiner, RefineSettings
from edgeseg.sampling import Sampler
from edgeseg.types import U8, Backend, Frame, Recipe


class Segmenter:
    """One model in one backend.

    Args:
        name: what it is called in tables.
        recipe: what it wants.
        open_backend: gives a backend with the model loaded.
        refined: whether masks go through the daemon's default feather and smooth step.
    """

    def __init__(self, name: str, recipe: Recipe, open_backend: Callable[[], Backend], refined: bool = False) -> None:
        self.name = name
        self.recipe = recipe
        self._open = open_backend
        self._sampler = Sampler(recipe)
        self._refiner = MaskRefiner(RefineSettings()) if refined else None
        self._backend = open_backend()
        self._fresh = True

    def alpha(self, frame: Frame) -> U8:
        """The mask of ``frame`` at the model's size, u8 [h, w], 255 = keep; valid until the next call.

        Raises:
            InferenceError: the model did not answer.
        """
        self._fresh = False
        answer = self._backend.infer(self._sampler.sample(frame))
        return answer if self._refiner is None else self._refiner.refine(answer, frame.pts).alpha

    def full_alpha(self, frame: Frame) -> U8:
        """The mask at the size of ``frame``, enlarged as the effects do it."""
        size = (frame.width, frame.height)
        return np.asarray(cv2.resize(self.alpha(frame), size, interpolation=cv2.INTER_LINEAR), np.uint8)

    def forget(self) -> None:
        """Say that the next frame has nothing to do with the last: a model that reads its own masks starts anew."""
        if self._refiner is not None:
            self._refiner.reset()
        if self.recipe.prior_channel and not self._fresh:
            # Opened before the old one is closed: where backends share what they have compiled, it stays.
            backend, self._backend = self._backend, self._open()
            backend.close()
            self._fresh = True

    def close(self) -> None:
        """Free the model. May be called twice."""
        self._backend.close()
