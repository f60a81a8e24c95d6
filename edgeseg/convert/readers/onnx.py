"""Reads .onnx files with OpenVINO's front end."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from edgeseg.backends.engine import Engine
from edgeseg.convert.readers.frontend import translate
from edgeseg.convert.readers.layout import settle
from edgeseg.convert.runtimes.extras import need
from edgeseg.convert.source_model import SourceModel


def read(path: Path, size: tuple[int, int] | None = None) -> SourceModel:
    """The model in ``path``; ``size`` (width, height) fixes what it leaves open.

    Raises:
        ModelError: the file is damaged, or holds an operator that OpenVINO does not have.
        UsageError: the model does not work at this size.
    """
    model = translate(path, "onnx", "ONNX")
    layout = settle(path, model, "NCHW", size)
    return SourceModel(path, "ONNX", layout, model, engine=partial(_open, path, model))


def _open(path: Path, model: Any) -> Engine:
    """The file in ONNX Runtime, for pictures of the shape that ``model`` takes by now."""
    need("onnxruntime", "onnx", "running an ONNX model")
    from edgeseg.backends.onnx import OnnxEngine

    return OnnxEngine(path, picture=tuple(model.input(0).get_shape()))
