"""A clip of a scene that somebody walks into and out of again, with the number of each picture written on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from edgeseg.types import U8
from tests.demo_truth import CLIP, person_alpha
from tests.equipment.write_clip import Planes, write_clip

FPS = 15
WIDTH, HEIGHT = 640, 360
_BITS, _BLOCK = 10, 16


def write_visits_clip(path: Path, visits: Sequence[tuple[float, float]], seconds: float) -> Path:
    """The demo's person is there in each of ``visits`` (from, to, in seconds), and nobody is otherwise."""
    there = [any(start <= n / FPS < end for start, end in visits) for n in range(round(seconds * FPS))]
    write_clip(path, ((Fraction(n, FPS), planes) for n, planes in enumerate(_pictures(there))), rate=Fraction(FPS))
    return path


def number_on(luma: U8) -> int:
    """Which picture of the clip it is."""
    return sum(1 << bit for bit in range(_BITS) if luma[_BLOCK // 2, _BLOCK * bit + _BLOCK // 2] > 128)


def _pictures(there: Sequence[bool]) -> Iterator[Planes]:
    with av.open(str(CLIP)) as container:
        person = [
            cv2.resize(frame.to_ndarray(format="bgr24"), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
            for number, frame in enumerate(container.decode(video=0))
            if number % 2 == 0  # 30 pictures a second there
        ]
    nobody = _without_her(person[0])
    for number, somebody in enumerate(there):
        picture = np.array(person[number % len(person)] if somebody else nobody, np.uint8)
        for bit in range(_BITS):
            picture[:_BLOCK, _BLOCK * bit : _BLOCK * (bit + 1)] = 255 if number >> bit & 1 else 0
        yuv = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)
        chroma = yuv[HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2)
        yield np.asarray(yuv[:HEIGHT], np.uint8), np.asarray(chroma[0], np.uint8), np.asarray(chroma[1], np.uint8)


def _without_her(first: U8) -> U8:
    """The scene of the clip's first picture, filled in where she is."""
    small = cv2.resize(first, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
    her = cv2.dilate(person_alpha(0, WIDTH // 2, HEIGHT // 2), np.ones((9, 9), np.uint8))
    filled = cv2.inpaint(small, np.where(her > 0, 255, 0).astype(np.uint8), 3, cv2.INPAINT_TELEA)
    return np.asarray(cv2.resize(filled, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR), np.uint8)
