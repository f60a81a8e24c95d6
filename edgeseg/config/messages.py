"""Pydantic's errors as plain sentences at the place that the user wrote."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from edgeseg.config.effects import BUILT_IN
from edgeseg.config.problems import Path, Problem
from edgeseg.config.schema import Config, StreamConfig
from edgeseg.config.values import guess, quoted

_SHAPES = {
    "model_type": "must be a mapping of keys",
    "model_attributes_type": "must be a mapping of keys",
    "dict_type": "must be a mapping of keys",
    "tuple_type": "must be a list",
    "string_type": "must be text",
    "missing": "is missing",
}


def problems_of(error: ValidationError) -> Iterator[Problem]:
    """One problem for each of pydantic's errors."""
    for detail in error.errors(include_url=False, include_context=True):
        raw: Path = tuple(detail["loc"])
        path, names = _place(raw)
        yield Problem(path, _sentence(detail["type"], str(path[-1]) if path else "", names, detail))


def _sentence(kind: str, key: str, names: list[str], detail: Any) -> str:
    if kind == "extra_forbidden":
        return f"unknown key {guess(key, names)}"
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    if kind in _SHAPES:
        found = "" if kind == "missing" else f", not {quoted(detail['input'])}"
        off = " (to switch it off: {enabled: false})" if detail["input"] is False and key in _can_be_off() else ""
        return _SHAPES[kind] + found + off
    return str(detail["msg"]).lower()


def _can_be_off() -> set[str]:
    """The sections of a stream that have a key ``enabled``."""
    sections = StreamConfig.model_fields.items()
    return {name for name, field in sections if any("enabled" in m.model_fields for m in _models_in(field.annotation))}


def _place(loc: Path) -> tuple[Path, list[str]]:
    """``loc`` without what pydantic put in, and the keys that are known beside its last part."""
    path: list[str | int] = []
    current: Any = Config
    names: list[str] = []
    for part in loc:
        if part == "[key]":
            continue
        if isinstance(current, type) and issubclass(current, BaseModel):
            names = list(current.model_fields)
            path.append(part)
            found = current.model_fields.get(str(part))
            current = found.annotation if found else None
            continue
        models = _models_in(current)
        chosen = _effect_model(models, part)
        if chosen is not None:
            current = chosen
        elif len(models) == 1 and typing.get_origin(current) not in (dict, tuple):
            names = list(models[0].model_fields)
            path.append(part)
            found = models[0].model_fields.get(str(part))
            current = found.annotation if found else None
        else:
            path.append(part)
            current = models[0] if len(models) == 1 else None
    return tuple(path), names


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in typing.get_args(annotation) for model in _models_in(inner)]


def _effect_model(models: list[type[BaseModel]], tag: str | int) -> type[BaseModel] | None:
    """Pydantic puts the tag of a union into its path; it is not a key."""
    if len(models) < 2 or tag not in (*BUILT_IN, "plugin"):
        return None
    return next((m for m in models if m.model_fields["type"].default == tag), models[-1])
