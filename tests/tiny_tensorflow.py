"""Writes very small TensorFlow models, so that tests need no TensorFlow."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from tests.tiny_protobuf import blob, number, text

_FLOAT, _INT, _BYTE = 1, 3, 4  # of DataType
INPUT, OUTPUT = "ImageTensor", "SemanticPredictions"


def mean_graph(height: int, width: int) -> bytes:
    """A frozen graph: u8 ``ImageTensor`` [1, height, width, 3] → f32 ``SemanticPredictions`` [1, h, w, 1], the mean of
    the channels. A side of -1 is left open.
    """
    axes = struct.pack("<i", 3)
    nodes = [
        _node(INPUT, "Placeholder", [], dtype=number(6, _BYTE), shape=blob(7, *_shape([1, height, width, 3]))),
        _node("real", "Cast", [INPUT], SrcT=number(6, _BYTE), DstT=number(6, _FLOAT)),
        _node(
            "axes",
            "Const",
            [],
            dtype=number(6, _INT),
            value=blob(8, number(1, _INT), blob(2, *_shape([1])), blob(4, axes)),
        ),
        _node(
            OUTPUT,
            "Mean",
            ["real", "axes"],
            T=number(6, _FLOAT),
            Tidx=number(6, _INT),
            keep_dims=number(5, 1),
        ),
    ]
    return b"".join(nodes) + blob(4, number(1, 1200))


def unfrozen_graph() -> bytes:
    """A graph with a variable, whose value is somewhere else."""
    return _node("weights", "VariableV2", [], dtype=number(6, _FLOAT), shape=blob(7, *_shape([3])))


def unknown_graph() -> bytes:
    """A graph with an operator that nobody knows."""
    return _node(INPUT, "Placeholder", [], dtype=number(6, _FLOAT), shape=blob(7, *_shape([1, 4, 8, 3]))) + _node(
        OUTPUT, "Magic", [INPUT]
    )


def saved_model(folder: Path, height: int, width: int) -> Path:
    """``mean_graph`` as a SavedModel, which takes ``picture`` and gives ``mask``."""
    taken = _end("picture", f"{INPUT}:0", _BYTE, [1, height, width, 3])
    given = _end("mask", f"{OUTPUT}:0", _FLOAT, [1, height, width, 1])
    signature = blob(1, taken) + blob(2, given) + text(3, "tensorflow/serving/predict")
    graph = [
        blob(1, text(4, "serve"), text(5, "2.15.0")),
        blob(2, mean_graph(height, width)),
        blob(5, text(1, "serving_default"), blob(2, signature)),
    ]
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(number(1, 1) + blob(2, *graph))
    return folder


def _node(name: str, operator: str, inputs: Sequence[str], **attributes: bytes) -> bytes:
    named = [blob(5, text(1, key), blob(2, value)) for key, value in attributes.items()]
    return blob(1, text(1, name), text(2, operator), *(text(3, entry) for entry in inputs), *named)


def _shape(sides: Sequence[int]) -> list[bytes]:
    return [blob(2, number(1, side)) for side in sides]


def _end(key: str, tensor: str, kind: int, sides: Sequence[int]) -> bytes:
    return text(1, key) + blob(2, text(1, tensor), number(2, kind), blob(3, *_shape(sides)))
