"""What the metadata of a .tflite file says about its recipe: how pictures are normalised, what the classes are called.

The metadata is a FlatBuffers file of its own (``metadata_schema.fbs`` of TFLite Support) inside the model; label lists
lie in a zip archive behind it.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgeseg.flatbuffer import DamagedError, Table, root

_IDENTIFIER = b"M001"
_NORMALIZATION = 1  # ProcessUnitOptions.NormalizationOptions
_LABELS = {2, 3}  # AssociatedFileType: of the planes of an answer, of its values
_LARGEST_LIST = 1 << 20  # bytes


def read(metadata: bytes, archive: Path) -> dict[str, Any]:
    """Facts by the names of ``Recipe``'s fields: ``mean_values`` and ``scale_values``, ``labels``.

    ``archive`` is the model's file. What the metadata does not say is missing.

    Raises:
        DamagedError: the metadata is none, or a part of it is missing.
    """
    if not metadata:
        return {}
    if metadata[4:8] != _IDENTIFIER:
        raise DamagedError("the metadata has no identifier")
    graphs = list(root(metadata).tables(3))
    if not graphs:
        return {}
    inputs, outputs = list(graphs[0].tables(2)), list(graphs[0].tables(3))
    return {**_normalisation(inputs), **_labels(outputs, archive)}


def _normalisation(inputs: list[Table]) -> dict[str, Any]:
    for unit in (unit for tensor in inputs[:1] for unit in tensor.tables(4)):
        options = unit.table(1)
        if unit.scalar(0, "B") != _NORMALIZATION or options is None:
            continue
        mean, scale = options.floats(0), options.floats(1)
        usable = all(map(math.isfinite, mean + scale)) and all(scale)
        if usable and {len(mean), len(scale)} <= {1, 3}:
            return {"mean_values": mean, "scale_values": scale}
    return {}


def _labels(outputs: list[Table], archive: Path) -> dict[str, Any]:
    for name in _label_files(outputs):
        try:
            with zipfile.ZipFile(archive) as files:
                if files.getinfo(name).file_size > _LARGEST_LIST:
                    continue
                lines = files.read(name).decode("utf-8").splitlines()
        except (OSError, KeyError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile):
            # RuntimeError is zipfile's for what is encrypted, NotImplementedError for what it cannot unpack.
            continue  # an archive that cannot be read names no class
        while lines and not lines[-1].strip():
            lines.pop()
        if lines:
            return {"labels": tuple(line.strip() for line in lines)}
    return {}


def _label_files(outputs: list[Table]) -> Iterator[str]:
    for tensor in outputs:
        for file in tensor.tables(6):
            if file.scalar(2, "b") in _LABELS:
                yield file.text(0)
