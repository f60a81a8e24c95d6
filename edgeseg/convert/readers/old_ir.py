"""Reads OpenVINO's own format, in the versions that OpenVINO still reads, and raises it to the newest."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edgeseg.backends.engine import Engine
from edgeseg.backends.openvino_engine import OpenVinoEngine
from edgeseg.convert.readers.layout import settle
from edgeseg.convert.readers.quiet import quiet
from edgeseg.convert.source_model import SourceModel
from edgeseg.errors import ModelError
from edgeseg.ovruntime import ov, reason

_HEAD = 65536
_NET = re.compile(r"<net\b[^>]*?\bversion\s*=\s*[\"'](\d+)[\"']")
_OLDEST, _NEWEST = 10, 11


def read(path: Path, size: tuple[int, int] | None = None) -> SourceModel:
    """The IR in ``path`` (.xml); its weights (.bin) lie beside it. ``size`` (width, height) fixes what it leaves open.

    Raises:
        ModelError: it is damaged, its weights are missing, or it is of a version that OpenVINO does not read.
        UsageError: the model does not work at this size.
    """
    version = _version(path)
    weights = path.with_suffix(".bin")
    if not weights.is_file():
        raise ModelError(f"{path} has no weights: {weights.name} does not lie beside it")
    model = _model(path)
    notes: tuple[str, ...] = ()
    if version < _NEWEST:
        model.set_rt_info(_NEWEST, "version")  # else it would be saved under its old number
        notes = (f"the IR is of version {version}, and is written as version {_NEWEST}",)
    layout = settle(path, model, "NCHW", size)
    return SourceModel(
        path, f"OpenVINO IR version {version}", layout, model, engine=partial(_open, path, model), notes=notes
    )


def _model(path: Path) -> Any:
    try:
        with quiet():
            # Not by the front end alone: the core gives the ports of version 10 the names that they go by.
            return ov.Core().read_model(str(path))
    except Exception as exc:  # of several classes, which share nothing but Exception
        raise ModelError(f"{path} cannot be read as an OpenVINO IR: {reason(exc)}") from exc


def _version(path: Path) -> int:
    with path.open(encoding="utf-8", errors="replace") as file:
        found = _NET.search(file.read(_HEAD))
    if found is None:
        raise ModelError(f"{path} is no OpenVINO IR: it has no <net> with a version")
    version = int(found[1])
    if version < _OLDEST:
        raise ModelError(
            f"{path} is an IR of version {version}, which OpenVINO does not read any more",
            hint="give the model that it was made from",
        )
    if version > _NEWEST:
        raise ModelError(f"{path} is an IR of version {version}, which this OpenVINO does not know yet")
    return version


def _open(path: Path, settled: Any) -> Engine:
    """The file as it is, for inputs of the shapes that ``settled`` takes by now."""
    model = _model(path)
    if not any(port.get_partial_shape().is_dynamic for port in model.inputs):
        return OpenVinoEngine(path)
    model.reshape({index: port.get_partial_shape() for index, port in enumerate(settled.inputs)})
    with TemporaryDirectory(prefix="edgeseg-") as folder:
        fixed = Path(folder) / path.name
        ov.save_model(model, str(fixed), compress_to_fp16=False)
        return OpenVinoEngine(fixed)
