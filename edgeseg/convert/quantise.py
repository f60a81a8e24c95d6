"""Makes an int8 model of an IR, and keeps it only where that is worth what it costs.

Whether whole numbers are faster depends on the model and on the processor, and how much of the mask they lose on the
photographs that they were calibrated with: both are measured here, and nothing is assumed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from edgeseg.backends.openvino_engine import OpenVinoEngine
from edgeseg.convert import ir
from edgeseg.convert.photographs import load, tensor
from edgeseg.convert.prove import Proof, prove
from edgeseg.convert.quantise_nncf import Preset, need_nncf, quantised
from edgeseg.convert.quantise_timing import cpu_ms
from edgeseg.errors import ModelError, UsageError
from edgeseg.ovruntime import ov
from edgeseg.recipes import MODEL_FILE
from edgeseg.types import Recipe

LEAST_PICTURES = 10
MOST_JUDGED = 100
_TIMED = 8
# What is gained has to be more than what two measurements of the same model differ by.
LEAST_GAIN = 0.05
# The faster one first. The other is more exact and slower: of use where the first is fast and too coarse.
PRESETS: tuple[Preset, ...] = ("performance", "mixed")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Int8Options:
    """How to quantise.

    The last third of ``pictures``, photographs like those that the camera will send, judges and calibrates nothing.
    ``max_loss`` is how much mask IoU with the full model may be missing there, 0..1. At most ``subset`` photographs
    calibrate; ``seconds`` of processor time are spent on timing each of the two models.
    """

    pictures: tuple[Path, ...]
    max_loss: float = 0.02
    subset: int = 300
    seconds: float = 2.0

    @property
    def calibrating(self) -> tuple[Path, ...]:
        """The photographs that the ranges of the int8 model are found with."""
        return self.pictures[: -(len(self.pictures) // 3)][: self.subset]

    @property
    def judging(self) -> tuple[Path, ...]:
        """The photographs that the masks are compared on."""
        return self.pictures[-(len(self.pictures) // 3) :][:MOST_JUDGED]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a model costs: ``size`` of both files together in bytes, ``ms`` of processor time for one inference."""

    size: int
    ms: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was measured, and what was done.

    Sizes are bytes of both files of the IR together, times processor milliseconds of one inference as the daemon runs
    it; ``iou`` is that of the int8 masks with those of the full model in f32. ``sentence`` says it all, and why. Where
    nothing could be measured, the sizes are those of the full model, the times 0 and the IoU 1.
    """

    kept: bool
    size_before: int
    size_after: int
    ms_before: float
    ms_after: float
    iou: float
    sentence: str


def check(options: Int8Options) -> None:
    """See, before any work is done, whether it can be done.

    Raises:
        UsageError: nncf is not installed or does not work here, the photographs are too few, or the loss is no share.
    """
    if not 0 <= options.max_loss < 1:
        raise UsageError(f"a loss of {options.max_loss:g} is no share of the mask, 0 to 1")
    count = len(options.pictures)
    if count < LEAST_PICTURES:
        where = f" in {options.pictures[0].parent}" if options.pictures else ""
        raise UsageError(
            f"--calibrate: there are {count} pictures{where}, and int8 needs {LEAST_PICTURES} at least",
            hint="better a hundred such as the camera sees: the ranges of all layers come from them",
        )
    need_nncf()


def quantise(part: Path, recipe: Recipe, options: Int8Options, say: Say, *, exact: bool = False) -> Verdict:
    """Replace the IR in ``part``, at which ``recipe.path`` points, by an int8 one, if that is faster on this machine
    and its masks are within the loss. Otherwise ``part`` stays as it is. ``say`` is told which, and why. ``exact``: it
    is a quantised model that was written with its source's roundings, which no FakeQuantize tells any more.

    Raises:
        UsageError: see ``check``; or a photograph cannot be read.
        ModelError: the model cannot be run.
    """
    check(options)
    if exact:
        why = "int8: the model is quantised already, and written with its source's roundings; it stays as it is"
        verdict = _unmeasured(part / MODEL_FILE, why)
    else:
        with TemporaryDirectory(prefix=".int8-", dir=part) as folder:
            verdict = _attempt(part / MODEL_FILE, Path(folder), recipe, options, say)
    say(verdict.sentence)
    return verdict


def decide(before: Cost, after: Cost, proof: Proof, options: Int8Options) -> Verdict:
    """Whether the int8 model, which costs ``after``, is to take the place of the full one, which costs ``before``.

    ``proof`` compares their masks.
    """
    times = f"{after.ms:.2f} ms instead of {before.ms:.2f} ms"
    against = []
    if after.ms > before.ms:
        against.append(f"int8 is slower here: {times}")
    elif after.ms > before.ms * (1 - LEAST_GAIN):
        against.append(f"int8 is hardly faster here: {times}")
    if not proof.kept:
        against.append(
            f"int8 cannot be judged: the full model keeps nothing in the {proof.pictures} photographs held back"
        )
    elif proof.iou < 1 - options.max_loss:
        against.append(f"int8 masks agree with IoU {proof.iou:.4f} only, and {1 - options.max_loss:g} is wanted")
    if against:
        sentence = f"{', and '.join(against)}; the full model is kept"
    else:
        sentence = (
            f"int8: {times}, {_megabytes(after)} instead of {_megabytes(before)}, "
            f"mask IoU {proof.iou:.4f} with the full model on {proof.pictures} photographs; the int8 model is kept"
        )
    return Verdict(not against, before.size, after.size, before.ms, after.ms, proof.iou, sentence)


def _attempt(full: Path, folder: Path, recipe: Recipe, options: Int8Options, say: Say) -> Verdict:
    """The verdict on the best int8 model that could be made in ``folder``; ``full`` is replaced where it says so."""
    model = ov.Core().read_model(str(full))
    if any(node.get_type_name() == "FakeQuantize" for node in model.get_ops()):
        return _unmeasured(full, "int8: the model is quantised already; it stays as it is")
    say(f"int8: calibrating on {len(options.calibrating)} photographs, judging on {len(options.judging)} others")
    halves = any(node.get_element_type() == ov.Type.f16 for node in model.get_ops() if node.get_output_size())
    for preset in PRESETS:
        try:
            made = quantised(model, recipe, options.calibrating, preset)
        except ModelError as exc:
            return _unmeasured(full, f"int8: {exc.message}; the full model is kept")
        small = folder / preset / MODEL_FILE
        small.parent.mkdir()
        ir.save(made, small, name=recipe.name, fp16=halves)
        verdict = _judge(full, small, recipe, options)
        if verdict.kept:
            for suffix in (".bin", ".xml"):
                small.with_suffix(suffix).replace(full.with_suffix(suffix))
        if verdict.kept or verdict.ms_after >= verdict.ms_before:
            break
    return verdict


def _judge(full: Path, small: Path, recipe: Recipe, options: Int8Options) -> Verdict:
    smaller = replace(recipe, path=str(small))
    original, ours = OpenVinoEngine(full), OpenVinoEngine(small, "auto")
    try:
        proof = prove(original, ours, recipe, load(options.judging))
    finally:
        original.close()
        ours.close()
    pictures = [tensor(photograph.rgb, recipe) for photograph in load(options.judging[:_TIMED])]
    times = cpu_ms((recipe, smaller), pictures, options.seconds)
    before, after = (Cost(_size(xml), ms) for xml, ms in zip((full, small), times, strict=True))
    return decide(before, after, proof, options)


def _unmeasured(full: Path, sentence: str) -> Verdict:
    return Verdict(False, _size(full), _size(full), 0.0, 0.0, 1.0, sentence)


def _size(xml: Path) -> int:
    return xml.stat().st_size + xml.with_suffix(".bin").stat().st_size


def _megabytes(cost: Cost) -> str:
    return f"{cost.size / 1e6:.2f} MB"
