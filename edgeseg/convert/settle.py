"""Puts the recipe together: what somebody said, what the file tells, what a trial finds, and what is usual."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeseg.backends.engine import Engine
from edgeseg.convert.analysis import PAINTS
from edgeseg.convert.findings import Candidate, Findings, Question, Task
from edgeseg.convert.model_info import extract
from edgeseg.convert.normalisation import UNIT
from edgeseg.convert.recipe_guess import guess_answer
from edgeseg.convert.source_model import SourceModel
from edgeseg.convert.trial import FOUND, Trial, choose, try_all, usual_ways
from edgeseg.errors import ModelError, UsageError
from edgeseg.types import Recipe

_ABOUT_ANSWERS = {"output_index", "kind", "activation", "output_quantization", "keep", "labels", "colors"}
_NORMALISATION = {"mean_values", "scale_values"}
_MOST_NAMED = 12
_PLAINLY_BETTER = 0.2
Say = Callable[[str], None]


def choose_answer(path: Path, findings: Findings, wanted: str | None, said: Mapping[str, Any]) -> Candidate:
    """The output to take: the one that is ``wanted`` by name or number, else the one that is clearly the answer.
    Somebody who said of what kind it is knows better than to take three planes for a picture.

    Raises:
        UsageError: there is no such output, or no mask can be made of it.
        ModelError: nothing is wanted, and there is none or more than one.
    """
    if wanted is not None:
        return _named(path, findings, wanted, said)
    if findings.rivals:
        listed = "; ".join(f"--output {entry.name}: {entry.why}" for entry in findings.rivals)
        raise ModelError(
            f"{path} has {len(findings.rivals)} outputs that may be the answer", hint=f"say which: {listed}"
        )
    obstacles = [entry for entry in findings.obstacles if not ("kind" in said and entry == PAINTS)]
    if obstacles or findings.best is None:
        why = "; ".join(obstacles) or "none of its outputs is a map of the picture"
        raise ModelError(
            f"{path} cannot be used: {why}",
            hint=f"it looks like {findings.task} ({findings.task_why}); edgeseg inspect shows all of it",
        )
    return findings.best


def settle(
    read: SourceModel,
    findings: Findings,
    answer: Candidate,
    base: Recipe,
    said: Mapping[str, Any],
    classes: Sequence[str],
) -> Recipe:
    """The recipe before any trial. ``base`` has name, path, size and origin, ``said`` are the fields that somebody
    named, ``classes`` the names or numbers of what is to be kept.

    Raises:
        UsageError: something has to be said and was not, or a class is not one of the model's.
    """
    fields = findings.fields()
    questions = list(findings.questions)
    if answer is not findings.best:
        about, asked = guess_answer(answer, {**extract(read.model), **read.facts})
        fields = {key: value for key, value in fields.items() if key not in _ABOUT_ANSWERS}
        fields |= {guess.field: guess.value for guess in about}
        questions = [question for question in questions if question.field not in _ABOUT_ANSWERS] + asked
    known = {field.name for field in dataclasses.fields(Recipe)} - {"width", "height"}
    fields = {key: value for key, value in fields.items() if key in known} | dict(said)
    recipe = dataclasses.replace(base, **fields)
    if classes:
        recipe = dataclasses.replace(recipe, keep=_numbers(classes, recipe, answer))
    answered = {*said, *(["keep"] if classes else []), *(["width", "height"] if base.width else [])}
    _require_answers(read.path, questions, answered)
    return recipe


def proved_by(path: Path, findings: Findings, answer: Candidate) -> Candidate | None:
    """The source's own answer by which a tensor inside its graph has to be proved; None for an ``answer`` of its own.

    Raises:
        UsageError: it has none.
    """
    if answer.index is not None:
        return None
    if findings.best is None:
        why = "it is inside the graph, and which of the source's own outputs it belongs to is not clear"
        raise UsageError(f"{path}: {answer.name} cannot be proved: {why}", hint="--no-proof goes without")
    return findings.best


def read_as(read: SourceModel, answer: Candidate, recipe: Recipe) -> Recipe:
    """``recipe`` for another answer of the same model."""
    defaults: dict[str, Any] = {
        field.name: field.default for field in dataclasses.fields(Recipe) if field.name in _ABOUT_ANSWERS
    }
    about, _ = guess_answer(answer, {**extract(read.model), **read.facts})
    return dataclasses.replace(recipe, **(defaults | {guess.field: guess.value for guess in about}))


def by_trial(
    engine: Engine, recipe: Recipe, findings: Findings, said: Mapping[str, Any], path: Path, say: Say
) -> Recipe:
    """``recipe`` with the normalisation and colour order with which the model finds the known persons, where nothing
    but a trial can tell. What somebody said is kept, but not when it is plainly wrong.

    Raises:
        UsageError: nothing usual finds them, and somebody has to say what does.
        ModelError: with what was said the persons are not found, and with another normalisation they are.
    """
    open_fields = {name for question in findings.questions for name in _fields(question)}
    normalisation = bool(_NORMALISATION & open_fields) and not _NORMALISATION & set(said)
    order = "color_order" in open_fields and "color_order" not in said
    told = bool((_NORMALISATION | {"color_order"}) & set(said))
    if not (normalisation or order or told) or not _about_people(recipe, findings):
        return recipe
    if told:
        _refuse_if_wrong(engine, recipe, path, say)
    if not (normalisation or order):
        return recipe
    trials = try_all(engine, usual_ways(recipe, normalisation=normalisation, order=order))
    best = max(trials, key=lambda trial: trial.iou)
    if best.iou < FOUND:
        _refuse_if_inverted(path, recipe, trials)
        return _not_found(path, best, recipe, findings, normalisation=normalisation, say=say)
    file_says = recipe.input_quantization is not None or trials[0].normalisation != (UNIT.mean, UNIT.scale)
    taken, close = choose(trials, file_says=file_says)
    if close:
        listed = " or ".join(f"{trial.options}: {trial.iou:.2f}" for trial in (taken, *close))
        raise UsageError(
            f"{path} finds the known persons with several normalisations, and nothing tells which is right",
            hint=f"say the one that it was trained with: {listed}",
        )
    ranked = sorted(trials, key=lambda trial: -trial.iou)
    others = "".join(f"; {trial.options}: {trial.iou:.2f}" for trial in ranked[:3] if trial is not taken)
    say(f"trial: mask IoU with the known persons: {taken.options}: {taken.iou:.2f}, taken{others}")
    return taken.recipe


def _not_found(path: Path, best: Trial, recipe: Recipe, findings: Findings, *, normalisation: bool, say: Say) -> Recipe:
    why = (
        f"with no usual normalisation it finds the known persons (best mask IoU {best.iou:.2f}), or it looks for others"
    )
    if normalisation:
        asked = [question for question in findings.questions if _NORMALISATION & set(_fields(question))]
        listed = " or ".join(option for question in asked for option in question.candidates)
        raise UsageError(f"{path}: {why}", hint=f"say what it was trained with: {listed}; and --color-order")
    say(f"trial: {why}; taken: {Trial(recipe, 0.0).options}")
    return recipe


def _about_people(recipe: Recipe, findings: Findings) -> bool:
    """Whether the mask should show the persons in the photographs: two classes, or those that are called so."""
    if findings.task is not Task.SEGMENTATION:
        return False
    return len(recipe.labels) <= 2 or any(
        recipe.labels[number] == "person" for number in recipe.keep if number < len(recipe.labels)
    )


def _refuse_if_wrong(engine: Engine, recipe: Recipe, path: Path, say: Say) -> None:
    (said,) = try_all(engine, [recipe])
    if said.iou >= FOUND:
        return
    _refuse_if_inverted(path, recipe, [said])
    best = max(try_all(engine, usual_ways(recipe, normalisation=True, order=True)), key=lambda trial: trial.iou)
    if best.iou >= FOUND and best.iou - said.iou > _PLAINLY_BETTER:
        raise ModelError(
            f"{path} does not find the known persons with {said.options} (mask IoU {said.iou:.2f})",
            hint=f"{best.options} finds them with {best.iou:.2f}; --no-proof takes your word for it",
        )
    say(f"trial: with {said.options} the mask IoU with the known persons is {said.iou:.2f}: look at what it shows")


def _refuse_if_inverted(path: Path, recipe: Recipe, trials: Sequence[Trial]) -> None:
    """What keeps the room and hides the person is worse than no mask."""
    worst = max(trials, key=lambda trial: trial.inverse)
    if worst.inverse < FOUND:
        return
    raise ModelError(
        f"{path} keeps everything but the known persons (mask IoU {worst.inverse:.2f} of what it leaves out)",
        hint=f"with --classes {', '.join(map(str, recipe.keep))} it is inverted: choose another class (--classes 0), "
        "or convert a mask of the background with --no-proof and say mask: {invert: true} in the configuration",
    )


def _named(path: Path, findings: Findings, wanted: str, said: Mapping[str, Any]) -> Candidate:
    for entry in findings.outputs:
        if wanted == entry.name or (entry.index is not None and wanted == str(entry.index)):
            if not entry.segments and "kind" not in said:
                raise UsageError(f"--output {wanted}: no mask can be made of it: {entry.why}")
            return entry
    names = [entry.name for entry in findings.outputs]
    guess = difflib.get_close_matches(wanted, names, n=1)
    hint = f"did you mean {guess[0]!r}?" if guess else f"there are: {', '.join(names)}"
    raise UsageError(f"--output: {path} has no output {wanted!r}", hint=hint)


def _numbers(classes: Sequence[str], recipe: Recipe, answer: Candidate) -> tuple[int, ...]:
    by_name = {name.lower(): number for number, name in reversed(list(enumerate(recipe.labels)))}
    return tuple(dict.fromkeys(_number(word, by_name, answer.classes) for word in classes))


def _number(word: str, by_name: Mapping[str, int], count: int | None) -> int:
    if word.isdecimal():
        if count is not None and int(word) >= count:
            raise UsageError(f"--classes: there is no class {word}: they are 0 to {count - 1}")
        return int(word)
    if word.lower() in by_name:
        return by_name[word.lower()]
    if not by_name:
        raise UsageError(
            f"--classes: the classes have no names, so {word!r} cannot be found", hint="give numbers, or --labels FILE"
        )
    guess = difflib.get_close_matches(word.lower(), by_name, n=1)
    some = ", ".join(list(by_name)[::-1][:_MOST_NAMED])
    hint = f"did you mean {guess[0]!r}?" if guess else f"there are: {some}{', …' if len(by_name) > _MOST_NAMED else ''}"
    raise UsageError(f"--classes: no class is called {word!r}", hint=hint)


def _require_answers(path: Path, questions: Iterable[Question], answered: set[str]) -> None:
    left = [question for question in questions if not question.assumed and not answered & set(_fields(question))]
    if left:
        open_ = "; ".join(f"{question.field}: {question.why}" for question in left)
        listed = "; ".join(" or ".join(question.candidates[:_MOST_NAMED]) for question in left)
        raise UsageError(f"{path} does not say everything: {open_}", hint=f"say {listed}")


def _fields(question: Question) -> list[str]:
    return [name.strip() for name in question.field.split(",")]
