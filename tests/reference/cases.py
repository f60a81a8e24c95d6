"""Each effect twice: as the product makes it, with any of its kernels, and as the reference does."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

import numpy as np

from edgeseg.effects.blur import Blur
from edgeseg.effects.matte import Matte
from edgeseg.effects.overlay import Overlay
from edgeseg.effects.passthrough import Passthrough
from edgeseg.effects.replace import Replace
from edgeseg.frames import Canvas
from edgeseg.kernels import compositing, library
from edgeseg.pictures import read
from edgeseg.types import U8, Effect, Frame, Mask
from tests.reference import effects
from tests.reference.colour import Planes
from tests.reference.material import BACKGROUND
from tests.reference.resampling import F64

OPENCV = "opencv"
KERNELS = (*library.VARIANTS, OPENCV)


@dataclass(frozen=True, slots=True)
class Case:
    """One effect with its settings."""

    product: Callable[[], Effect]
    reference: Callable[[Frame, F64], Planes]


def _green(frame: Frame, mask: F64) -> Planes:
    return effects.replaced(frame, mask, effects.plain(frame, (0, 255, 0)))


def _picture(fit: str) -> Case:
    rgb = read(BACKGROUND)

    def reference(frame: Frame, mask: F64) -> Planes:
        background = effects.picture(rgb, frame.width, frame.height, fit, frame.colour)
        return effects.replaced(frame, mask, background)

    return Case(lambda: Replace(picture=BACKGROUND, fit=fit), reference)


def _blur(strength: float) -> Case:
    return Case(lambda: Blur(strength=strength), lambda frame, mask: effects.blurred_background(frame, mask, strength))


def _overlay(region: str) -> Case:
    colour, opacity = (200, 30, 90), 0.6
    return Case(
        lambda: Overlay(color=colour, opacity=opacity, region=region),
        lambda frame, mask: effects.overlaid(frame, mask, colour, opacity, other=region == "other"),
    )


CASES: dict[str, Case] = {
    "replace, colour": Case(lambda: Replace(color=(0, 255, 0)), _green),
    "replace, picture (cover)": _picture("cover"),
    "replace, picture (contain)": _picture("contain"),
    "replace, picture (stretch)": _picture("stretch"),
    "blur": _blur(1.0),
    "blur, strength 3": _blur(3.0),
    "overlay, kept": _overlay("kept"),
    "overlay, other": _overlay("other"),
    "matte": Case(Matte, effects.matte),
    "passthrough": Case(Passthrough, lambda frame, mask: effects.planes_of(frame)),
}


@contextmanager
def kernel(name: str) -> Iterator[None]:
    """Effects that are made meanwhile composite with the kernel ``name``."""
    with mock.patch.object(library, "variant", return_value="" if name == OPENCV else name):
        yield


def available() -> tuple[str, ...]:
    """The kernels that were compiled here and that this processor runs, and OpenCV."""
    return tuple(name for name in KERNELS if name == OPENCV or compositing.load(name))


def render(effect: Effect, frame: Frame, alpha: U8) -> tuple[U8, U8, U8]:
    """The product's picture."""
    canvas = Canvas(frame.width, frame.height, frame.colour)
    canvas.buffer.fill(77)
    effect.apply(frame, Mask(alpha, frame.pts, 0.0), canvas.frame)
    return canvas.frame.planes


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of two planes of bytes; infinite when they are the same."""
    error = float(np.mean((one.astype(np.float64) - other) ** 2))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def worst(one: tuple[U8, U8, U8], other: tuple[U8, U8, U8]) -> float:
    """The PSNR of the plane that differs most."""
    return min(psnr(a, b) for a, b in zip(one, other, strict=True))


def overlap(one: np.ndarray, other: np.ndarray, half: float = 0.5) -> float:
    """Intersection over union of what two masks keep; 1 where neither keeps anything."""
    a, b = one >= half, other >= half
    union = int((a | b).sum())
    return 1.0 if not union else int((a & b).sum()) / union
