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
# How far below the best the likely way may be and is still taken: four pictures are few, and what the file says about
# its numbers weighs more than what is merely the commonest.
_FILE_SAYS, _COMMONEST = 0.2, 0.05


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one way to prepare the pictures: ``iou`` of what is kept with the persons that are known, over all
    pictures; ``inverse`` that of what is not kept.
    """

    recipe: Recipe
    iou: float
    inverse: float = 0.0

    @property
    def normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return self.recipe.mean_values, self.recipe.scale_values

    @property
    def options(self) -> str:
        """The same as options of the command."""
        mean, scale = (",".join(f"{value:g}" for value in values) for values in self.normalisation)
        return f"--mean {mean} --scale {scale} --color-order {self.recipe.color_order}"


def usual_ways(recipe: Recipe, *, normalisation: bool, order: bool) -> list[Recipe]:
    """``recipe`` as it is, and with the usual normalisations and the other colour order; of these only what is open."""
    normal: list[dict[str, Any]] = [{}, *(usual.fields for usual in USUAL if normalisation)]
    other = "BGR" if recipe.color_order == "RGB" else "RGB"
    orders = (recipe.color_order, other) if order else (recipe.color_order,)
    ways = (replace(recipe, color_order=color_order, **fields) for fields in normal for color_order in orders)
    return list(dict.fromkeys(ways))


def try_all(engine: Engine, recipes: Iterable[Recipe]) -> list[Trial]:
    """How well the model in ``engine`` finds the persons with each of ``recipes``, in their order.

    Raises:
        ModelError: the model does not fit a recipe.
        InferenceError: it does not run.
    """
    photographs = bundled()
    return [_tried(engine, recipe, photographs) for recipe in recipes]


def choose(trials: Sequence[Trial], *, file_says: bool) -> tuple[Trial, list[Trial]]:
    """The way to take, and those that are as good where nothing decides between them.

    The first of ``trials`` is the likely one; ``file_says`` that it is so because of something in the file.
    """
    likely, best = trials[0], max(trials, key=lambda trial: trial.iou)
    margin = _FILE_SAYS if file_says else _COMMONEST
    if likely.iou >= FOUND and best.iou - likely.iou <= margin:
        return likely, []
    others = {trial.normalisation: trial for trial in sorted(trials, key=lambda trial: trial.iou)}
    close = [
        trial
        for trial in others.values()
        if trial.normalisation != best.normalisation and best.iou - trial.iou <= _COMMONEST
    ]
    return best, close


def _tried(engine: Engine, recipe: Recipe, photographs: Sequence[Photograph]) -> Trial:
    codec = Codec(recipe, engine.inputs, engine.outputs)
    found = missed = extra = rest = 0
    for photograph in photographs:
        kept = codec.mask(engine.run([codec.encode(tensor(photograph.rgb, recipe))])) >= 128
        assert photograph.person is not None
        truth = cv2.resize(photograph.person, kept.shape[::-1], interpolation=cv2.INTER_AREA) >= 128
        found += int(np.count_nonzero(truth & kept))
        missed += int(np.count_nonzero(truth & ~kept))
        extra += int(np.count_nonzero(~truth & kept))
        rest += int(np.count_nonzero(~truth & ~kept))
    return Trial(recipe, _share(found, missed + extra), _share(missed, found + rest))


def _share(both: int, one: int) -> float:
    return both / (both + one) if both + one else 0.0
