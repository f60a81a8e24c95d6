"""A backend on any engine: the picture is prepared and the answer read outside of the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from edgeseg.backends.codec import Codec
from edgeseg.backends.engine import Engine
from edgeseg.errors import InferenceError, ModelError
from edgeseg.types import U8, Recipe


class EngineBackend:
    """One stream's model on an engine of its own.

    Args:
        make: opens the model of a recipe on a device; raises ModelError.
    """

    def __init__(self, make: Callable[[Recipe, str], Engine]) -> None:
        self._make = make
        self._engine: Engine | None = None
        self._codec: Codec | None = None
        self._prior: U8 | None = None
        self._name = ""
        self._shape: tuple[int, ...] = ()

    def load(self, recipe: Recipe, device: str) -> None:
        """Make ``recipe`` ready to run on ``device``. May take seconds.

        Raises:
            ModelError: it cannot be used; the message says why.
        """
        self.close()
        if not Path(recipe.path).is_file():
            raise ModelError(f"model {recipe.name!r}: {recipe.path} does not exist")
        engine = self._make(recipe, device)
        try:
            self._codec = Codec(recipe, engine.inputs, engine.outputs)
        except ModelError:
            engine.close()
            raise
        self._engine = engine
        self._name = recipe.name
        self._shape = (1, recipe.height, recipe.width, 3)

    def infer(self, tensor: U8) -> U8:
        """The mask of ``tensor``, u8 [h, w], 255 = keep.

        Raises:
            InferenceError: the tensor has another shape or type than the model wants, or the model failed.
        """
        if self._engine is None or self._codec is None:
            raise InferenceError("no model is loaded")
        if tensor.shape != self._shape or tensor.dtype != np.uint8:
            raise InferenceError(
                f"model {self._name!r} takes uint8 {self._shape}, and was given {tensor.dtype} {tensor.shape}"
            )
        # A picture that fails leaves the prior of the one before it: there is no newer mask.
        self._prior = self._codec.mask(self._engine.run([self._codec.encode(tensor, self._prior)]))
        return self._prior

    def reset(self) -> None:
        """Forget the mask of the picture before, as after a cut in the source. Not while ``infer`` runs."""
        self._prior = None

    def close(self) -> None:
        """Give the model back. May be called twice."""
        engine, self._engine, self._codec, self._prior = self._engine, None, None, None
        if engine is not None:
            engine.close()
