"""The whole way from a found model to a folder that ``edgeseg run`` can use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from edgeseg.backends.engine import Engine
from edgeseg.backends.graph import wrap
from edgeseg.backends.openvino_engine import OpenVinoEngine
from edgeseg.convert import folder, ir, model_info, photographs, readme, rounding, settle, shapes
from edgeseg.convert.analysis import analyse
from edgeseg.convert.answers import expose
from edgeseg.convert.findings import Candidate, Findings
from edgeseg.convert.photographs import Photograph
from edgeseg.convert.prove import Proof, prove
from edgeseg.convert.quantise import Int8Options, Verdict, quantise
from edgeseg.convert.quantise import check as check_int8
from edgeseg.convert.readers import formats
from edgeseg.convert.source_model import SourceModel
from edgeseg.errors import ModelError, UsageError
from edgeseg.ovruntime import reason
from edgeseg.recipes import MODEL_FILE, RECIPE_FILE, dump_recipe
from edgeseg.types import Recipe

LEAST_IOU = 0.99
# Where the source's own kernels differ from each other, OpenVINO may differ from them by so many times as much.
_OWN_TIMES = 1.25
_OWN_FLOOR = 0.85  # below it the source's other kernels are broken rather than rounding
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What somebody wants or knows. None and empty mean: find out, or take the usual.

    ``said`` are fields of the recipe by name; ``classes`` names or numbers of what is to be kept; ``output`` an
    output's name or number; ``least_iou`` what source and IR have to agree by; ``int8`` asks for quantisation;
    ``model_api`` for an IR in the one form that OpenVINO's Model API reads.
    """

    name: str | None = None
    size: tuple[int, int] | None = None
    output: str | None = None
    classes: tuple[str, ...] = ()
    said: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    fp16: bool = True
    prove: bool = True
    least_iou: float = LEAST_IOU
    pictures: tuple[Path, ...] = ()
    int8: Int8Options | None = None
    model_api: bool = False
    replace: bool = False


@dataclass(frozen=True, slots=True)
class Converted:
    """What came out. ``proof`` is None when none was wanted, ``verdict`` when int8 was not asked for."""

    recipe: Recipe
    proof: Proof | None
    verdict: Verdict | None = None


def convert(source: Path, target: Path, options: Options, say: Say) -> Converted:
    """Convert ``source`` into the new folder ``target``, telling each finding to ``say``.

    Raises:
        UsageError: the format is not supported, the target is taken, an option does not fit the model, something has to
            be said that was not, or the source's own runtime is not installed.
        ModelError: the source is damaged, cannot be translated, has no answer or several, or the result does not answer
            as the source does. ``target`` is untouched then.
    """
    formats.check(source)
    if options.int8:
        check_int8(options.int8)  # before minutes of work
    target = target.resolve()
    folder.check_target(target, replace=options.replace)
    read = formats.read(source, options.size)
    findings = analyse(read, options.size)
    _tell(read, findings, say)
    answer = settle.choose_answer(source, findings, options.output, options.said)
    with folder.appearing(target) as part:
        base = Recipe(options.name or target.name, str(part / MODEL_FILE), 1, 1)
        recipe = _recipe(read, findings, answer, options, base)
        recipe = replace(recipe, output_index=expose(read.model, answer))
        shapes.fix(read.model, findings, recipe)
        _check_fit(read, recipe)
        if options.prove:
            recipe = _tried(read, recipe, findings, options, say)
        model, written = model_info.for_model_api(read.model, recipe) if options.model_api else (read.model, recipe)
        model_info.embed(model, written)
        ir.save(model, part / MODEL_FILE, name=recipe.name, fp16=options.fp16)
        instead = settle.proved_by(source, findings, answer) if options.prove else None
        proof = _prove(read, model, recipe, written, instead, options, say) if options.prove else None
        exact = proof is not None and proof.rounds_as_source
        if exact:
            read = replace(read, rewritten=(*read.rewritten, "FakeQuantize"))
        verdict = quantise(part, written, options.int8, say, exact=exact) if options.int8 else None
        (part / RECIPE_FILE).write_text(dump_recipe(written), encoding="utf-8")
        halves = options.fp16 and not exact
        weights = "int8" if verdict and verdict.kept else "half floats" if halves else "as in the source"
        about = readme.text(part, read, written, weights=weights, note=options.note)
        (part / "README.md").write_text(about, encoding="utf-8")
    say(f"written: {target}{'' if proof else ', without a proof'}")
    return Converted(replace(written, path=str(target / MODEL_FILE)), proof, verdict)


