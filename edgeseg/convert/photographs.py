"""The photographs that a model is proved on: those that somebody names, or the four that come along."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edgeseg import pictures
from edgeseg.types import U8, Recipe

_BUNDLED = Path(__file__).with_name("pictures")


@dataclass(frozen=True, slots=True)
class Photograph:
    """``rgb`` is u8 [h, w, 3], R'G'B'; ``person`` is u8 [h, w], 255 where a person is, or None where nobody said."""

    name: str
    rgb: U8
    person: U8 | None = None


def find(folder: Path, option: str = "") -> tuple[Path, ...]:
    """The pictures in ``folder``, by name; ``option`` is what named it.

    Raises:
        UsageError: it is no folder, or no picture lies in it.
    """
    return tuple(pictures.find(folder, f"{option}: " if option else ""))


def load(paths: Sequence[Path]) -> Iterator[Photograph]:
    """The pictures at ``paths``, one at a time. What EXIF says about turning them is ignored.

    Raises:
        UsageError: one of them is no picture.
    """
    for path in paths:
        yield Photograph(path.name, pictures.read(path))


def bundled() -> list[Photograph]:
    """The four that come along, 640x360, with their persons."""
    return [
        Photograph(path.name, pictures.read(path), np.asarray(cv2.imread(str(path.with_suffix(".png")), 0), np.uint8))
        for path in sorted(_BUNDLED.glob("*.jpg"))
    ]


def tensor(rgb: U8, recipe: Recipe) -> U8:
    """``rgb`` as a backend takes it: u8 [1, height, width, 3] in the recipe's colour order."""
    area = cv2.INTER_AREA if rgb.shape[0] >= recipe.height else cv2.INTER_LINEAR
    small = cv2.resize(rgb, (recipe.width, recipe.height), interpolation=area)
    ordered = small if recipe.color_order == "RGB" else small[..., ::-1]
    return np.ascontiguousarray(ordered[None], np.uint8)
