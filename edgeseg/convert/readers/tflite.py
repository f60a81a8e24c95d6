"""Reads a .tflite file with OpenVINO's front end, and with the rewrites for what it does not know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgeseg.convert.readers.tflite_file import parse
from edgeseg.convert.rewrites import transpose_bias
from edgeseg.convert.source_model import SourceModel
from edgeseg.errors import ModelError
from edgeseg.ovruntime import ov, reason

_REWRITES = {transpose_bias.NAME: transpose_bias.extension}


def read(path: Path) -> SourceModel:
    """The model in ``path``.

    Raises:
        ModelError: the file is damaged, or holds an operator that nobody here can translate.
    """
    file = parse(path)
    unknown = [name for name in file.custom_operators if name not in _REWRITES]
    if unknown:
        raise ModelError(
            f"{path} cannot be converted: OpenVINO has no operator {', '.join(unknown)}",
            hint=f"custom operators that can be rewritten: {', '.join(sorted(_REWRITES))}",
        )
    core: Any = ov.Core()  # its own: extensions stay with it
    for name in file.custom_operators:
        core.add_extension(_REWRITES[name](file))
    try:
        model = core.read_model(str(path))
    except Exception as exc:  # RuntimeError from OpenVINO; what a rewrite raised arrives in its text
        raise ModelError(f"{path} cannot be converted: {reason(exc)}") from exc
    return SourceModel(
        path=path, format="TensorFlow Lite", layout="NHWC", model=model, rewritten=tuple(file.custom_operators)
    )
