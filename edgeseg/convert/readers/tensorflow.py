"""Reads frozen TensorFlow graphs and SavedModels with OpenVINO's front end, which finds the nodes by itself."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from edgeseg.convert.readers import protobuf
from edgeseg.convert.readers.frontend import translate
from edgeseg.convert.readers.layout import settle
from edgeseg.convert.runtimes.tensorflow import open_graph, open_saved_model
from edgeseg.convert.source_model import SourceModel
from edgeseg.errors import ModelError

SAVED_MODEL = "saved_model.pb"
_FRAMEWORK = "tf"
_NODE, _OPERATOR = 1, 2  # of GraphDef, of NodeDef
_UNFROZEN = {"Variable", "VariableV2", "VarHandleOp"}


def read(path: Path, size: tuple[int, int] | None = None) -> SourceModel:
    """The model in ``path``: a frozen graph, or the folder of a SavedModel. ``size`` (width, height) fixes what it
    leaves open.

    Raises:
        ModelError: it is damaged or not frozen, or holds an operator that OpenVINO does not have.
        UsageError: the model does not work at this size.
    """
    return _saved_model(path, size) if path.is_dir() else _graph(path, size)


def _graph(path: Path, size: tuple[int, int] | None) -> SourceModel:
    if _UNFROZEN.intersection(_operators(path)):
        raise ModelError(
            f"{path} is not frozen: the values of its variables lie in a checkpoint",
            hint="freeze the graph (freeze_graph, or export_inference_graph of the project it is from), or give the "
            "SavedModel",
        )
    model = translate(path, _FRAMEWORK, "a TensorFlow graph")
    layout = settle(path, model, "NHWC", size)
    return SourceModel(path, "TensorFlow frozen graph", layout, model, engine=partial(open_graph, path, model))


def _saved_model(folder: Path, size: tuple[int, int] | None) -> SourceModel:
    model = translate(folder, _FRAMEWORK, "a SavedModel")
    layout = settle(folder, model, "NHWC", size)
    return SourceModel(folder, "TensorFlow SavedModel", layout, model, engine=partial(open_saved_model, folder, model))


def _operators(path: Path) -> Iterator[str]:
    """The operators of a graph, one after the other.

    Raises:
        ModelError: the file is damaged.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for node in protobuf.fields(data):
                if node.number == _NODE:
                    yield from (protobuf.text(data, name) for name in protobuf.inside(data, node, [_OPERATOR]))
    except ValueError as exc:
        raise ModelError(f"{path} is damaged: {exc}") from exc
