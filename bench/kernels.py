"""CPU of what touches every pixel, alone: the kernels, and OpenCV where there are none. The demo's pictures, own masks.

.venv/bin/python bench/kernels.py

Warm: one picture again and again, which stays in the processor's caches. Cold: another picture each time, after as much
other memory was touched, as between two frames of a daemon.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from edgeseg.effects import _blend, _soften, blur, replace
from edgeseg.effects._blend_opencv import OpenCvBlender
from edgeseg.effects._soften_opencv import OpenCvSoftener
from edgeseg.frames import Canvas
from edgeseg.kernels import compositing, library, softening
from edgeseg.native import quieten
from edgeseg.sampling import Sampler
from edgeseg.types import Colour, Frame, Mask, Recipe

DEMO = Path(__file__).resolve().parent.parent / "demo"
SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
ROUNDS, PICTURES = 80, 6
_OTHER_MEMORY = np.zeros((2, 6 << 20), np.uint8)

Call = Callable[[int], object]


def frames(width: int, height: int) -> list[Frame]:
    """The first pictures of the clip, each in memory of its own."""
    with av.open(str(DEMO / "clip.mp4")) as container:
        decoded = [
            picture.reformat(width, height, "yuv420p")
            for picture in itertools.islice(container.decode(video=0), PICTURES)
        ]
    made = []
    for number, picture in enumerate(decoded):
        y, u, v = (
            np.asarray(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width].copy()
            for plane in picture.planes
        )
        made.append(Frame(y, u, v, number, Fraction(1, 30), Colour(), 0.0))
    return made


def mask() -> Mask:
    """Her cut-out, where she is in the first frame, as a model of 256x256 with a soft edge would give it."""
    sys.path.insert(0, str(DEMO))
    from motion import person_alpha

    small = cv2.resize(person_alpha(0), (256, 256), interpolation=cv2.INTER_AREA)
    return Mask(np.asarray(cv2.GaussianBlur(small, (0, 0), 1), np.uint8), 0, 0.0)


def calls(width: int, height: int, shape: Mask) -> dict[str, dict[str, Call]]:
    """What is measured: by step, by what does it. Each takes the number of a picture."""
    seen = frames(width, height)
    canvases = [Canvas(width, height, Colour()).frame for _ in range(PICTURES)]
    blenders: dict[str, _blend.Blender] = {"opencv": OpenCvBlender()}
    softeners: dict[str, _soften.Softener] = {"opencv": OpenCvSoftener()}
    for name in library.VARIANTS:
        if (blend := compositing.load(name)) and (soften := softening.load(name)):
            blenders[name], softeners[name] = _blend.CompiledBlender(blend), _soften.CompiledSoftener(soften)
    made: dict[str, dict[str, Call]] = {"sample": {}, "replace": {}, "blur": {}}
    for name, blender in blenders.items():
        sampler = Sampler(Recipe("any", "", 256, 256), "" if name == "opencv" else name)
        plain, soft = replace.Replace(), blur.Blur()
        plain._blender = soft._blender = blender
        soft._softener = softeners[name]
        made["sample"][name] = lambda n, sampler=sampler: sampler.sample(seen[n])
        made["replace"][name] = lambda n, plain=plain: plain.apply(seen[n], shape, canvases[n])
        made["blur"][name] = lambda n, soft=soft: soft.apply(seen[n], shape, canvases[n])
    return made


def measure(by: dict[str, Call], *, cold: bool) -> dict[str, tuple[float, float]]:
    """The least CPU milliseconds of a call and the median, by turns: so a busy neighbour is everybody's."""
    spent: dict[str, list[float]] = {name: [] for name in by}
    calls = list(by.items())
    for number in range(ROUNDS):
        for name, call in (*calls[number % len(calls) :], *calls[: number % len(calls)]):
            if cold:
                np.copyto(*_OTHER_MEMORY)
            started = time.thread_time()
            call(number % PICTURES if cold else 0)
            spent[name].append((time.thread_time() - started) * 1e3)
    return {name: (min(times), float(np.median(times))) for name, times in spent.items()}


def main() -> None:
    quieten()
    shape, names = mask(), ["opencv", *(name for name in library.VARIANTS if library.load(name))]
    print(f"{'CPU ms, least / median':<24}" + "".join(f"{name:>16}" for name in names))
    for size, (width, height) in SIZES.items():
        for step, by in calls(width, height, shape).items():
            for cold in (False, True):
                found = measure(by, cold=cold)
                cells = "".join(f"{f'{found[name][0]:.2f} / {found[name][1]:.2f}':>16}" for name in names)
                print(f"{f'{size} {step}, ' + ('cold' if cold else 'warm'):<24}" + cells)


if __name__ == "__main__":
    main()
