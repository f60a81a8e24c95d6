"""Finds sources, backends, effects and outputs by name, the built-in ones and those of other packages alike."""

from __future__ import annotations

import difflib
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from edgeseg.errors import ConfigError

KINDS = ("sources", "backends", "effects", "outputs")


def names(kind: str) -> list[str]:
    """The names that are installed for ``kind``, sorted."""
    return sorted(_points(kind))


def load(kind: str, name: str) -> Any:
    """The class or factory behind ``name``, imported now.

    Raises:
        ConfigError: nobody provides the name, or what provides it cannot be imported.
    """
    points = _points(kind)
    if name not in points:
        guess = difflib.get_close_matches(name, points, n=1)
        hint = f"did you mean {guess[0]!r}?" if guess else f"installed: {', '.join(sorted(points))}"
        raise ConfigError(f"no {kind.removesuffix('s')} is called {name!r}", hint=hint)
    try:
        return points[name].load()
    except ImportError as exc:
        missing = exc.name or str(exc)
        raise ConfigError(
            f"{kind.removesuffix('s')} {name!r} cannot be loaded: {missing} is not installed",
            hint=f"pip install 'edgeseg[{name}]'",
        ) from exc


@cache  # looking through all packages takes some milliseconds, and a start asks ten times
def _points(kind: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"edgeseg.{kind}")}
