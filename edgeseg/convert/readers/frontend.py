"""Reads a model with one of OpenVINO's own front ends, which need no framework."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from edgeseg.convert.readers.quiet import quiet
from edgeseg.errors import ModelError
from edgeseg.ovruntime import ov, reason

_MISSING = re.compile(r"No conversion rule found for operations: (.+)")
_FAILED = re.compile(r"Conversion is failed for: (.+)")
_LONGEST = 200


def translate(path: Path, framework: str, what: str) -> Any:
    """The ``openvino.Model`` in ``path``, as the front end for ``framework`` understands it.

    The front end is named, because OpenVINO otherwise tries one after the other, and the last complaint is about
    something else. ``what`` is the format, for people.

    Raises:
        ModelError: the file is damaged, or holds an operator that OpenVINO does not have.
    """
    front_end = ov.frontend.FrontEndManager().load_by_framework(framework)
    try:
        with quiet():
            loaded = front_end.load(str(path))
    except Exception as exc:  # of several classes, which share nothing but Exception
        raise ModelError(f"{path} cannot be read as {what}: {_printable(reason(exc))}") from exc
    try:
        with quiet():
            return front_end.convert(loaded)
    except Exception as exc:
        raise untranslated(path, exc) from exc


def untranslated(path: Path | str, exc: BaseException) -> ModelError:
    """What to say when OpenVINO understood a file and could not express it."""
    for pattern, complaint in ((_MISSING, "OpenVINO has no operator"), (_FAILED, "OpenVINO cannot express its")):
        found = pattern.search(str(exc))
        if found is not None:
            return ModelError(f"{path} cannot be converted: {complaint} {_printable(found[1].rstrip('. '))}")
    return ModelError(f"{path} cannot be converted: {_printable(reason(exc))}")


def _printable(text: str) -> str:
    """``text``, which may quote from a damaged file, fit for a sentence."""
    clean = "".join(letter if letter.isprintable() else "?" for letter in text)
    return clean if len(clean) <= _LONGEST else f"{clean[:_LONGEST]}…"
