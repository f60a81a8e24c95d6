"""Reads a configuration file and finds everything that is wrong with it at once."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edgeseg.config import checks, problems, secrets, tree
from edgeseg.config.messages import problems_of
from edgeseg.config.problems import Problem
from edgeseg.config.schema import Config
from edgeseg.errors import ConfigError

_MAX_BYTES = 1_000_000


def load_config(path: Path, environ: Mapping[str, str] | None = None) -> Config:
    """The configuration in ``path``, complete and checked; secrets in it are known to ``redact`` from then on.

    Raises:
        ConfigError: it cannot be read or used; ``problems`` has ``file:line: key: what is wrong`` for each thing.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {(exc.strerror or str(exc)).lower()}") from exc
    if len(raw) > _MAX_BYTES:
        raise ConfigError(f"{path}: is too large for a configuration")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = raw[: exc.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: is not UTF-8 text") from exc
    return load_config_text(text, path.resolve().parent, name=str(path), environ=environ)


def load_config_text(
    text: str, base: Path, *, name: str = "config.yaml", environ: Mapping[str, str] | None = None
) -> Config:
    """As ``load_config``, from ``text``; relative paths in it start at ``base``, ``name`` stands in the messages."""
    read = tree.parse(text)
    found = list(read.problems)
    if read.data is None:
        raise ConfigError(problems.sentences(name, found or [Problem((), "is empty")], read.lines))
    put_in = secrets.substitute(read.data, base, environ)
    found += put_in.problems
    config, wrong = _validate(put_in.data, base, bad={problem.path for problem in found if not problem.usable})
    found += wrong
    if found or config is None:
        written = [problems.as_written(problem, read.data) for problem in found]
        raise ConfigError(problems.sentences(name, written, read.lines))
    return config


def _validate(data: Any, base: Path, bad: set[problems.Path]) -> tuple[Config | None, list[Problem]]:
    """The configuration, if it holds, and what is wrong with it.

    What is at a ``bad`` path was complained of before. Values that are wrong are taken out and the rest is tried
    again, so that what does not fit together is found in the same go.
    """
    found: list[Problem] = []
    left = copy.deepcopy(data)
    for path in bad:
        _take_out(left, path, even_above=False)
    config: Config | None = None
    while config is None:
        try:
            config = Config.model_validate(left, context={"base": base})
        except ValidationError as exc:
            wrong = list(problems_of(exc))
            fresh = [problem for problem in wrong if not _within(problem.path, bad)]
            found += fresh
            bad |= {problem.path for problem in fresh}
            taken = {_take_out(left, problem.path) for problem in wrong} - {()}
            if not taken:
                return None, found
            bad |= taken
    for finding in checks.check(config):
        if not any(_within(path, bad) or _above(path, bad) for path in finding.paths):
            found.append(Problem(finding.paths[0], finding.message))
    return config, found


def _within(path: problems.Path, bad: set[problems.Path]) -> bool:
    """Whether ``path`` is, or is below, something that is complained of already."""
    return any(path[: len(other)] == other for other in bad if other)


def _above(path: problems.Path, bad: set[problems.Path]) -> bool:
    return any(other[: len(path)] == path for other in bad)


def _take_out(data: Any, path: problems.Path, *, even_above: bool = True) -> problems.Path:
    """Remove what is at ``path``, or, ``even_above``, what it is missing in; the path of what went.

    An item of a list takes the list with it: without it the others would have other places.
    """
    way: list[tuple[Any, str | int]] = []
    holder = data
    for part in path:
        if isinstance(holder, dict):
            there = part in holder
        else:
            there = isinstance(holder, list) and isinstance(part, int) and part < len(holder)
        if not there:
            break
        way.append((holder, part))
        holder = holder[part]
    if len(way) < len(path) - even_above:
        return ()  # there is nothing, or something above it was taken out before
    while way and isinstance(way[-1][0], list):
        way.pop()
    if way:
        holder, part = way[-1]
        del holder[part]
    return path[: len(way)]
