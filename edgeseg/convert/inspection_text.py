"""An inspection as one screen of text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from edgeseg.convert.findings import Candidate, Findings, Guess, InputFinding, Question, text
from edgeseg.convert.inspection import Inspection, formula
from edgeseg.recipes import dump_recipe
from edgeseg.table import columns
from edgeseg.types import Quantization

_SILENT = {"Constant", "Parameter", "Result"}
_INDENTED: dict[str, Any] = {"initial_indent": "  ", "subsequent_indent": "  "}
_UNBROKEN = "\N{NO-BREAK SPACE}"
_MOST_OPERATORS = 12
_WIDEST_NAME = 36
_MOST_NAMES = 6


def lines(found: Inspection) -> Iterator[str]:
    """The lines of the text, aligned in columns within each part."""
    yield str(found.path)
    yield f"  {found.format}" + (f", {found.size} bytes, SHA-256 {found.sha256}" if found.size else "")
    if found.rewritten:
        yield f"  rewritten to be read: {', '.join(found.rewritten)}"
    if found.findings is None:
        yield from _part(found)
    else:
        yield from _whole(found.findings, has_recipe=found.recipe is not None)
    if found.recipe is not None:
        yield from ("", "its model.yaml")
        yield from (f"  {line}" for line in _short(dump_recipe(found.recipe)).splitlines())


def _part(found: Inspection) -> Iterator[str]:
    if found.inputs or found.outputs:
        yield from ("", "inputs", *_columns([_port(index, entry) for index, entry in enumerate(found.inputs)]))
        yield from ("", "outputs", *_columns([_port(index, entry) for index, entry in enumerate(found.outputs)]))
    if found.operators:
        yield from ("", *_operators(found.operators))


def _whole(findings: Findings, *, has_recipe: bool) -> Iterator[str]:
    yield f"  {findings.task}: {findings.task_why}"
    yield from ("", "inputs", *_columns([_port(index, entry) for index, entry in enumerate(findings.inputs)]))
    yield from ("", "outputs, the likeliest first" if len(findings.outputs) > 1 else "output")
    yield from _columns([_candidate(entry, findings) for entry in findings.outputs])
    if findings.ambiguous:
        names = " or ".join(f"--output {entry.name}" for entry in findings.rivals)
        yield f"  nothing decides between them: {names}"
    yield from ("", *_operators(findings.operators))
    if not has_recipe:
        if findings.guesses:
            yield from ("", "recipe, as far as the file tells", *_columns(list(_recipe(findings.guesses))))
        if findings.questions:
            yield from ("", "what it does not tell", *_questions(findings.questions))
    if findings.obstacles:
        yield from ("", "cannot be run as it is", *(f"  {sentence}" for sentence in findings.obstacles))
    if findings.notes:
        yield from ("", "notes", *(f"  {sentence}" for sentence in findings.notes))


def _port(index: int, entry: InputFinding) -> tuple[str, ...]:
    return str(index), _name(entry.name), entry.element, text(entry.dims), entry.why


def _candidate(entry: Candidate, findings: Findings) -> tuple[str, ...]:
    mark = "inside" if entry.index is None else str(entry.index)
    mark += " *" if entry is findings.best and len(findings.outputs) > 1 else ""
    return mark, _name(entry.name), entry.element, text(entry.dims), str(entry.kind or "-"), entry.why


def _operators(counts: Sequence[tuple[str, int]]) -> list[str]:
    doing = [(kind, count) for kind, count in counts if kind not in _SILENT]
    shown = ", ".join(f"{kind}{_UNBROKEN}{count}" for kind, count in doing[:_MOST_OPERATORS])
    rest = len(doing) - _MOST_OPERATORS
    more = f" and {rest} more kinds" if rest > 0 else ""
    total = sum(count for _, count in doing)
    return [
        f"{total} operator{'s' if total != 1 else ''}",
        *(line.replace(_UNBROKEN, " ") for line in textwrap.wrap(shown + more, 100, **_INDENTED)),
    ]


def _recipe(guesses: Sequence[Guess]) -> Iterator[tuple[str, ...]]:
    by_field = {guess.field: guess for guess in guesses}
    for guess in guesses:
        if guess.field == "width" and "height" in by_field:
            yield "size", f"{guess.value}x{by_field['height'].value}", guess.why
        elif guess.field not in {"height", "colors"}:
            yield guess.field, _value(guess.value), guess.why


def _questions(questions: Sequence[Question]) -> Iterator[str]:
    for question in questions:
        yield f"  {question.field}: {question.why}"
        for index, option in enumerate(question.candidates):
            taken = "   (taken when nothing is said)" if index == 0 and question.assumed else ""
            yield f"      {option}{taken}"


def _value(value: Any) -> str:
    if isinstance(value, Quantization):
        return formula(value)
    if isinstance(value, tuple) and value and isinstance(value[0], str):
        more = f", … {len(value)} in all" if len(value) > _MOST_NAMES else ""
        return ", ".join(value[: 3 if more else _MOST_NAMES]) + more
    if isinstance(value, tuple):
        return ", ".join(f"{entry:g}" for entry in value)
    return str(value)


def _short(recipe: str) -> str:
    """The recipe without its long lists."""
    kept, skipping = [], False
    for line in recipe.splitlines():
        if not line.startswith((" ", "-")):
            skipping = line.startswith(("labels:", "colors:"))
            if skipping:
                kept.append(f"{line.partition(':')[0]}: …")
        if not skipping:
            kept.append(line)
    return "\n".join(kept)


def _name(name: str) -> str:
    return name if len(name) <= _WIDEST_NAME else f"…{name[1 - _WIDEST_NAME :]}"


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    return [f"  {line}" for line in columns(rows)] or ["  none"]
