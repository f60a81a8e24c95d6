"""The loop that people write, as the thing to compare with: ``usual_loop.py CLIP SIZE EFFECT FFMPEG TARGET``.

OpenCV reads BGR, the model gets a resized float picture, the mask is enlarged, softened and blended in float over the
whole frame, and the bytes go down a bgr24 pipe into ffmpeg, with the daemon's encoder settings. Nothing is made slow
on purpose: it is what tutorials do, on the same model and with OpenVINO's settings for low latency.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
from clips import FPS, SIZES, encoder_options

from edgeseg.ovruntime import ov
from edgeseg.recipes import find_model, load_recipe

GREEN = (0, 255, 0)


def pipe_command(ffmpeg: str, size: str, target: str) -> list[str]:
    width, height = SIZES[size]
    raw = ["-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{width}x{height}", "-r", str(FPS), "-i", "pipe:0"]
    return [ffmpeg, "-v", "error", "-y", *raw, *encoder_options(ffmpeg, size), target]


def main(clip: str, size: str, effect: str, ffmpeg: str, target: str) -> int:
    recipe = load_recipe(find_model("selfie"))
    core = ov.Core()
    model = core.compile_model(core.read_model(recipe.path), "CPU", {"PERFORMANCE_HINT": "LATENCY"})
    capture = cv2.VideoCapture(clip)
    encoder = subprocess.Popen(pipe_command(ffmpeg, size, target), stdin=subprocess.PIPE)
    assert encoder.stdin is not None
    while True:
        ok, frame = capture.read()
        if not ok:
            break
        height, width = frame.shape[:2]
        small = cv2.cvtColor(cv2.resize(frame, (recipe.width, recipe.height)), cv2.COLOR_BGR2RGB)
        tensor = small.astype(np.float32)[None] / 255
        mask = model(tensor)[0].reshape(recipe.height, recipe.width)
        mask = cv2.GaussianBlur(cv2.resize(mask, (width, height)), (7, 7), 0)[..., None]
        background = cv2.GaussianBlur(frame, (55, 55), 0) if effect == "blur" else np.full_like(frame, GREEN)
        blended = frame * mask + background * (1 - mask)
        encoder.stdin.write(blended.astype(np.uint8).tobytes())
    capture.release()
    encoder.stdin.close()
    return encoder.wait()


def command(clip: Path, size: str, effect: str, ffmpeg: str, target: Path) -> list[str]:
    return [sys.executable, __file__, str(clip), size, effect, ffmpeg, str(target)]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
