"""One thing that is wrong with a configuration, and where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at ``path``; ``line`` counts from 1, 0 means: where ``path`` is written.

    ``usable`` says that there is a value all the same, which may have problems of its own.
    """

    path: Path
    message: str
    line: int = 0
    usable: bool = False


def path_text(path: Path) -> str:
    """``streams.door.publish[1].url``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def as_written(problem: Problem, data: Any) -> Problem:
    """``problem`` at the path that stands in ``data``, where a short form leaves parts of the long one out."""
    path: list[str | int] = []
    here = data
    for part in problem.path:
        if isinstance(part, int):
            if isinstance(here, list):
                path.append(part)
                here = here[part] if part < len(here) else {}
        elif isinstance(here, dict):
            path.append(part)
            here = here.get(part, {})
        else:
            break
    return replace(problem, path=tuple(path))


def line_of(path: Path, lines: Mapping[Path, int]) -> int:
    """The line of ``path``, or of the nearest thing above it that is written in the file."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 0)


def sentences(name: str, problems: Iterable[Problem], lines: Mapping[Path, int]) -> list[str]:
    """``file:line: path: message`` for each problem, in the order of the file."""
    placed = sorted({(problem.line or line_of(problem.path, lines), problem) for problem in problems}, key=_order)
    return [
        f"{name}{f':{line}' if line else ''}: {path_text(problem.path)}{': ' if problem.path else ''}{problem.message}"
        for line, problem in placed
    ]


def _order(item: tuple[int, Problem]) -> tuple[int, str, str]:
    line, problem = item
    return line, path_text(problem.path), problem.message
