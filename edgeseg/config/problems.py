"""One thing that is wrong with a configuration, and where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at ``path``; ``line`` counts from 1, 0 means that the file as a whole is meant."""

    path: Path
    message: str
    line: int = 0


def path_text(path: Path) -> str:
    """``streams.door.publish[1].url``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


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
