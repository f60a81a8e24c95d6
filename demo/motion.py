"""How the person in the demo clip moves: the one place that knows where she is in frame n.

``make_clip.py`` draws the clip by it, and the end-to-end tests compare the daemon's pictures with it.
"""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT, FPS, FRAMES = 1280, 720, 30, 240
_HERE = Path(__file__).resolve().parent
_SIDE = 512  # of the photograph
_SCALE, _ZOOM = 1.95, 0.03
_X, _SWAY = 366, 34
_Y, _BOB = 70, 8


def person_matrix(n: int) -> npt.NDArray[np.float64]:
    """The 2x3 matrix from the photograph's pixels to those of frame ``n`` (1280x720). Frame 240 is frame 0 again."""
    turn = 2 * math.pi * (n % FRAMES) / FRAMES
    scale = _SCALE + _ZOOM * math.sin(turn + 1)
    x = _X + _SWAY * math.sin(turn) - (scale - _SCALE) * _SIDE / 2
    y = _Y + _BOB * math.sin(2 * turn) - (scale - _SCALE) * _SIDE / 4
    return np.array([[scale, 0, x], [0, scale, y]])


def background_matrix(n: int, width: int, height: int) -> npt.NDArray[np.float64]:
    """The same for a background photograph of ``width`` x ``height``, which fills the frame and drifts a little.

    It shows the right part, so that the rocket stands at the left of the person and never behind her.
    """
    turn = 2 * math.pi * (n % FRAMES) / FRAMES
    scale = 1.42 * max(WIDTH / width, HEIGHT / height)
    room_x, room_y = width * scale - WIDTH, height * scale - HEIGHT
    return np.array([[scale, 0, 16 - room_x + 12 * math.sin(turn)], [0, scale, -0.62 * room_y - 8 * math.cos(turn)]])


def person_alpha(n: int, width: int = WIDTH, height: int = HEIGHT) -> npt.NDArray[np.uint8]:
    """Where the person is in frame ``n``: u8 [height, width], 255 = person."""
    cut_out = cv2.imread(str(_HERE / "astronaut_alpha.png"), cv2.IMREAD_GRAYSCALE)
    assert cut_out is not None, "run demo/make_clip.py: astronaut_alpha.png is missing"
    alpha = place(np.asarray(cut_out, np.uint8), person_matrix(n))
    if (width, height) != (WIDTH, HEIGHT):
        alpha = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(alpha, np.uint8)


def place(picture: npt.NDArray[np.uint8], matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """``picture`` drawn into an empty frame."""
    return np.asarray(cv2.warpAffine(picture, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC), np.uint8)
