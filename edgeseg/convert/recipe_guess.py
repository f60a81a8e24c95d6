"""Works out how an answer is to be read, and which of its classes are to be kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeseg.convert.findings import Candidate, Guess, Question
from edgeseg.labels.table import LabelTable, by_count
from edgeseg.types import Activation, OutputKind

_PERSON = "person"
_LISTED = 30


def guess_answer(best: Candidate, facts: Mapping[str, Any]) -> tuple[list[Guess], list[Question]]:
    """Fields of the recipe about the answer ``best``."""
    guesses: list[Guess] = []
    questions: list[Question] = []
    if best.index is not None:
        guesses.append(Guess("output_index", best.index, f"{best.name}: {best.why}"))
    kind, question = _kind(best, facts)
    guesses.append(kind)
    questions += [question] if question else []
    if kind.value is OutputKind.LOGITS:
        guesses.append(_activation(best, facts))
    if kind.value is not OutputKind.LABELS and best.element in {"i8", "u8", "i16", "u16"}:
        quantization = facts.get("output_quantization") or best.quantization
        if quantization is not None:
            guesses.append(
                Guess("output_quantization", quantization, f"the file says what its {best.element} stand for")
            )
    if kind.value is not OutputKind.IMAGE:
        kept, question = _classes(best, facts)
        guesses += kept
        questions += [question] if question else []
    return guesses, questions


def _kind(best: Candidate, facts: Mapping[str, Any]) -> tuple[Guess, Question | None]:
    if "kind" in facts:
        return Guess("kind", OutputKind(facts["kind"]), "the file says so"), None
    guess = Guess(
        "kind", best.kind, f"made by {best.activation}" if best.activation else "nothing squashes its numbers"
    )
    if best.activation == "tanh" and best.kind is OutputKind.LOGITS:
        return guess, _ask_kind("-1..1 (tanh) is neither a probability nor a logit", ("logits", "probability"))
    if best.planes == 3 and best.activation == "" and best.kind in {OutputKind.LOGITS, OutputKind.IMAGE}:
        kinds = ("logits", "image") if best.kind is OutputKind.LOGITS else ("image", "logits")
        return guess, _ask_kind("three planes are three classes, or the colours of a picture", kinds)
    return guess, None


def _ask_kind(why: str, kinds: tuple[str, str]) -> Question:
    options = tuple(f"--kind {kind}" for kind in kinds)
    return Question("kind", why, options, "--kind", {"kind": OutputKind(kinds[0])})


def _activation(best: Candidate, facts: Mapping[str, Any]) -> Guess:
    if "activation" in facts:
        return Guess("activation", Activation(facts["activation"]), "the file says so")
    what = "the sigmoid of one plane" if best.planes == 1 else "softmax: each pixel is of one class"
    return Guess("activation", Activation.AUTO, f"{what}; --activation says otherwise")


def _classes(best: Candidate, facts: Mapping[str, Any]) -> tuple[list[Guess], Question | None]:
    """Which classes are kept, and what they are called. A single plane is of one class, and none has to be chosen."""
    if best.planes == 1 and best.kind is not OutputKind.LABELS:
        return [], None
    named, why = _names(best, facts)
    guesses = [Guess("labels", named.names, why)] if named else []
    guesses += [Guess("colors", named.colors, f"the colours of {named.title}")] if named and named.colors else []
    if "keep" in facts:
        return [*guesses, Guess("keep", facts["keep"], "the file says so")], None
    if named and _PERSON in named.names:
        number = named.number(_PERSON)
        return [*guesses, Guess("keep", (number,), f"{number} is {_PERSON} in {named.title}")], None
    if best.classes == 2:
        return [*guesses, Guess("keep", (1,), "of two classes the second is the foreground, as a rule")], None
    return guesses, _ask_keep(best.classes, named)


def _names(best: Candidate, facts: Mapping[str, Any]) -> tuple[LabelTable | None, str]:
    if facts.get("labels"):
        names = tuple(str(label) for label in facts["labels"])
        return LabelTable("the file's own labels", names, tuple(facts.get("colors", ()))), "the file says so"
    table = by_count(best.classes) if best.classes else None
    return table, f"{best.classes} classes are those of {table.title}" if table else ""


def _ask_keep(count: int | None, named: LabelTable | None) -> Question:
    if named:
        options = tuple(f"--keep {number}: {name}" for number, name in enumerate(named.names[:_LISTED]))
    else:
        options = (f"--keep 1 … --keep {count - 1}" if count else "--keep N", "--keep 1,2: several of them")
    why = f"nothing says which of {count or 'the'} classes the mask should show"
    return Question("keep", why, options, "--keep")
