"""Imports frameworks that need not be there."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from edgeseg.convert.readers.quiet import quiet
from edgeseg.errors import UsageError

_CALM = {
    "TF_CPP_MIN_LOG_LEVEL": "3",  # TensorFlow: errors that are not fatal come as exceptions as well
    "TF_ENABLE_ONEDNN_OPTS": "0",  # the plain kernels: a proof wants the reference, not the fastest
    "KERAS_BACKEND": "tensorflow",  # the one whose models OpenVINO reads
    "CUDA_VISIBLE_DEVICES": "-1",
    "GLOG_minloglevel": "3",  # Paddle
}


def need(module: str, extra: str, purpose: str) -> Any:
    """The framework ``module``.

    ``extra`` is the name under which edgeseg's packaging lists it, and ``purpose`` what it is wanted for, as in
    "loading a Keras model".

    Raises:
        UsageError: it is not installed, or does not work here.
    """
    if find_spec(module) is None:
        raise UsageError(f"{purpose} needs {module}, which is not installed", hint=f"pip install 'edgeseg[{extra}]'")
    for name, value in _CALM.items():
        os.environ.setdefault(name, value)
    try:
        with quiet():
            return import_module(module)
    except Exception as exc:  # torch raises OSError and ValueError where its libraries are missing
        why = str(exc).strip().partition("\n")[0] or type(exc).__name__
        raise UsageError(f"{purpose} needs {module}, which cannot be imported: {why}") from exc
