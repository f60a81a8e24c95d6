"""What a reader hands on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class SourceModel:
    """A model as OpenVINO understood it. ``model`` is an ``openvino.Model``; ``rewritten`` names the operators that
    were replaced to get there; ``layout`` is what pictures look like in this format.
    """

    path: Path
    format: str
    layout: str
    model: Any
    rewritten: tuple[str, ...] = ()
