"""A drawn scene with a drawn person, its mask, and what every effect makes of it.

No photograph, no model and no codec: the golden pictures change only when the effects or the masks do.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from edgeseg.colour import i420_from_rgb, rgb_from_i420
from edgeseg.effects.blur import Blur
from edgeseg.effects.matte import Matte
from edgeseg.effects.overlay import Overlay
from edgeseg.effects.passthrough import Passthrough
from edgeseg.effects.replace import Replace
from edgeseg.frames import fill
from edgeseg.masks import MaskRefiner, RefineSettings
from edgeseg.types import U8, Colour, Effect, Frame, Matrix
from tests.fakes_source import FakeSource

WIDTH, HEIGHT = 192, 108
MASK_WIDTH, MASK_HEIGHT = 96, 54
COLOUR = Colour(Matrix.BT601)
FOLDER = Path(__file__).parent


def _grid(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixel centres on a plane of 192x108, whatever the size of the picture."""
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    return x * WIDTH, y * HEIGHT


def _person(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signed distances, negative inside, of head and body: left of the middle, so that a mirror would show."""
    head = np.hypot(x - 78, (y - 36) * 0.85) - 17
    body = np.hypot((x - 78) / 1.6, y - 96) - 24
    return head, np.maximum(body, 58 - y)


def scene() -> U8:
    """R'G'B' [108, 192, 3]: a bright window and shelves behind somebody in blue."""
    x, y = _grid(WIDTH, HEIGHT)
    rgb = np.empty((HEIGHT, WIDTH, 3), np.float64)
    rgb[...] = np.stack([170 - 0.5 * y, 150 - 0.4 * y, 120 - 0.3 * x / 2], axis=-1)
    window = (abs(x - 150) < 28) & (abs(y - 34) < 22)
    rgb[window] = (250, 250, 235)
    rgb[window & ((abs(x - 150) < 2) | (abs(y - 34) < 2))] = (90, 60, 40)
    shelves = (x < 40) & (y > 10)
    rgb[shelves & ((x // 5 + 3 * (y // 22)) % 3 == 0)] = (150, 30, 30)
    rgb[shelves & ((x // 5 + 3 * (y // 22)) % 3 == 1)] = (30, 110, 60)
    rgb[shelves & (y % 22 < 3)] = (70, 45, 25)
    head, body = _person(x, y)
    rgb[body < 0] = (40, 60, 150)
    rgb[head < 0] = (224, 172, 140)
    rgb[(head < 0) & (y < 28)] = (60, 40, 30)
    rgb[(np.hypot(x - 72, y - 36) < 2) | (np.hypot(x - 84, y - 36) < 2)] = (30, 30, 30)
    return np.clip(rgb, 0, 255).astype(np.uint8)


def answer() -> U8:
    """What a good model would say of it, u8 [54, 96]: soft over two cells of its own."""
    head, body = _person(*_grid(MASK_WIDTH, MASK_HEIGHT))
    return np.clip(127.5 - 40 * np.minimum(head, body), 0, 255).astype(np.uint8)


def photo() -> U8:
    """A tall background, R'G'B' [160, 120, 3], with a mark in each corner: shows what a fit cuts off."""
    y, x = np.indices((160, 120))
    rgb = np.stack([60 + y, 120 + x // 2, 200 - y // 2], axis=-1).astype(np.uint8)
    rgb[np.hypot(x - 60, y - 80) < 35] = (250, 220, 60)
    for corner, color in zip(
        [(0, 0), (0, 100), (140, 0), (140, 100)], [(255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0)]
    ):
        rgb[corner[0] : corner[0] + 20, corner[1] : corner[1] + 20] = color
    return rgb


def frame_of(rgb: U8, pts: int = 0) -> Frame:
    return Frame(*i420_from_rgb(rgb, COLOUR), pts, Fraction(1, 1000), COLOUR, 0.0)


def _film() -> FakeSource:
    """A bar that moves to the right by 16 pixels with each picture."""
    frames = []
    for number in range(10):
        rgb = np.full((54, 96, 3), (20, 30, 60), np.uint8)
        rgb[:, 16 * number % 96 : 16 * number % 96 + 16] = (240, 240, 120)
        frames.append(frame_of(rgb, 40 * number))
    return FakeSource(frames)


def _with_photo(fit: str) -> Effect:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.png"
        cv2.imwrite(str(path), photo()[..., ::-1])
        return Replace(picture=path, fit=fit)


class _Covered:
    """What the pipeline does without a mask."""

    def apply(self, frame: Frame, mask: object, out: Frame) -> None:
        fill(out, (60, 128, 128))


def _inverted(effect: Effect) -> tuple[Effect, RefineSettings]:
    return effect, RefineSettings(invert=True)


_PLAIN = RefineSettings()
GOLDENS: dict[str, Callable[[], tuple[Effect, RefineSettings]]] = {
    "replace_green": lambda: (Replace(color=(0, 255, 0)), _PLAIN),
    "replace_magenta": lambda: (Replace(color=(255, 0, 255)), _PLAIN),
    "replace_picture_cover": lambda: (_with_photo("cover"), _PLAIN),
    "replace_picture_contain": lambda: (_with_photo("contain"), _PLAIN),
    "replace_picture_stretch": lambda: (_with_photo("stretch"), _PLAIN),
    "replace_video": lambda: (Replace(video=_film(), fit="stretch"), _PLAIN),
    "replace_inverted": lambda: _inverted(Replace(color=(0, 0, 0))),
    "blur": lambda: (Blur(), _PLAIN),
    "blur_strong": lambda: (Blur(strength=3.0), _PLAIN),
    "overlay_kept": lambda: (Overlay(color=(255, 0, 0), opacity=0.5), _PLAIN),
    "overlay_other": lambda: (Overlay(color=(0, 0, 255), opacity=0.5, region="other"), _PLAIN),
    "matte": lambda: (Matte(), _PLAIN),
    "matte_threshold": lambda: (Matte(), RefineSettings(threshold=0.5, feather=0.0)),
    "matte_feather": lambda: (Matte(), RefineSettings(feather=4.0, smooth_step=(0.0, 1.0))),
    "passthrough": lambda: (Passthrough(), _PLAIN),
    "cover": lambda: (_Covered(), _PLAIN),
}


def render(name: str) -> U8:
    """The scene through one effect, R'G'B' [108, 192, 3]."""
    effect, settings = GOLDENS[name]()
    out = frame_of(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    for pts in (0, 80):  # the second one shows that a video plays
        frame = frame_of(scene(), pts)
        effect.apply(frame, MaskRefiner(settings).refine(answer(), pts), out)
    return rgb_from_i420(*out.planes, COLOUR)
