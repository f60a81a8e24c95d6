"""Real pictures of any size and colour, and a mask that no model would give."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from edgeseg.pictures import read
from edgeseg.types import U8, Colour, Frame, Matrix
from tests.reference.colour import i420_of
from tests.reference.effects import rounded

ROOT = Path(__file__).resolve().parents[2]
CLIP = ROOT / "demo" / "clip.mp4"
BACKGROUND = ROOT / "demo" / "background.jpg"
PHOTOGRAPHS = ROOT / "edgeseg" / "convert" / "pictures"
COLOURS = {
    f"BT.{matrix.name[2:]} {'full' if full else 'limited'}": Colour(matrix, full)
    for matrix in (Matrix.BT709, Matrix.BT601)
    for full in (False, True)
}
SIZES = {"360p": (640, 360), "720p": (1280, 720), "1080p": (1920, 1080)} | {
    f"{width}x{height}": (width, height) for width, height in [(854, 480), (1918, 1078), (640, 362)]
}


def clip_pictures(path: Path, numbers: tuple[int, ...]) -> Iterator[U8]:
    """R'G'B' [h, w, 3] of some of a clip's pictures, by ascending number."""
    with av.open(str(path)) as container:
        for number, picture in enumerate(container.decode(video=0)):
            if number in numbers:
                yield picture.to_ndarray(format="rgb24")
            if number >= max(numbers):
                return


def photographs() -> dict[str, U8]:
    """R'G'B' [h, w, 3] of the pictures that come with edgeseg, by name."""
    return {path.name: read(path) for path in sorted(PHOTOGRAPHS.glob("*.jpg"))}


def frame_of(rgb: U8, size: tuple[int, int], colour: Colour, pts: int = 0) -> Frame:
    """``rgb`` as a frame of ``size`` (width, height), stretched, in the numbers that ``colour`` stands for."""
    smaller = size[0] < rgb.shape[1]
    scaled = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    y, u, v = rounded(i420_of(scaled.astype(np.float64), colour))
    return Frame(y, u, v, pts, Fraction(1, 1000), colour, 0.0)


def mask(height: int = 256, width: int = 256) -> U8:
    """u8 [height, width]: somebody with a soft edge in the middle, and around her what is hard on a compositor: noise,
    hair one pixel wide, and a hard edge, up to the borders.
    """
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    person = np.minimum(np.hypot(x - 0.4, y - 0.35) - 0.2, np.hypot((x - 0.4) / 1.5, y - 1.1) - 0.4)
    alpha = np.clip(127.5 - 255 * 20 * person, 0, 255)
    noise, hair, hard = (x > 0.8) & (y < 0.25), (x > 0.8) & (y > 0.4) & (y < 0.6), (x > 0.85) & (y > 0.75)
    alpha[noise] = np.random.default_rng(0).uniform(0, 255, int(noise.sum()))
    alpha[hair] = np.broadcast_to(255.0 * (np.arange(width) % 7 == 0), alpha.shape)[hair]
    alpha[hard] = 255
    return np.rint(alpha).astype(np.uint8)
