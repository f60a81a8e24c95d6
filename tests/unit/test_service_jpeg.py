"""Colours of a snapshot, for each matrix and range."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest

from edgeseg.service._jpeg import encode_jpeg, to_bgr
from edgeseg.types import Colour, Frame, Matrix

# Y'CbCr of pure red, green, blue as the standards give them, rounded.
_RED_GREEN_BLUE = {
    (Matrix.BT601, False): [(81, 90, 240), (145, 54, 34), (41, 240, 110)],
    (Matrix.BT709, False): [(63, 102, 240), (173, 42, 26), (32, 240, 118)],
    (Matrix.BT601, True): [(76, 85, 255), (150, 44, 21), (29, 255, 107)],
    (Matrix.BT709, True): [(54, 99, 255), (182, 30, 12), (18, 255, 116)],
}


def plain(yuv: tuple[int, int, int], colour: Colour, width: int = 34, height: int = 18) -> Frame:
    half = ((height + 1) // 2, (width + 1) // 2)
    y, u, v = yuv
    planes = np.full((height, width), y, np.uint8), np.full(half, u, np.uint8), np.full(half, v, np.uint8)
    return Frame(*planes, 0, Fraction(1, 1000), colour, 0.0)


@pytest.mark.parametrize(("matrix", "full_range"), _RED_GREEN_BLUE)
def test_primaries_come_out_pure(matrix: Matrix, full_range: bool) -> None:
    for yuv, bgr in zip(_RED_GREEN_BLUE[matrix, full_range], [(0, 0, 255), (0, 255, 0), (255, 0, 0)], strict=True):
        picture = to_bgr(plain(yuv, Colour(matrix, full_range)))
        assert np.abs(picture.astype(int) - bgr).max() <= 3


@pytest.mark.parametrize("full_range", [False, True])
def test_black_and_white_reach_the_ends(full_range: bool) -> None:
    black, white = (0, 255) if full_range else (16, 235)
    for luma, expected in ((black, 0), (white, 255)):
        assert (to_bgr(plain((luma, 128, 128), Colour(Matrix.BT709, full_range))) == expected).all()


@pytest.mark.parametrize(("width", "height"), [(33, 17), (34, 17), (33, 18), (1, 1)])
def test_odd_sizes_keep_their_size(width: int, height: int) -> None:
    jpeg = encode_jpeg(plain((81, 90, 240), Colour(Matrix.BT601), width, height))
    decoded = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert decoded.shape == (height, width, 3)


def test_chroma_stays_with_its_luma() -> None:
    frame = plain((81, 90, 240), Colour(Matrix.BT601), 64, 32)
    frame.y[:, 32:], frame.u[:, 16:], frame.v[:, 16:] = 41, 240, 110
    picture = to_bgr(frame)
    assert np.abs(picture[:, :30].astype(int) - (0, 0, 255)).max() <= 3
    assert np.abs(picture[:, 34:].astype(int) - (255, 0, 0)).max() <= 3
