"""What a model has to look like to fit its recipe. Said once for ``graph``, which works inside OpenVINO, and for
``codec`` and ``answers``, which work outside of any runtime.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from edgeseg.errors import InferenceError, ModelError
from edgeseg.types import OutputKind, Recipe

_COARSEST = 32  # pixels of the picture across one pixel of the mask


@dataclass(frozen=True, slots=True)
class Arrangement:
    """How the numbers of an answer lie: ``axes`` are [h, w, planes], or [planes, h, w] where ``planes_first``."""

    axes: tuple[int, int, int]
    planes_first: bool = False

    @property
    def planes(self) -> int:
        return self.axes[0] if self.planes_first else self.axes[2]

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width."""
        return self.axes[1:] if self.planes_first else self.axes[:2]


def misfit(recipe: Recipe) -> str:
    """How every complaint about a recipe begins."""
    return f"model {recipe.name!r} does not fit its recipe"


def picture_shape(recipe: Recipe) -> tuple[int, ...]:
    """The shape of the picture that a model of ``recipe`` takes, with the plane of the previous mask if it has one."""
    planes = 4 if recipe.prior_channel else 3
    sides = (recipe.height, recipe.width)
    return (1, *sides, planes) if recipe.layout == "NHWC" else (1, planes, *sides)


def check_ports(recipe: Recipe, inputs: int, outputs: int) -> None:
    """Check how many there are, and that the answer is to be a mask.

    Raises:
        ModelError: there is not one input, or no such output, or the output is a picture.
    """
    if inputs != 1:
        raise ModelError(f"{misfit(recipe)}: it has {inputs} inputs, and one picture is all there is")
    if recipe.output_index >= outputs:
        raise ModelError(f"{misfit(recipe)}: there is no output {recipe.output_index}, only {outputs}")
    if recipe.kind is OutputKind.IMAGE:
        raise ModelError(f"{misfit(recipe)}: it answers with a picture, and a mask is wanted")


def other_picture(recipe: Recipe, taken: object) -> ModelError:
    """What to say when a model takes pictures of the shape ``taken`` and not of ``picture_shape``."""
    wanted = list(picture_shape(recipe))
    return ModelError(
        f"{misfit(recipe)}: the model takes {taken}, the recipe says {recipe.layout} {wanted}",
        hint="correct width, height or layout in model.yaml",
    )


def arrangement(shape: Sequence[int], recipe: Recipe) -> Arrangement:
    """How an answer of ``shape`` is to be read: NHWC, NCHW, without batch or planes, or flat. Not every model answers
    in the layout that it is asked in, so the number of elements and the sides decide where they can.

    Raises:
        ModelError: it is no picture of the recipe's size, nor a coarser one.
    """
    shape = tuple(shape)
    found = _of_four(shape, recipe) if len(shape) == 4 and shape[0] == 1 else _of_fewer(shape, recipe)
    if found is None:
        raise ModelError(f"{misfit(recipe)}: the answer {list(shape)} is no picture of {recipe.width}x{recipe.height}")
    return found


def _of_four(shape: tuple[int, ...], recipe: Recipe) -> Arrangement | None:
    axes = (shape[1], shape[2], shape[3])
    readings = [Arrangement(axes, planes_first) for planes_first in (False, True)]
    if recipe.layout != "NHWC":
        readings.reverse()
    for reading in readings:
        if reading.sides == (recipe.height, recipe.width):
            return reading
    # A pixel list that kept an axis of 1 would pass for a picture one pixel wide.
    long = tuple(axis for axis in axes if axis != 1)
    if len(long) < 3 and recipe.height * recipe.width in long:
        return _of_fewer(long, recipe)
    return next((reading for reading in readings if _is_coarser(reading, recipe)), None)


def _is_coarser(reading: Arrangement, recipe: Recipe) -> bool:
    """Whether its sides are to each other as those of the picture, within 2 % or one pixel."""
    height, width = reading.sides
    if height * width == 1 or height * _COARSEST < recipe.height:
        return False
    return abs(height * recipe.width / recipe.height - width) <= max(1.0, width / 50)


def _of_fewer(shape: tuple[int, ...], recipe: Recipe) -> Arrangement | None:
    sides, area = (recipe.height, recipe.width), recipe.height * recipe.width
    if len(shape) > 1 and shape[-1] < area and prod(shape[:-1]) == area:  # flat, classes last
        return Arrangement((*sides, shape[-1]))
    if len(shape) > 1 and shape[-1] == area and prod(shape) > area:  # flat, classes first
        return Arrangement((prod(shape[:-1]), *sides), planes_first=True)
    if (len(shape) == 3 and shape[0] == 1) or (len(shape) == 2 and shape[0] != 1):
        return Arrangement((shape[-2], shape[-1], 1))
    return Arrangement((*sides, 1)) if shape and prod(shape) == area else None


def no_numbers(name: str) -> InferenceError:
    """What to say when the model ``name`` answers with NaN, or with labels that are infinite."""
    return InferenceError(f"model {name!r} answered with values that are no numbers")


def kept_planes(recipe: Recipe, count: int) -> list[int]:
    """Which of ``count`` planes the mask is made of.

    Raises:
        ModelError: none, or one that is not there.
    """
    keep = [0] if count == 1 else list(recipe.keep)
    if not keep:
        raise ModelError(f"{misfit(recipe)}: keep names no plane")
    if max(keep) >= count:
        raise ModelError(f"{misfit(recipe)}: there is no plane {max(keep)} in an answer of {count}")
    return keep


def check_labels(recipe: Recipe, shape: Sequence[int]) -> None:
    """Check that an answer of ``shape`` is a map of labels of which some are kept.

    Raises:
        ModelError: it is not.
    """
    if not recipe.keep:
        raise ModelError(f"{misfit(recipe)}: keep names no label")
    if arrangement(shape, recipe).planes != 1:
        raise ModelError(f"{misfit(recipe)}: the answer {list(shape)} is no map of labels")
