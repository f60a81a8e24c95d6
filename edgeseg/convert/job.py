"""The whole way from a found model to a folder that ``edgeseg run`` can use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from edgeseg.backends.graph import wrap
from edgeseg.convert import folder, ir, readme, shapes
from edgeseg.convert.prove import Proof, prove_tflite
from edgeseg.convert.readers import formats
from edgeseg.convert.source_model import SourceModel
from edgeseg.errors import ModelError
from edgeseg.ovruntime import reason
from edgeseg.recipes import MODEL_FILE, RECIPE_FILE, dump_recipe
from edgeseg.types import OutputKind, Recipe

LEAST_AGREEMENT = 0.99
COARSEST = 32  # input pixels across one pixel of the mask; segmentation networks have 1 to 16


@dataclass(frozen=True, slots=True)
class Options:
    """What the source file does not say about itself. None means: find out, or take the usual."""

    name: str | None = None
    size: tuple[int, int] | None = None
    color_order: str = "RGB"
    mean_values: tuple[float, ...] = (0.0,)
    scale_values: tuple[float, ...] | None = None
    output_index: int = 0
    kind: OutputKind | None = None
    channel: int | None = None
    keep: tuple[int, ...] = (1,)
    licence: str = ""
    origin: str = ""
    note: str = ""
    fp16: bool = True
    prove: bool = True
    pictures: tuple[Path, ...] = ()
    replace: bool = False


@dataclass(frozen=True, slots=True)
class Converted:
    """What came out. ``proof`` is None when the source's runtime is not installed or no proof was wanted."""

    recipe: Recipe
    proof: Proof | None


def convert(source: Path, target: Path, options: Options, say: Callable[[str], None]) -> Converted:
    """Convert ``source`` into the new folder ``target``, telling each finding to ``say``.

    Raises:
        UsageError: the format is not supported, the target is taken, or an option does not fit the model.
        ModelError: the source is damaged, cannot be translated, or the result does not answer as the source does.
            ``target`` is untouched then.
    """
    formats.check(source)
    target = target.resolve()
    folder.check_target(target, replace=options.replace)
    read = formats.read(source)
    size = shapes.fix_size(read, options.size)
    _tell(read, say)
    with folder.appearing(target) as part:
        recipe = _recipe(read, size, part / MODEL_FILE, options, target.name)
        say(f"recipe: {recipe.color_order} {size[0]}x{size[1]}, output {recipe.output_index} read as {recipe.kind}")
        _check_fit(read, recipe)
        ir.save(read.model, part / MODEL_FILE, name=recipe.name, fp16=options.fp16)
        (part / RECIPE_FILE).write_text(dump_recipe(recipe), encoding="utf-8")
        about = readme.text(part, read, recipe, fp16=options.fp16, note=options.note)
        proof = _prove(read, recipe, options, say)
        (part / "README.md").write_text(about, encoding="utf-8")
    say(f"written: {target}")
    return Converted(replace(recipe, path=str(target / MODEL_FILE)), proof)


def _tell(read: SourceModel, say: Callable[[str], None]) -> None:
    say(f"source: {read.path} ({read.format}, {len(read.model.get_ops())} operators)")
    for index, port in enumerate(read.model.inputs):
        say(f"input {index}: {shapes.describe(port)}")
    for index, port in enumerate(read.model.outputs):
        say(f"output {index}: {shapes.describe(port)}")
    say(f"rewritten: {', '.join(read.rewritten) or 'nothing'}")


def _recipe(read: SourceModel, size: tuple[int, int], path: Path, options: Options, name: str) -> Recipe:
    kind = options.kind or shapes.guess_kind(read.model, options.output_index)
    answer = read.model.output(options.output_index).get_partial_shape()
    planes = answer[3].get_length() if len(answer) == 4 and answer[3].is_static else 1
    real = read.model.input().get_element_type().is_real()
    return Recipe(
        name=options.name or name,
        path=str(path),
        width=size[0],
        height=size[1],
        layout=read.layout,
        color_order=options.color_order,
        mean_values=options.mean_values,
        scale_values=options.scale_values or ((255.0,) if real else (1.0,)),
        output_index=options.output_index,
        kind=kind,
        # Of two planes, the second is the person in every model that was looked at.
        channel=options.channel if options.channel is not None else min(1, planes - 1),
        keep=options.keep,
        licence=options.licence,
        origin=options.origin,
        sha256=folder.sha256(read.path),
    )


def _check_fit(read: SourceModel, recipe: Recipe) -> None:
    """Raise ModelError when edgeseg could not run what is about to be written."""
    try:
        mask = wrap(read.model.clone(), recipe).output().shape
    except RuntimeError as exc:
        raise ModelError(f"{read.path} does not fit the recipe: {reason(exc)}") from exc
    if mask[0] * COARSEST < recipe.height or mask[1] * COARSEST < recipe.width:
        raise ModelError(
            f"{read.path} is no segmentation model: {recipe.width}x{recipe.height} in, {mask[1]}x{mask[0]} out"
        )


def _prove(read: SourceModel, recipe: Recipe, options: Options, say: Callable[[str], None]) -> Proof | None:
    if not options.prove:
        say("proof: not wanted")
        return None
    proof = prove_tflite(read.path, recipe, options.pictures)
    if proof is None:
        say("proof: none, ai-edge-litert is not installed (pip install 'edgeseg[tflite]')")
        return None
    figures = f"{proof.agreement:.3%} of the pixels agree, largest difference {proof.largest_difference:.2g}"
    say(f"proof: {proof.pictures} pictures in {proof.runtime} and in OpenVINO f32: {figures}")
    if proof.agreement < LEAST_AGREEMENT:
        raise ModelError(
            f"{read.path} answers differently after the conversion: {figures}", hint="--no-proof writes it anyway"
        )
    return proof
