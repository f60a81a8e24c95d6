"""A model's folder appears whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeseg.errors import UsageError

FILES = frozenset({"model.xml", "model.bin", "model.yaml", "README.md"})


def check_target(target: Path, *, replace: bool) -> None:
    """See whether ``target`` may be written.

    Raises:
        UsageError: it is there already and ``replace`` was not said, or something else than a model lies in it.
    """
    if not target.exists():
        return
    strangers = {entry.name for entry in target.iterdir()} - FILES if target.is_dir() else {target.name}
    if strangers:
        raise UsageError(f"{target} is not a model's folder: {min(strangers)} is in the way", hint="name a new folder")
    if not replace and any(target.iterdir()):
        raise UsageError(f"{target} exists", hint="--force replaces it")


@contextmanager
def appearing(target: Path) -> Iterator[Path]:
    """A hidden folder beside ``target`` to write into; it takes the place of ``target`` at the end, or vanishes when
    anything was raised. What was in ``target`` before is gone only when the new folder is there.

    Raises:
        UsageError: the folder cannot be made.
    """
    part = target.parent / f".{target.name}.{os.getpid()}.part"
    old = part.with_suffix(".old")
    try:
        part.mkdir(parents=True)
    except OSError as exc:
        raise UsageError(f"{target} cannot be written: {exc.strerror}") from exc
    try:
        yield part
        if target.exists():
            target.rename(old)
        try:
            part.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def sha256(file: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
