"""A clip whose pictures carry their number, readable after scaling and compression."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from tests.equipment.write_clip import Planes, blank, write_clip
from tests.fakes_backend import paint_stamp


def stamped_planes(width: int, height: int, number: int) -> Planes:
    """A picture with ``number`` stamped on its top quarter; the rest is bright."""
    planes = blank(width, height, (200, 128, 128))
    paint_stamp(*planes, number)
    return planes


def write_stamped_clip(
    path: Path,
    *,
    times: Sequence[Fraction],
    width: int = 320,
    height: int = 256,
    rate: Fraction = Fraction(25),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    with_sound: bool = False,
    first: int = 0,
) -> None:
    """One picture for each of ``times``, numbered from ``first``; with sound, a hum as long as the pictures."""
    sound = None
    if with_sound:
        t = np.arange(int((times[-1] + 1 / rate) * 48000)) / 48000
        sound = (0.3 * np.sin(2 * np.pi * (200 + 20 * t) * t)).astype(np.float32)
    pictures = ((time, stamped_planes(width, height, first + n)) for n, time in enumerate(times))
    write_clip(path, pictures, rate=rate, codec=codec, pix_fmt=pix_fmt, sound=sound)


def even_times(seconds: float, rate: Fraction = Fraction(25)) -> list[Fraction]:
    return [n / rate for n in range(round(seconds * rate))]
