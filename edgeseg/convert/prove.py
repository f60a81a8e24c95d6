"""Compares a converted model with the original, each in its own runtime, on the same photographs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from edgeseg.backends.codec import Codec
from edgeseg.backends.engine import Engine
from edgeseg.convert.photographs import Photograph, tensor
from edgeseg.types import U8, OutputKind, Recipe


@dataclass(frozen=True, slots=True)
class Proof:
    """How alike two models answered.

    ``iou`` is intersection over union of what the two masks keep, over all pixels of all pictures; 1 where neither
    keeps anything. ``agreement`` is the share of pixels, 0..1, for which both decide on the same class. The
    ``largest_difference`` is that of all the real numbers of the answer (of labels: 0). ``kept`` is the share of the
    pixels that the original keeps. ``rounds_as_source`` says that the second was rewritten to round as the first does.
    """

    runtime: str
    pictures: int
    iou: float
    agreement: float
    largest_difference: float
    kept: float
    rounds_as_source: bool = False

    @property
    def least(self) -> float:
        """The worse of the two shares."""
        return min(self.iou, self.agreement)

    @property
    def sentence(self) -> str:
        """The figures for people."""
        figures = f"mask IoU {self.iou:.4f}, {self.agreement:.3%} of the pixels decided alike"
        return f"{figures}, largest difference {self.largest_difference:.2g}"


@dataclass(slots=True)
class _Sums:
    both: int = 0
    either: int = 0
    kept: int = 0
    alike: int = 0
    pixels: int = 0
    largest: float = 0.0


def prove(
    original: Engine,
    ours: Engine,
    recipe: Recipe,
    photographs: Iterable[Photograph],
    written: Recipe | None = None,
) -> Proof:
    """Run both on ``photographs`` as ``recipe`` says. A model with a prior channel sees each of them twice: first
    without a mask before it, then with that of the original. ``written`` is the recipe of ``ours`` where it is another.

    Raises:
        ModelError: one of them does not fit the recipe.
        InferenceError: one of them does not run.
    """
    pairs = ((recipe, original), (written or recipe, ours))
    codecs = [Codec(used, engine.inputs, engine.outputs) for used, engine in pairs]
    sums, count = _Sums(), 0
    for photograph in photographs:
        picture = tensor(photograph.rgb, recipe)
        prior: U8 | None = None
        for _ in range(2 if recipe.prior_channel else 1):
            prior = _compare((original, ours), codecs, recipe, picture, prior, sums, alike=written is None)
        count += 1
    iou = sums.both / sums.either if sums.either else 1.0
    pixels = max(sums.pixels, 1)
    return Proof(original.runtime, count, iou, sums.alike / pixels, sums.largest, sums.kept / pixels)


def _compare(
    engines: tuple[Engine, Engine],
    codecs: list[Codec],
    recipe: Recipe,
    picture: U8,
    prior: U8 | None,
    sums: _Sums,
    *,
    alike: bool,
) -> U8:
    answers = [engine.run([codec.encode(picture, prior)]) for engine, codec in zip(engines, codecs, strict=True)]
    masks = [codec.mask(answer) for codec, answer in zip(codecs, answers, strict=True)]
    kept = [mask >= 128 for mask in masks]
    decided = [codec.decide(answer) for codec, answer in zip(codecs, answers, strict=True)] if alike else kept
    sums.both += int(np.count_nonzero(kept[0] & kept[1]))
    sums.either += int(np.count_nonzero(kept[0] | kept[1]))
    sums.kept += int(np.count_nonzero(kept[0]))
    sums.alike += int(np.count_nonzero(decided[0] == decided[1]))
    sums.pixels += decided[0].size
    # The distance between two class numbers means nothing, nor that between answers of another form.
    if recipe.kind is not OutputKind.LABELS and alike:
        real = [codec.real(answer[recipe.output_index]) for codec, answer in zip(codecs, answers, strict=True)]
        difference = np.abs(real[0].reshape(-1) - real[1].reshape(-1)).max(initial=0.0)
        sums.largest = max(sums.largest, float(difference))
    return masks[0]
