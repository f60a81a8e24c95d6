"""A clip that flashes and beeps at the same moment, once a second, and the eye and ear that measure it."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np

from tests.equipment.read_clip import Picture, Sound
from tests.equipment.write_clip import blank, write_clip

_RATE = Fraction(25)
_BEGIN, _ON = Fraction(12, 25), Fraction(5, 25)


def write_flash_beep_clip(path: Path, seconds: int, width: int = 320, height: int = 240) -> None:
    """White and a tone of 1 kHz for 0.2 s, beginning 0.48 s after each whole second; black silence between."""
    pictures = []
    for n in range(seconds * 25):
        time = n / _RATE
        lit = _BEGIN <= time % 1 < _BEGIN + _ON
        pictures.append((time, blank(width, height, (235 if lit else 16, 128, 128))))
    t = np.arange(seconds * 48000) / 48000
    beeping = (t % 1 >= float(_BEGIN)) & (t % 1 < float(_BEGIN + _ON))
    sound = np.where(beeping, 0.5 * np.sin(2 * np.pi * 1000 * t), 0).astype(np.float32)
    write_clip(path, pictures, rate=_RATE, sound=sound)


def flashes(pictures: list[Picture]) -> list[float]:
    """When each flash begins, in seconds; one whose first picture may have been dropped is left out."""
    lit = [(picture.pts_s, picture.y.mean() > 120) for picture in pictures]
    return [time for (before, was), (time, now) in pairwise(lit) if now and not was and time - before < 1.5 / _RATE]


def beeps(sound: Sound) -> list[float]:
    """When each tone begins, in seconds: the first loud sample after a tenth of a second without one."""
    onsets: list[float] = []
    last_loud = -1.0
    for start, block in sound.blocks:
        for index in np.flatnonzero(np.abs(block) > 0.15):
            time = start + index / sound.rate
            if time - last_loud > 0.1:
                onsets.append(time)
            last_loud = time
    return onsets


def offsets(pictures: list[Picture], sound: Sound) -> list[float]:
    """For each flash, how much later its tone begins, in seconds; flashes without a tone within half a second raise."""
    heard = beeps(sound)
    found = []
    for flash in flashes(pictures):
        nearest = min(heard, key=lambda beep: abs(beep - flash), default=None)
        if nearest is None or abs(nearest - flash) > 0.45:
            raise AssertionError(f"no tone near the flash at {flash:.3f} s: {heard}")
        found.append(nearest - flash)
    return found