def _tell(read: SourceModel, findings: Findings, say: Say) -> None:
    say(f"source: {read.path} ({read.format}, {len(read.model.get_ops())} operators)")
    for index, port in enumerate(read.model.inputs):
        say(f"input {index}: {shapes.describe(port)}")
    for index, port in enumerate(read.model.outputs):
        say(f"output {index}: {shapes.describe(port)}")
    say(f"rewritten: {', '.join(read.rewritten) or 'nothing'}")
    for note in findings.notes:
        say(f"note: {note}")


def _recipe(read: SourceModel, findings: Findings, answer: Candidate, options: Options, base: Recipe) -> Recipe:
    fields = findings.fields()
    fixed = (fields.get("width", 0), fields.get("height", 0))
    width, height = options.size or fixed
    picture = findings.picture
    if picture and picture.width and picture.height and (width, height) != fixed:
        raise UsageError(f"--size: {read.path} takes pictures of {fixed[0]}x{fixed[1]}, not {width}x{height}")
    sha256 = folder.sha256(read.path) if read.path.is_file() else ""
    base = replace(base, width=width, height=height, sha256=sha256)
    return settle.settle(read, findings, answer, base, options.said, options.classes)


def _check_fit(read: SourceModel, recipe: Recipe) -> None:
    """Raise ModelError when edgeseg could not run what is about to be written."""
    try:
        wrap(read.model.clone(), recipe)
    except RuntimeError as exc:
        raise ModelError(f"{read.path} does not fit the recipe: {reason(exc)}") from exc


def _tried(read: SourceModel, recipe: Recipe, findings: Findings, options: Options, say: Say) -> Recipe:
    """The recipe after a trial of what the file leaves open, on an IR that does not know its recipe yet."""
    path = Path(recipe.path)
    ir.save(read.model, path, name=recipe.name, fp16=options.fp16)
    engine = OpenVinoEngine(path)
    try:
        return settle.by_trial(engine, recipe, findings, options.said, read.path, say)
    finally:
        engine.close()


def _prove(
    read: SourceModel,
    model: Any,
    recipe: Recipe,
    written: Recipe,
    instead: Candidate | None,
    options: Options,
    say: Say,
) -> Proof:
    """``recipe`` is that of the source, ``written`` that of the IR, which was made of ``model``. ``instead`` is the
    source's own answer where the recipe's is a tensor inside, which only the IR puts out.
    """
    ran = written
    if read.engine is None:
        raise UsageError(f"{read.path}: {read.format} has no runtime to compare with", hint="--no-proof goes without")
    if instead is not None:
        recipe = written = settle.read_as(read, instead, recipe)
        say(f"proof: of {instead.name}, as the source does not put out the tensor that was chosen")
    other = None if written is recipe else written
    proof = _compared(read.engine, OpenVinoEngine(Path(recipe.path)), recipe, options, other)
    say(f"proof: {proof.pictures} pictures in {proof.runtime} and in OpenVINO f32: {proof.sentence}")
    least = options.least_iou
    if proof.least < least and read.exactly is not None:
        pictures = [photographs.tensor(photograph.rgb, ran) for photograph in _photographs(options)]
        again = partial(_proved_again, read.engine, recipe=recipe, options=options, written=other)
        proof = rounding.as_source(model, ran, read.exactly, again, proof, least, pictures, say) or proof
    if proof.least < least and read.again is not None:
        own = _compared(read.engine, read.again(), recipe, options)
        say(f"proof: in two sets of kernels of {proof.runtime} itself: {own.sentence}")
        least = min(least, max(_OWN_FLOOR, 1 - _OWN_TIMES * (1 - own.least)))
        say(f"proof: so {least:.4g} is enough")
    if proof.least < least:
        raise ModelError(
            f"{read.path} answers differently after the conversion: {proof.sentence}, and {least:.4g} is wanted",
            hint="--least-iou sets another bound, --no-proof writes it anyway",
        )
    if not proof.kept and not options.pictures:
        raise ModelError(
            f"{read.path} keeps nothing in the photographs that come along: there is nothing to compare",
            hint="--pictures DIR proves it on some that show what it looks for, --no-proof goes without",
        )
    if not proof.kept:
        say("note: nothing is kept in any of these pictures: that is no proof")
    return proof


def _proved_again(
    open_source: Callable[[], Engine], path: Path, *, recipe: Recipe, options: Options, written: Recipe | None
) -> Proof:
    return _compared(open_source, OpenVinoEngine(path), recipe, options, written)


def _compared(
    open_source: Callable[[], Engine],
    other: Engine,
    recipe: Recipe,
    options: Options,
    written: Recipe | None = None,
) -> Proof:
    try:
        source = open_source()
    except UsageError as exc:
        raise UsageError(exc.message, hint=f"{exc.hint}; --no-proof goes without") from exc
    try:
        return prove(source, other, recipe, _photographs(options), written)
    finally:
        source.close()
        other.close()


def _photographs(options: Options) -> Iterable[Photograph]:
    return photographs.load(options.pictures) if options.pictures else photographs.bundled()
