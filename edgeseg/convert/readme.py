"""The README of a model's folder: where it is from, whose it is, how it was made."""

from __future__ import annotations

from pathlib import Path

from edgeseg.convert.folder import sha256
from edgeseg.convert.source_model import SourceModel
from edgeseg.ovruntime import ov
from edgeseg.types import OutputKind, Recipe


def text(folder: Path, source: SourceModel, recipe: Recipe, *, weights: str, note: str) -> str:
    """Markdown that names the files in ``folder`` with their checksums. The same for the same model, on any machine
    (but for int8, which is calibrated on somebody's photographs).
    """
    files = sorted(entry for entry in folder.iterdir() if entry.is_file())
    rows = [f"| `{file.name}` | `{sha256(file)}` |" for file in files]
    rewritten = f" The operator {', '.join(source.rewritten)} was rewritten." if source.rewritten else ""
    paragraphs = [
        f"# {recipe.name}",
        f"- Origin: {recipe.origin or 'not stated'}\n- Licence: {recipe.licence or 'not stated'}",
        *([note] if note else []),
        f"Takes {recipe.color_order} pictures of {recipe.width}x{recipe.height}, each value as (x - mean) / scale "
        f"with mean {_numbers(recipe.mean_values)} and scale {_numbers(recipe.scale_values)}; "
        f"answers with {_KINDS[recipe.kind]}. `model.yaml` says so to edgeseg.",
        f"Made by `edgeseg convert` with OpenVINO {ov.__version__.partition('-')[0]} from the {source.format} file "
        f"`{source.path.name}`, whose SHA-256 is\n`{recipe.sha256}`. Weights: {weights}.{rewritten}",
        "\n".join(["| file | SHA-256 |", "| --- | --- |", *rows]),
    ]
    return "\n\n".join(paragraphs) + "\n"


_KINDS = {
    OutputKind.PROBABILITY: "probabilities",
    OutputKind.LOGITS: "logits",
    OutputKind.LABELS: "a map of labels",
}


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)
