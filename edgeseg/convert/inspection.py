"""Everything that ``edgeseg inspect`` says about a model, whether it can be read whole, in part or not at all."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from edgeseg.convert.analysis import analyse
from edgeseg.convert.findings import Findings, InputFinding
from edgeseg.convert.folder import sha256
from edgeseg.convert.readers import formats, user_code
from edgeseg.convert.readers.tflite_file import TfliteFile, TfliteTensor, parse
from edgeseg.convert.source_model import SourceModel
from edgeseg.errors import EdgesegError, ModelError
from edgeseg.recipes import RECIPE_FILE, find_model, load_recipe
from edgeseg.types import Quantization, Recipe


@dataclass(frozen=True, slots=True)
class Inspection:
    """A model and what is known about it.

    ``size`` (bytes) and ``sha256`` are those of the file, 0 and empty for a folder. ``recipe`` is that of a model
    with a ``model.yaml``. ``findings`` is None where the model could not be translated: ``problem`` says why, and
    ``inputs``, ``outputs`` and ``operators`` hold what its file alone tells.
    """

    path: Path
    format: str
    size: int = 0
    sha256: str = ""
    rewritten: tuple[str, ...] = ()
    recipe: Recipe | None = None
    findings: Findings | None = None
    problem: EdgesegError | None = None
    inputs: tuple[InputFinding, ...] = ()
    outputs: tuple[InputFinding, ...] = ()
    operators: tuple[tuple[str, int], ...] = ()


def inspect(name_or_path: str, size: tuple[int, int] | None = None) -> Inspection:
    """Look at a model: a file (or PyTorch code) of any format that can be converted, a model's folder, or the name of
    a model that is here.

    ``size`` is the (width, height) of the pictures where the model leaves it open.

    Raises:
        UsageError: files of this kind cannot be read.
        ModelError: there is no such model, or its recipe cannot be read.
    """
    path, recipe = _locate(name_or_path)
    formats.check(name_or_path if user_code.is_spec(name_or_path) else path)
    known = (path.stat().st_size, sha256(path)) if path.is_file() else (0, "")
    try:
        read = formats.read(name_or_path if user_code.is_spec(name_or_path) else path, size)
    except ModelError as exc:
        return _in_part(path, known, recipe, exc)
    return Inspection(path, read.format, *known, read.rewritten, recipe, _findings(read, recipe, size))


def _findings(read: SourceModel, recipe: Recipe | None, size: tuple[int, int] | None) -> Findings:
    return analyse(read, size or ((recipe.width, recipe.height) if recipe else None))


def _locate(name_or_path: str) -> tuple[Path, Recipe | None]:
    """The file of the model, and its recipe if there is one."""
    path = Path(name_or_path).expanduser()
    if user_code.is_spec(name_or_path):
        return path, None
    if not path.exists():
        folder = find_model(name_or_path)
    elif (path / RECIPE_FILE).is_file():
        folder = path
    elif path.name == RECIPE_FILE:
        folder = path.parent
    else:
        recipe = load_recipe(path.parent) if path.is_file() and (path.parent / RECIPE_FILE).is_file() else None
        ours = recipe is not None and Path(recipe.path) == path.resolve()
        return path, recipe if ours else None
    found = load_recipe(folder)
    return Path(found.path), found


def _in_part(path: Path, known: tuple[int, str], recipe: Recipe | None, problem: ModelError) -> Inspection:
    if path.suffix.lower() != ".tflite":
        return Inspection(path, path.suffix.lstrip(".") or "folder", *known, recipe=recipe, problem=problem)
    try:
        file = parse(path)
    except ModelError:
        return Inspection(path, "TensorFlow Lite, damaged", *known, recipe=recipe, problem=problem)
    return Inspection(
        path,
        "TensorFlow Lite",
        *known,
        recipe=recipe,
        problem=problem,
        inputs=tuple(_tensor(tensor) for tensor in file.inputs),
        outputs=tuple(_tensor(tensor) for tensor in file.outputs),
        operators=_operators(file),
    )


def _tensor(tensor: TfliteTensor) -> InputFinding:
    why = f"q stands for {formula(tensor.quantization)}" if tensor.quantization is not None else ""
    return InputFinding(tensor.name, tensor.kind or "?", tensor.shape, why)


def formula(quantization: Quantization) -> str:
    """The real number that a whole one, q, stands for."""
    sign = "-" if quantization.zero_point > 0 else "+"
    return f"(q {sign} {abs(quantization.zero_point)}) * {quantization.scale:.6g}"


def _operators(file: TfliteFile) -> tuple[tuple[str, int], ...]:
    counts = Counter(operator.custom or "of the format's own" for operator in file.operators)
    return tuple(counts.most_common())
