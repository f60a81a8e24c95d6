"""Reads a .tflite file with OpenVINO's front end, and with the rewrites for what it does not know."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from edgeseg.backends.engine import Engine
from edgeseg.convert.readers import tflite_facts
from edgeseg.convert.readers.quiet import quiet
from edgeseg.convert.readers.tflite_file import EDGETPU, TfliteFile, parse
from edgeseg.convert.rewrites import argmax_pooling, dead_layers, tile, transpose_bias, whole_numbers
from edgeseg.convert.source_model import SourceModel
from edgeseg.errors import ModelError, UsageError
from edgeseg.ovruntime import ov, reason

_REWRITES: dict[str, Callable[[TfliteFile], Any]] = {
    transpose_bias.NAME: transpose_bias.extension,
    argmax_pooling.POOL: argmax_pooling.pool_extension,
    argmax_pooling.UNPOOL: argmax_pooling.unpool_extension,
}


def read(path: Path, size: tuple[int, int] | None = None) -> SourceModel:  # noqa: ARG001  # every reader is called so
    """The model in ``path``. ``size`` is not asked: the file says it, or the caller fixes it.

    Raises:
        ModelError: the file is damaged, compiled for an Edge TPU, or holds an operator that nobody here can translate.
    """
    file = parse(path)
    _check_operators(path, file)
    core: Any = ov.Core()  # its own: extensions stay with it
    rewritten = list(file.custom_operators)
    try:
        for name in file.custom_operators:
            core.add_extension(_REWRITES[name](file))
        if file.has_builtin(tile.BUILTIN):
            core.add_extension(tile.extension())
            rewritten.append(tile.NAME)
        model = core.read_model(str(path))
        dead = dead_layers.silence(model)
        if dead:
            rewritten.append("FakeQuantize of a range without width")
    except ModelError as exc:
        raise ModelError(f"{path} cannot be converted: {exc}") from exc
    except MemoryError as exc:
        raise ModelError(f"{path} cannot be converted: it asks for more memory than there is") from exc
    except Exception as exc:  # RuntimeError from OpenVINO; what a rewrite raised arrives in its text
        raise ModelError(f"{path} cannot be converted: {reason(exc)}") from exc
    facts, notes = tflite_facts.collect(file, path)
    whole = tflite_facts.computes_in_whole_numbers(file)
    return SourceModel(
        path=path,
        format="TensorFlow Lite",
        layout="NHWC",
        model=model,
        rewritten=tuple(rewritten),
        engine=partial(_open, path, model),
        again=partial(_open, path, model, other_kernels=True) if whole else None,
        # XNNPACK refuses a file with a scale of nothing, and LiteRT then runs it in its plain kernels.
        exactly=partial(_round_as_source, file, plain=dead > 0) if whole else None,
        facts=facts,
        notes=notes,
    )


def _round_as_source(file: TfliteFile, model: Any, *, plain: bool) -> int:
    scales = [tensor.quantization.scale for tensor in file.tensors if tensor.quantization]
    return whole_numbers.round_as_source(model, scales, plain=plain)


def _check_operators(path: Path, file: TfliteFile) -> None:
    if EDGETPU in file.custom_operators:
        raise ModelError(
            f"{path} is compiled for the Edge TPU: its graph is in the chip's own code",
            hint="convert the .tflite it was made from, or run it with backend edgetpu",
        )
    unknown = [name for name in file.custom_operators if name not in _REWRITES]
    if unknown:
        raise ModelError(
            f"{path} cannot be converted: OpenVINO has no operator {', '.join(unknown)}",
            hint=f"custom operators that can be rewritten: {', '.join(sorted(_REWRITES))}",
        )


def _open(path: Path, model: Any, *, other_kernels: bool = False) -> Engine:
    """The file in its own runtime, for pictures of the shape that ``model`` takes by now.

    Raises:
        UsageError: no runtime for such files is installed.
        ModelError: it cannot run this one.
    """
    from edgeseg.backends.litert import LiteRtEngine, find_runtime

    try:
        find_runtime()
    except ModelError as exc:
        raise UsageError(exc.message, hint=exc.hint) from exc
    shape = model.input(0).get_partial_shape()
    picture = tuple(shape.to_shape()) if shape.is_static else None
    with quiet():  # XNNPACK announces itself
        return LiteRtEngine(path, picture=picture, other_kernels=other_kernels)
