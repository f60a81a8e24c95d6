"""Reads Keras models, by way of a SavedModel that Keras writes of them."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edgeseg.convert.readers.frontend import translate
from edgeseg.convert.readers.layout import settle
from edgeseg.convert.readers.quiet import quiet
from edgeseg.convert.runtimes.extras import need
from edgeseg.convert.runtimes.framework import first_line
from edgeseg.convert.runtimes.tensorflow import open_keras
from edgeseg.convert.source_model import SourceModel
from edgeseg.errors import ModelError

_OWN = re.compile(r"Could not locate (\w+) '(\w+)'")
_BY_CODE = "where its code is, export a SavedModel: model.export(FOLDER)"


def read(path: Path, size: tuple[int, int] | None = None) -> SourceModel:
    """The model in ``path`` (.keras or .h5); ``size`` (width, height) fixes what it leaves open.

    Layers that hold Python code (Lambda) are refused, for loading them would run it.

    Raises:
        UsageError: Keras or TensorFlow is not installed, or the model does not work at this size.
        ModelError: the file is damaged, has layers of somebody's own, or one that OpenVINO does not have.
    """
    need("tensorflow", "keras", "loading a Keras model")
    keras = need("keras", "keras", "loading a Keras model")
    network = _load(keras, path, size)
    model = _translate(path, network)
    layout = settle(path, model, "NHWC", size)
    return SourceModel(path, "Keras", layout, model, engine=partial(open_keras, path, network, model))


def _load(keras: Any, path: Path, size: tuple[int, int] | None) -> Any:
    try:
        with quiet():
            network = keras.models.load_model(path, compile=False, safe_mode=True)
            return _fixed(keras, network, size) if size else network
    except Exception as exc:  # whatever a layer raises
        if "Lambda" in str(exc):
            why = f"{path} has a Lambda layer: loading it would run Python code that the file brings"
            raise ModelError(why, hint=_BY_CODE) from exc
        own = _OWN.search(str(exc))
        if own is not None:
            raise ModelError(f"{path} has a {own[1]} that Keras does not know, {own[2]}", hint=_BY_CODE) from exc
        raise ModelError(f"{path} cannot be loaded by Keras {keras.__version__}: {first_line(exc)}") from exc


def _fixed(keras: Any, network: Any, size: tuple[int, int]) -> Any:
    """``network`` for pictures of ``size``, where it takes one of any size. Some layers cannot be written otherwise."""
    shapes = [tuple(tensor.shape) for tensor in network.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or None not in shapes[0][1:]:
        return network
    wanted = (1, size[1], size[0], 3)
    shape = tuple(side or number for side, number in zip(shapes[0], wanted, strict=True))
    picture = keras.Input(batch_shape=shape, dtype=network.inputs[0].dtype, name=network.inputs[0].name)
    return keras.Model(picture, network(picture))


def _translate(path: Path, network: Any) -> Any:
    with TemporaryDirectory(prefix="edgeseg-") as folder:
        try:
            with quiet():
                network.export(folder, format="tf_saved_model", verbose=False)
        except Exception as exc:  # whatever a layer raises
            raise ModelError(
                f"{path} cannot be written as a SavedModel: {first_line(exc)}",
                hint="if it takes pictures of any size, choose one with --size WxH",
            ) from exc
        try:
            return translate(Path(folder), "tf", "a SavedModel")
        except ModelError as exc:
            raise ModelError(exc.message.replace(folder, str(path)), hint=exc.hint) from exc
