"""Reads Paddle programs with OpenVINO's front end."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from edgeseg.convert.readers.frontend import translate
from edgeseg.convert.readers.layout import settle
from edgeseg.convert.runtimes.paddle import open_program
from edgeseg.convert.source_model import SourceModel
from edgeseg.errors import ModelError


def read(path: Path, size: tuple[int, int] | None = None) -> SourceModel:
    """The program in ``path`` (.pdmodel); its weights (.pdiparams) lie beside it. ``size`` (width, height) fixes what
    it leaves open.

    Raises:
        ModelError: the file is damaged, its weights are missing, or it holds an operator that OpenVINO does not have.
        UsageError: the model does not work at this size.
    """
    weights = path.with_suffix(".pdiparams")
    if not weights.is_file():
        raise ModelError(f"{path} has no weights: {weights.name} does not lie beside it")
    model = translate(path, "paddle", "a Paddle program")
    layout = settle(path, model, "NCHW", size)
    return SourceModel(path, "Paddle", layout, model, engine=partial(open_program, path, weights, model))
