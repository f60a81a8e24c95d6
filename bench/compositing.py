"""CPU of the compositing alone: the kernel, and OpenCV where there is none. One picture of the demo, its own mask.

.venv/bin/python bench/compositing.py
"""

from __future__ import annotations

import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from edgeseg.effects import _blend, blur, replace
from edgeseg.effects._blend_opencv import OpenCvBlender
from edgeseg.frames import Canvas
from edgeseg.kernels import compositing, library
from edgeseg.native import quieten
from edgeseg.types import Colour, Effect, Frame, Mask

DEMO = Path(__file__).resolve().parent.parent / "demo"
SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
ROUNDS, CALLS = 15, 10


def first_frame(width: int, height: int) -> Frame:
    with av.open(str(DEMO / "clip.mp4")) as container:
        picture = next(container.decode(video=0)).reformat(width, height, "yuv420p")
    planes = [
        np.asarray(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width] for plane in picture.planes
    ]
    return Frame(planes[0], planes[1], planes[2], 0, Fraction(1, 1000), Colour(), 0.0)


def mask() -> Mask:
    """Her cut-out, where she is in the first frame, as a model of 256x256 with a soft edge would give it."""
    sys.path.insert(0, str(DEMO))
    from motion import person_alpha

    small = cv2.resize(person_alpha(0), (256, 256), interpolation=cv2.INTER_AREA)
    return Mask(np.asarray(cv2.GaussianBlur(small, (0, 0), 1), np.uint8), 0, 0.0)


def effects() -> dict[str, dict[str, Effect]]:
    """Each effect with each blender that there is here."""
    kinds = {"opencv": OpenCvBlender} | {
        name: (lambda blend=blend: _blend.CompiledBlender(blend))
        for name in library.VARIANTS
        if (blend := compositing.load(name))
    }
    made: dict[str, dict[str, Effect]] = {"replace": {}, "blur": {}}
    for kind, make in kinds.items():
        for name, effect in (("replace", replace.Replace()), ("blur", blur.Blur())):
            effect._blender = make()
            made[name][kind] = effect
    return made


def main() -> None:
    quieten()
    shape = mask()
    print(f"{'CPU ms a frame':<18}" + "".join(f"{kind:>10}" for kind in effects()["blur"]))
    for size, (width, height) in SIZES.items():
        frame, canvas = first_frame(width, height), Canvas(width, height, Colour())
        for name, kinds in effects().items():
            spent: dict[str, list[float]] = {kind: [] for kind in kinds}
            for _ in range(ROUNDS):  # by turns, so that a busy neighbour is everybody's
                for kind, effect in kinds.items():
                    started = time.thread_time()
                    for _ in range(CALLS):
                        effect.apply(frame, shape, canvas.frame)
                    spent[kind].append((time.thread_time() - started) / CALLS * 1e3)
            print(f"{size + ' ' + name:<18}" + "".join(f"{np.median(times):>10.2f}" for times in spent.values()))


if __name__ == "__main__":
    main()
