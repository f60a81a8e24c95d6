"""Looks at a model as a person with a graph viewer would: what goes in, what may be the answer, what it is for.

``analyse`` is the whole of it. ``picture_input`` and ``answers`` find the two ends, ``normalisation`` and
``recipe_guess`` work out the recipe, ``graph_walk`` knows which operators only change the form of a tensor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from edgeseg.convert import normalisation
from edgeseg.convert.answers import rank, rivals
from edgeseg.convert.findings import Candidate, Findings, Guess, InputFinding, Question, Task
from edgeseg.convert.graph_walk import dims
from edgeseg.convert.model_info import extract
from edgeseg.convert.picture_input import find_inputs, preparation
from edgeseg.convert.recipe_guess import guess_answer
from edgeseg.convert.source_model import SourceModel
from edgeseg.convert.tasks import is_painter, recognise
from edgeseg.types import OutputKind

_TRIED = ((256, 256), (320, 320), (224, 224), (512, 512))  # (height, width), to see what comes of an open size
_LEAST_INSIDE = 64
PAINTS = "it answers with a picture, and a mask is wanted"
Sides = tuple[int, int]


def analyse(read: SourceModel, size: tuple[int, int] | None = None) -> Findings:
    """What there is to know about ``read.model``, which stays as it is.

    ``size`` is the (width, height) of the pictures where the model leaves it open; without it, a size is tried.
    """
    model = read.model
    facts = {**extract(model), **read.facts}
    inputs = find_inputs(model, read.layout)
    index = next((number for number, entry in enumerate(inputs) if entry.picture), None)
    picture = None if index is None else inputs[index]
    inner = _inner_size(model) if picture and picture.width is None else None
    settled, sides = _settle(model, index, picture, (size[1], size[0]) if size else None, inner)
    ranked = rank(settled, sides, picture.layout if picture else read.layout, style=is_painter(model))
    close = rivals(ranked)
    best = None if close else next((entry for entry in ranked if entry.index is not None and entry.kind), None)
    task, task_why = recognise(settled, ranked, picture)
    guesses, questions = _recipe(model, index, picture, best, facts, task)
    sized, asked = _size_fields(picture, size, inner, task)
    return Findings(
        inputs=inputs,
        outputs=ranked,
        operators=tuple(Counter(node.get_type_name() for node in model.get_ops()).most_common()),
        task=task,
        task_why=task_why,
        best=best,
        rivals=close,
        guesses=(*sized, *guesses),
        questions=(*asked, *questions),
        obstacles=_obstacles(inputs, picture, best, close),
        notes=(*read.notes, *_notes(ranked, best)),
    )


def _recipe(
    model: Any,
    index: int | None,
    picture: InputFinding | None,
    best: Candidate | None,
    facts: Mapping[str, Any],
    task: Task,
) -> tuple[list[Guess], list[Question]]:
    guesses: list[Guess] = []
    questions: list[Question] = []
    if index is not None and picture is not None:
        guesses, questions = normalisation.guess(picture, preparation(model.input(index)), facts, task)
    if best is not None:
        more, asked = guess_answer(best, facts)
        guesses, questions = guesses + more, questions + asked
    return guesses, questions


def _size_fields(
    picture: InputFinding | None, size: tuple[int, int] | None, inner: Sides | None, task: Task
) -> tuple[list[Guess], list[Question]]:
    if picture is None:
        return [], []
    guesses = [Guess("layout", picture.layout, picture.why)]
    if picture.channels == 4:
        why = "four channels: in the portrait networks for video, the fourth is the mask of the frame before"
        guesses.append(Guess("prior_channel", True, why))
    known, why = _known_size(picture, size, inner)
    if known is not None:
        return [Guess("width", known[0], why), Guess("height", known[1], why), *guesses], []
    multiples = "; its sides have to be multiples of 32" if task is Task.TEXT_DETECTION else ""
    options = (
        ("--size 640x640", "--size 960x544") if multiples else ("--size 256x256", "--size 512x512", "--size 513x513")
    )
    return guesses, [Question("width, height", f"it takes pictures of any size{multiples}", options, "--size")]


def _known_size(
    picture: InputFinding, size: tuple[int, int] | None, inner: Sides | None
) -> tuple[tuple[int, int] | None, str]:
    if picture.width is not None and picture.height is not None:
        return (picture.width, picture.height), "the input has this size"
    if size is not None:
        return size, "asked for"
    if inner is not None:
        return (inner[1], inner[0]), "any size goes in, and the graph works at this one"
    return None, ""


def _settle(
    model: Any, index: int | None, picture: InputFinding | None, wanted: Sides | None, inner: Sides | None
) -> tuple[Any, Sides | None]:
    """``model`` with the size of the picture fixed, and that (height, width); the model as it is, and None, where
    none fits.
    """
    if index is None or picture is None:
        return model, None
    if picture.height is not None and picture.width is not None and picture.dims[0] == 1:
        return model, (picture.height, picture.width)
    fixed = (picture.height, picture.width) if picture.height and picture.width else None
    tries = [fixed] if fixed else [wanted] if wanted else [inner] if inner else []
    for height, width in [sides for sides in [*tries, *_TRIED] if sides is not None]:
        channels = picture.channels or 3
        shape = [1, height, width, channels] if picture.layout == "NHWC" else [1, channels, height, width]
        trial = model.clone()
        try:
            trial.reshape({index: shape})
        except RuntimeError:
            continue  # another size may do; when none does, the ranking says so
        return trial, (height, width)
    return model, None


def _inner_size(model: Any) -> Sides | None:
    """The largest square that a graph computes at, whatever the size of its picture."""
    found = [0]
    for node in model.get_ops():
        if node.get_type_name() in {"Convolution", "Interpolate"}:
            shape = dims(node.output(0))
            if len(shape) == 4 and None not in shape:
                found += [side or 0 for side, other in (shape[1:3], shape[2:4]) if side == other]
    return (max(found), max(found)) if max(found) >= _LEAST_INSIDE else None


def _obstacles(
    inputs: Sequence[InputFinding],
    picture: InputFinding | None,
    best: Candidate | None,
    close: Sequence[Candidate],
) -> tuple[str, ...]:
    found: list[str] = []
    if picture is None:
        found.append("no input is a picture of 3 or 4 channels")
    elif len(inputs) > 1:
        others = ", ".join(f"{entry.name} ({entry.why})" for entry in inputs if entry is not picture)
        found.append(f"it wants more than a picture: {others}")
    if picture is not None and picture.channels is None:
        found.append("how many channels it takes is open")
    if best is not None and best.kind is OutputKind.IMAGE:
        found.append(PAINTS)
    if best is None and not close:
        found.append("none of its outputs is a map of the picture")
    return tuple(found)


def _notes(ranked: Sequence[Candidate], best: Candidate | None) -> tuple[str, ...]:
    if best is None or best.kind is not OutputKind.LABELS:
        return ()
    softer = next(
        (entry for entry in ranked if entry.source == best.source and entry.segments and entry is not best), None
    )
    if softer is None or softer.kind is OutputKind.LABELS:
        return ()
    return (
        f"{softer.name} is the same answer before the decision: softer edges, for more work (--output {softer.name})",
    )
