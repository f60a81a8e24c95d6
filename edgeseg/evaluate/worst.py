"""Draws the pictures on which models did worst."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgeseg.evaluate import sheet
from edgeseg.evaluate.job import ClassResult, MaskResult
from edgeseg.evaluate.labeller import Labeller
from edgeseg.evaluate.pairs import Pair, read_classes, read_mask, read_pair
from edgeseg.evaluate.segmenter import Segmenter
from edgeseg.types import U8


def worst_masks(models: Sequence[Segmenter], results: Sequence[MaskResult], pairs: Sequence[Pair], count: int) -> U8:
    """A sheet, R'G'B' u8 [h, w, 3], of the ``count`` pictures with the lowest IoU in the mean of all models."""
    shown = _worst(pairs, count, lambda name: float(np.mean([result.scores[name].iou for result in results])))
    by_name = {model.name: model for model in models}
    rows = []
    for pair in shown:
        rgb, frame, truth = read_pair(pair, read_mask)
        cells = [sheet.Cell(rgb, pair.picture.name), sheet.Cell(sheet.show_mask(rgb, truth, truth), "")]
        for result in results:
            model, score = by_name[result.model], result.scores[pair.name]
            model.forget()
            overlay = sheet.show_mask(rgb, model.full_alpha(frame), truth)
            cells.append(sheet.Cell(overlay, f"IoU {score.iou:.3f}  boundary F {score.boundary_f:.3f}"))
        rows.append(cells)
    return sheet.draw(["picture", "truth", *(result.model for result in results)], rows, sheet.mask_legend())


def worst_classes(models: Sequence[Labeller], results: Sequence[ClassResult], pairs: Sequence[Pair], count: int) -> U8:
    """A sheet, R'G'B' u8 [h, w, 3], of the ``count`` pictures with the fewest right pixels, in the mean of all models.

    The colours and names of the classes are those of the first model that has any.
    """
    shown = _worst(pairs, count, lambda name: float(np.mean([result.accuracy[name] for result in results])))
    by_name = {model.name: model for model in models}
    recipe = next((model.recipe for model in models if model.recipe.colors), models[0].recipe)
    colours = sheet.palette(recipe.colors)
    rows, seen = [], set[int]()
    for pair in shown:
        rgb, frame, truth = read_pair(pair, read_classes)
        seen.update(map(int, np.unique(truth)))
        cells = [sheet.Cell(rgb, pair.picture.name), sheet.Cell(sheet.show_classes(rgb, truth, colours), "")]
        for result in results:
            labels = by_name[result.model].labels(frame)
            seen.update(map(int, np.unique(labels)))
            overlay = sheet.show_classes(rgb, labels, colours)
            cells.append(sheet.Cell(overlay, f"{result.accuracy[pair.name]:.2%} right"))
        rows.append(cells)
    names = [(_named(number, recipe.labels), _triple(colours[number])) for number in sorted(seen)]
    return sheet.draw(["picture", "truth", *(result.model for result in results)], rows, names)


def _worst(pairs: Sequence[Pair], count: int, goodness: Callable[[str], float]) -> list[Pair]:
    return sorted(pairs, key=lambda pair: goodness(pair.name))[:count]


def _named(number: int, labels: Sequence[str]) -> str:
    return labels[number] if number < len(labels) else str(number)


def _triple(colour: sheet.Colours) -> tuple[int, int, int]:
    red, green, blue = (int(level) for level in colour)
    return red, green, blue
