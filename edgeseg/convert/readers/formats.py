"""Which reader reads which file."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from edgeseg.convert.source_model import SourceModel
from edgeseg.errors import ModelError, UsageError

_READERS = {".tflite": "edgeseg.convert.readers.tflite"}


def check(source: Path) -> None:
    """Say what is wrong with the name of a source before anything heavy is imported.

    Raises:
        UsageError: nobody reads files of this kind.
        ModelError: there is no such file.
    """
    if source.suffix.lower() not in _READERS:
        kind = source.suffix or "without a suffix"
        raise UsageError(f"{source}: files {kind} cannot be converted", hint=f"supported: {', '.join(_READERS)}")
    if not source.is_file():
        raise ModelError(f"{source} is no file" if source.exists() else f"{source} does not exist")


def read(source: Path) -> SourceModel:
    """The model in ``source``, which ``check`` has nothing against.

    Raises:
        ModelError: it cannot be read or translated.
    """
    model: SourceModel = import_module(_READERS[source.suffix.lower()]).read(source)
    return model
