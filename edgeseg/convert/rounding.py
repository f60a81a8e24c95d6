"""Lets a model of whole numbers round as its source does, where it answers otherwise else; and says what that costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edgeseg.convert import ir
from edgeseg.convert.prove import Proof
from edgeseg.convert.quantise_timing import cpu_ms
from edgeseg.ovruntime import reason
from edgeseg.recipes import MODEL_FILE
from edgeseg.types import U8, Recipe

_SECONDS = 1.0  # of processor time for each of the two models


def as_source(
    model: Any,
    recipe: Recipe,
    exactly: Callable[[Any], int],
    prove: Callable[[Path], Proof],
    proof: Proof,
    least: float,
    pictures: Sequence[U8],
    say: Callable[[str], None],
) -> Proof | None:
    """Replace the IR at ``recipe.path``, which was made of ``model``, by one that rounds as the source does, where that
    answers alike. None, and all as it was, where it does not.

    Args:
        model: an ``openvino.Model``; it stays as it is.
        recipe: what the IR is run by.
        exactly: rewrites a model so that it rounds as its source does, and says in how many places.
        prove: compares an IR with the source.
        proof: what that found of the one at ``recipe.path``.
        least: what they have to agree by.
        pictures: u8 [1, h, w, 3] to measure the time with.
        say: is told the figures.

    Raises:
        ModelError: the result cannot be run.
    """
    path = Path(recipe.path)
    with TemporaryDirectory(prefix=".exact-", dir=path.parent) as folder:
        exact = model.clone()
        try:
            if not exactly(exact):
                return None
        except RuntimeError as exc:
            say(f"proof: its roundings cannot be written: {reason(exc)}")
            return None
        made = Path(folder) / MODEL_FILE
        # Half floats would round the factors that bring sums to the next scale; whole weights are small as they are.
        ir.save(exact, made, name=recipe.name, fp16=False)
        better = prove(made)
        say(f"proof: with the roundings of {better.runtime}: {better.sentence}")
        if better.least < least:
            return None
        before, after = cpu_ms((recipe, replace(recipe, path=str(made))), pictures, _SECONDS)
        for file in (made, made.with_suffix(".bin")):
            file.replace(path.with_name(file.name))
    enough = math.floor(1000 * proof.least) / 1000
    say(
        f"proof: so these are written; an inference takes {after:.1f} ms with them and {before:.1f} ms without "
        f"(--least-iou {enough:g} does without)"
    )
    return replace(better, rounds_as_source=True)
