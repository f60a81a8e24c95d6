"""Finds out by trial how a model wants its pictures: the person in the photographs that come along is known.

A model that is given other numbers than those it was trained with does not fail. It answers with a mask that is wrong,
and that is the commonest way to a camera that shows what it should hide.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from edgeseg.backends.codec import Codec
from edgeseg.backends.engine import Engine
from edgeseg.convert.normalisation import USUAL
from edgeseg.convert.photographs import Photograph, bundled, tensor
from edgeseg.types import Recipe

# Portrait models find her with 0.9 and more; half of it is a mask that is about her at all.
FOUND = 0.5
# A normalisation that comes so close to the best is as good as it.
_AS_GOOD = 0.9


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one way to prepare the pictures: ``iou`` with the persons that are known, over all pictures."""

    recipe: Recipe
    iou: float

    @property
    def options(self) -> str:
        """The same as options of the command."""
        numbers = (",".join(f"{value:g}" for value in values) for values in (self.mean, self.scale))
        mean, scale = numbers
        return f"--mean {mean} --scale {scale} --color-order {self.recipe.color_order}"

    @property
    def mean(self) -> tuple[float, ...]:
        return self.recipe.mean_values

    @property
    def scale(self) -> tuple[float, ...]:
        return self.recipe.scale_values


def usual_ways(recipe: Recipe, *, normalisation: bool, order: bool) -> list[Recipe]:
    """``recipe`` as it is, and with the usual normalisations and the other colour order; of these only what is open."""
    normal: list[dict[str, Any]] = [{}, *(usual.fields for usual in USUAL if normalisation)]
    other = "BGR" if recipe.color_order == "RGB" else "RGB"
    orders = (recipe.color_order, other) if order else (recipe.color_order,)
    ways = (replace(recipe, color_order=color_order, **fields) for fields in normal for color_order in orders)
    return list(dict.fromkeys(ways))


def try_all(engine: Engine, recipes: Iterable[Recipe]) -> list[Trial]:
    """How well the model in ``engine`` finds the persons with each of ``recipes``; the best first, and of those that
    are as good the one that was named first.

    Raises:
        ModelError: the model does not fit a recipe.
        InferenceError: it does not run.
    """
    photographs = bundled()
    trials = [Trial(recipe, _iou(engine, recipe, photographs)) for recipe in recipes]
    best = max((trial.iou for trial in trials), default=0.0)
    return sorted(trials, key=lambda trial: trial.iou < best * _AS_GOOD)


def _iou(engine: Engine, recipe: Recipe, photographs: Sequence[Photograph]) -> float:
    codec = Codec(recipe, engine.inputs, engine.outputs)
    both = either = 0
    for photograph in photographs:
        kept = codec.mask(engine.run([codec.encode(tensor(photograph.rgb, recipe))])) >= 128
        assert photograph.person is not None
        truth = cv2.resize(photograph.person, kept.shape[::-1], interpolation=cv2.INTER_AREA) >= 128
        both += int(np.count_nonzero(truth & kept))
        either += int(np.count_nonzero(truth | kept))
    return both / either if either else 0.0
