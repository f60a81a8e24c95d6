"""What an evaluation found, as text and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgeseg.evaluate.flicker import STILL_LEVELS, Flicker
from edgeseg.evaluate.job import ClassResult, MaskResult
from edgeseg.table import table


def masks_text(results: Sequence[MaskResult], tolerance: float) -> str:
    """A table of the models on pictures with masks."""
    rows = [
        [
            result.model,
            f"{result.summary.iou:.4f}",
            f"{result.summary.mean_iou:.4f}",
            f"{result.summary.boundary_f:.4f}",
            f"{result.summary.difference:.4f}",
            f"{worst.iou:.3f} ({name})",
        ]
        for result in results
        for name, worst in [min(result.scores.items(), key=lambda entry: entry[1].iou)]
    ]
    count = len(results[0].scores)
    head = f"{_pictures(count)}; boundary within {tolerance:.2%} of the diagonal\n"
    return head + table(["model", "IoU", "mean IoU", "boundary F", "difference", "worst picture"], rows)


def classes_text(results: Sequence[ClassResult], labels: Mapping[str, Sequence[str]]) -> str:
    """A table of the models on pictures with class maps, and one of the classes.

    ``labels`` are the names of a model's classes, by the model's name.
    """
    rows = [
        [
            result.model,
            f"{result.summary.accuracy:.2%}",
            f"{result.summary.mean_iou:.4f}",
            str(len(result.summary.classes)),
            f"{worst:.2%} ({name})",
        ]
        for result in results
        for name, worst in [min(result.accuracy.items(), key=lambda entry: entry[1])]
    ]
    head = f"{_pictures(len(results[0].accuracy))}; {results[0].summary.pixels} pixels have a class\n"
    text = head + table(["model", "accuracy", "mean IoU", "classes", "worst picture"], rows)
    numbers = sorted({number for result in results for number in result.summary.classes})
    names = next((labels[result.model] for result in results if labels.get(result.model)), ())
    lines = [
        [
            f"{number} {names[number] if number < len(names) else ''}".rstrip(),
            *(_or_dash(result.summary.classes.get(number)) for result in results),
        ]
        for number in numbers
    ]
    return f"{text}\nIoU of each class\n" + table(["class", *(result.model for result in results)], lines)


def flicker_text(results: Mapping[str, Flicker]) -> str:
    """A table of the models on a clip, the calmest first."""
    ranked = sorted(results.items(), key=lambda entry: entry[1].flicker)
    rows = [
        [name, f"{result.flicker * 1000:.2f}", f"{result.flips * 1000:.2f}", f"{result.still:.1%}"]
        for name, result in ranked
    ]
    head = (
        f"{ranked[0][1].frames} frames; of 1000 pixels that changed by {STILL_LEVELS} levels or less, "
        "how much mask changed, and how many changed sides\n"
    )
    return head + table(["model", "flicker", "flips", "still pixels"], rows)


def masks_json(results: Sequence[MaskResult], tolerance: float) -> dict[str, Any]:
    """The same and each picture's figures, all 0..1."""
    return {
        "boundary_tolerance": tolerance,
        "models": [
            {
                "model": result.model,
                "iou": result.summary.iou,
                "mean_iou": result.summary.mean_iou,
                "boundary_f": result.summary.boundary_f,
                "difference": result.summary.difference,
                "pictures": [
                    {
                        "picture": name,
                        "iou": score.iou,
                        "boundary_f": score.boundary_f,
                        "difference": score.difference,
                    }
                    for name, score in result.scores.items()
                ],
            }
            for result in results
        ],
    }


def classes_json(results: Sequence[ClassResult]) -> dict[str, Any]:
    """The same and each picture's accuracy, all 0..1."""
    return {
        "models": [
            {
                "model": result.model,
                "accuracy": result.summary.accuracy,
                "mean_iou": result.summary.mean_iou,
                "pixels": result.summary.pixels,
                "classes": {str(number): iou for number, iou in result.summary.classes.items()},
                "pictures": [{"picture": name, "accuracy": value} for name, value in result.accuracy.items()],
            }
            for result in results
        ]
    }


def flicker_json(results: Mapping[str, Flicker]) -> dict[str, Any]:
    """The same, all 0..1."""
    return {
        "still_levels": STILL_LEVELS,
        "models": [
            {
                "model": name,
                "flicker": result.flicker,
                "flips": result.flips,
                "still": result.still,
                "frames": result.frames,
            }
            for name, result in sorted(results.items(), key=lambda entry: entry[1].flicker)
        ],
    }


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count} pictures"


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
