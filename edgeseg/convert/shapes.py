"""Fixes the shapes that a model leaves open. Streams run models of one size: others grow for hours."""

from __future__ import annotations

from typing import Any

from edgeseg.backends.fit import picture_shape
from edgeseg.convert.findings import Findings
from edgeseg.errors import UsageError
from edgeseg.ovruntime import reason
from edgeseg.types import Recipe


def fix(model: Any, findings: Findings, recipe: Recipe) -> None:
    """Make the picture input of ``model`` as large as ``recipe`` says, and the batch 1.

    Raises:
        UsageError: the model cannot take this size.
    """
    index = next((number for number, entry in enumerate(findings.inputs) if entry.picture), 0)
    try:
        model.reshape({index: list(picture_shape(recipe))})
    except RuntimeError as exc:
        why = f"it cannot take {recipe.width}x{recipe.height} pictures: {reason(exc)}"
        raise UsageError(f"model {recipe.name!r}: {why}", hint="--size WxH chooses another size") from exc


def describe(port: Any) -> str:
    """An input or output in one phrase: its names, type and shape."""
    names = "/".join(sorted(port.get_names())) or "(no name)"
    return f"{names} {port.get_element_type().get_type_name()} {port.get_partial_shape()}"
