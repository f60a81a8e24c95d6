"""A model that says which class each pixel shows, not only which are kept."""

from __future__ import annotations

import cv2
import numpy as np

from edgeseg.backends.codec import Codec
from edgeseg.backends.engine import Engine
from edgeseg.evaluate.classes import Labels
from edgeseg.sampling import Sampler
from edgeseg.types import Frame, Recipe


class Labeller:
    """One model in its runtime. Pictures come to it as to the daemon's models; its answer is read whole.

    Args:
        name: what it is called in tables.
        recipe: what it wants and how its answer is to be read.
        engine: runs it; is closed with the labeller.

    Raises:
        ModelError: the model does not fit its recipe.
    """

    def __init__(self, name: str, recipe: Recipe, engine: Engine) -> None:
        self.name = name
        self.recipe = recipe
        self._engine = engine
        self._codec = Codec(recipe, engine.inputs, engine.outputs)
        self._sampler = Sampler(recipe)

    def labels(self, frame: Frame) -> Labels:
        """The class of each pixel of ``frame``, i32 [height, width]. Each frame is as the first one to the model.

        Raises:
            InferenceError: the model did not answer.
        """
        answers = self._engine.run([self._codec.encode(self._sampler.sample(frame))])
        decided = self._codec.decide(answers).astype(np.int32)
        size = (frame.width, frame.height)
        return np.asarray(cv2.resize(decided, size, interpolation=cv2.INTER_NEAREST_EXACT))

    def close(self) -> None:
        """Free the model. May be called twice."""
        self._engine.close()
