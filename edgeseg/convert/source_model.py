"""What a reader hands on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeseg.backends.engine import Engine


@dataclass(frozen=True, slots=True)
class SourceModel:
    """A model as OpenVINO understood it.

    ``model`` is an ``openvino.Model``; ``rewritten`` names the operators that were replaced to get there; ``layout`` is
    what pictures look like in this format. ``engine`` opens the source in its own runtime, for the proof; it raises
    UsageError, which names the extra to install, where that runtime is absent. ``again`` opens it in other kernels of
    the same runtime, where it computes in whole numbers, which every kernel rounds in its own way; ``exactly`` rewrites
    ``model``, or one made of it, so that it rounds as ``engine`` does, and says in how many places. ``facts`` is what
    the file says about its recipe, by the names of ``Recipe``'s fields; ``notes`` are sentences for the user.
    """

    path: Path
    format: str
    layout: str
    model: Any
    rewritten: tuple[str, ...] = ()
    engine: Callable[[], Engine] | None = None
    again: Callable[[], Engine] | None = None
    exactly: Callable[[Any], int] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
