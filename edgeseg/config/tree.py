"""YAML text to plain data, with the line of every key.

Works on the node tree instead of PyYAML's constructed objects, which have neither lines nor a memory of keys that were
written twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

from edgeseg.config.problems import Path, Problem

# Aliases can multiply a few lines into millions of values ("billion laughs"): no honest file comes near.
_MAX_VALUES = 20_000
_MAX_DEPTH = 32
_PLAIN_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
_MERGE = "tag:yaml.org,2002:merge"


@dataclass(slots=True)
class Tree:
    """What was read: ``data`` of dicts, lists and scalars, ``lines`` (from 1) by path, ``problems`` on the way."""

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def parse(text: str) -> Tree:
    """Read ``text``; whatever is wrong with it is in the answer's ``problems``, nothing is raised."""
    tree = Tree()
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as exc:
        tree.problems.append(_syntax_problem(exc))
        return tree
    except RecursionError:
        tree.problems.append(Problem((), "is nested too deeply"))
        return tree
    if node is None:
        tree.problems.append(Problem((), "is empty (it needs at least 'streams:')"))
    else:
        tree.data = _Reader(tree).value(node, ())
    return tree


class _Reader:
    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._scalars = SafeConstructor()
        self._count = 0

    def value(self, node: yaml.Node, path: Path) -> Any:
        self._count += 1
        self._tree.lines.setdefault(path, _line(node))
        if self._count > _MAX_VALUES or len(path) > _MAX_DEPTH:
            if not any("nested too deeply" in problem.message for problem in self._tree.problems):
                self._complain((), "is nested too deeply, or aliases make it too large", _line(node))
            return None
        if not isinstance(node, yaml.ScalarNode) and node.tag not in _PLAIN_TAGS:
            self._complain(path, f"has a tag that is not understood: {node.tag}", _line(node))
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                merged = {**self._merged(value_node, path), **merged}
                continue
            key = self._key(key_node, path)
            if key is None:
                continue
            here = (*path, key)
            if key in own:
                message = f"is written twice (first in line {self._tree.lines[here]})"
                self._tree.problems.append(Problem(here, message, _line(key_node), usable=True))
                continue
            self._tree.lines[here] = _line(key_node)
            own[key] = self.value(value_node, here)
        return {**merged, **own}

    def _merged(self, node: yaml.Node, path: Path) -> dict[str, Any]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, Any] = {}
        for one in nodes:
            if not isinstance(one, yaml.MappingNode):
                self._complain(path, "<< takes a mapping, or a list of mappings", _line(node))
                continue
            # The path has a part that nobody asks for, so that lines of the place it came from stay as they are.
            merged = {**self.value(one, (*path, "<<")), **merged}
        return merged

    def _key(self, node: yaml.Node, path: Path) -> str | None:
        if isinstance(node, yaml.ScalarNode):
            key = self._scalar(node, path)
            if isinstance(key, str):
                return key
            # YAML reads on, off, yes, no and numbers as something other than text.
            self._complain((*path, str(node.value)), "is not text (put the key in quotes)", _line(node))
        else:
            self._complain(path, "has a key that is not text", _line(node))
        return None

    def _scalar(self, node: yaml.Node, path: Path) -> Any:
        try:
            return self._scalars.construct_object(node)
        except yaml.YAMLError as exc:
            mark = getattr(exc, "problem_mark", None)
            problem = getattr(exc, "problem", None) or "cannot be read"
            self._complain(path, str(problem), mark.line + 1 if mark else _line(node))
        except (ValueError, OverflowError, AttributeError, TypeError, KeyError, IndexError):
            # PyYAML lets Python's own errors out for such things as 2024-13-45 or !!int x.
            kind = str(node.tag).rsplit(":", 1)[-1]
            self._complain(path, f"{str(node.value)[:40]!r} is not a valid {kind}", _line(node))
        return None

    def _complain(self, path: Path, message: str, line: int) -> None:
        self._tree.problems.append(Problem(path, message, line))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _syntax_problem(exc: yaml.YAMLError) -> Problem:
    if isinstance(exc, yaml.MarkedYAMLError):
        mark = exc.problem_mark or exc.context_mark
        where = f"{exc.context}: " if exc.context else ""
        hint = " (indent with spaces)" if "'\\t'" in str(exc.problem) else ""
        return Problem((), f"is not valid YAML: {where}{exc.problem}{hint}", mark.line + 1 if mark else 0)
    return Problem((), f"is not valid YAML: {str(exc).splitlines()[0]}")
