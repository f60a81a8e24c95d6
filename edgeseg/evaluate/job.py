"""Runs models over pictures and clips and gathers what the metrics say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from edgeseg.errors import SourceError, UsageError
from edgeseg.evaluate import classes, metrics
from edgeseg.evaluate.flicker import Flicker, FlickerMeter, Stillness
from edgeseg.evaluate.labeller import Labeller
from edgeseg.evaluate.pairs import Pair, read_classes, read_mask, read_pair
from edgeseg.evaluate.segmenter import Segmenter
from edgeseg.sources.av_input import AvSource
from edgeseg.types import Frame

Tell = Callable[[int, int], None]


def _silent(done: int, of: int) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class MaskResult:
    """One model: its score on each picture, by the picture's name, and all together."""

    model: str
    scores: dict[str, metrics.Score]
    summary: metrics.Summary


@dataclass(frozen=True, slots=True)
class ClassResult:
    """One model: pixel accuracy on each picture, by the picture's name, and all together."""

    model: str
    accuracy: dict[str, float]
    summary: classes.ClassSummary


def evaluate_masks(
    models: Sequence[Segmenter], pairs: Sequence[Pair], tolerance: float, tell: Tell = _silent
) -> list[MaskResult]:
    """Each model on each picture, the best IoU first. ``tell`` hears how many pictures are done.

    Raises:
        UsageError: a picture or a mask cannot be read.
        InferenceError: a model did not answer.
    """
    scores: list[dict[str, metrics.Score]] = [{} for _ in models]
    for done, pair in enumerate(pairs, 1):
        _, frame, truth = read_pair(pair, read_mask)
        for model, found in zip(models, scores, strict=True):
            model.forget()
            found[pair.name] = metrics.score(model.full_alpha(frame), truth, tolerance)
        tell(done, len(pairs))
    results = [
        MaskResult(model.name, found, metrics.summary(list(found.values())))
        for model, found in zip(models, scores, strict=True)
    ]
    return sorted(results, key=lambda result: result.summary.iou, reverse=True)


def evaluate_classes(
    models: Sequence[Labeller],
    pairs: Sequence[Pair],
    ignore: frozenset[int],
    tell: Tell = _silent,
) -> list[ClassResult]:
    """Each model's classes on each picture, the best mean IoU first. Pixels whose true class is in ``ignore`` are left
    out.

    Raises:
        UsageError: a picture or a map of classes cannot be read.
        InferenceError: a model did not answer.
    """
    matrices: list[dict[str, classes.Counts]] = [{} for _ in models]
    for done, pair in enumerate(pairs, 1):
        _, frame, truth = read_pair(pair, read_classes)
        for model, found in zip(models, matrices, strict=True):
            found[pair.name] = classes.confusion(model.labels(frame), truth, ignore)
        tell(done, len(pairs))
    results = [
        ClassResult(
            model.name,
            {name: classes.summarise(matrix).accuracy for name, matrix in found.items()},
            classes.summarise(classes.together(list(found.values()))),
        )
        for model, found in zip(models, matrices, strict=True)
    ]
    return sorted(results, key=lambda result: result.summary.mean_iou, reverse=True)


def evaluate_clip(models: Sequence[Segmenter], clip: Path, frames: int, tell: Tell = _silent) -> dict[str, Flicker]:
    """The flicker of each model, by its name, over the first ``frames`` frames of ``clip``.

    Raises:
        UsageError: the clip cannot be read or has fewer than two frames.
        InferenceError: a model did not answer.
    """
    if not clip.is_file():
        raise UsageError(f"--clip: {clip} does not exist")
    meters = [FlickerMeter() for _ in models]
    stillness = Stillness()
    for model in models:
        model.forget()
    count = 0
    source = AvSource(str(clip), audio=False)
    try:
        source.open()
        for count, frame in enumerate(islice(_pictures(source), frames), 1):
            still = stillness.next(frame)
            for model, meter in zip(models, meters, strict=True):
                meter.add(model.alpha(frame), still)
            tell(count, frames)
    except SourceError as exc:
        raise UsageError(f"--clip: {exc.message}", hint=exc.hint) from exc
    finally:
        source.close()
    if count < 2:
        raise UsageError(f"--clip: {clip} has {count} frames, and flicker is between two")
    return {model.name: meter.result() for model, meter in zip(models, meters, strict=True)}


def _pictures(source: AvSource) -> Iterator[Frame]:
    while (item := source.read()) is not None:
        if isinstance(item, Frame):
            yield item
