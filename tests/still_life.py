"""What ``bench/still_life.py`` has, for tests: a camera that looks at a photograph, and what a gate makes of it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

from edgeseg.types import U8, Frame
from tests.reference import material

_FILE = Path(__file__).resolve().parents[1] / "bench" / "still_life.py"
_SPEC = importlib.util.spec_from_file_location("bench_still_life", _FILE)
assert _SPEC is not None
assert _SPEC.loader is not None
_module = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = _module  # where dataclasses look for the names of their module
_SPEC.loader.exec_module(_module)

frames_in, noisy, photograph, watch = _module.frames_in, _module.noisy, _module.photograph, _module.watch

FPS = 30


def frames_of(pictures: Iterable[U8]) -> Iterator[Frame]:
    """R'G'B' ``pictures`` as a camera would give them, 30 a second."""
    colour = material.COLOURS["BT.709 limited"]
    for number, rgb in enumerate(pictures):
        y, u, v = material.frame_of(rgb, (rgb.shape[1], rgb.shape[0]), colour).planes
        yield Frame(y, u, v, number, Fraction(1, FPS), colour, number / FPS)
