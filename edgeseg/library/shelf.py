"""The models that lie here: those that come with edgeseg, and those in ``models/ir`` beside the working directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeseg.errors import ModelError
from edgeseg.recipes import RECIPE_FILE, load_recipe, shipped_models
from edgeseg.types import Recipe


@dataclass(frozen=True, slots=True)
class Shelved:
    """One model's folder. ``size`` are the bytes of all files in it; ``problem`` says why its recipe cannot be read,
    if so.
    """

    name: str
    folder: Path
    bundled: bool
    size: int
    recipe: Recipe | None
    problem: str = ""


def shelved(base: Path | None = None) -> list[Shelved]:
    """All of them by name, those below ``base`` (default: the working directory) before bundled ones."""
    bundled = shipped_models()
    own = (base or Path()) / "models" / "ir"
    same = own.resolve() == bundled.resolve()
    folders = {folder.name: folder for folder in _folders(bundled)}
    folders |= {folder.name: folder for folder in _folders(own)}
    return [_look(folder, bundled=same or folder.parent == bundled) for _, folder in sorted(folders.items())]


def _folders(library: Path) -> list[Path]:
    return [file.parent for file in library.glob(f"*/{RECIPE_FILE}")]


def _look(folder: Path, *, bundled: bool) -> Shelved:
    size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    try:
        return Shelved(folder.name, folder, bundled, size, load_recipe(folder))
    except ModelError as exc:
        return Shelved(folder.name, folder, bundled, size, None, str(exc))
