"""The stamp has to survive what a frame goes through on its way to the model."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeseg.errors import InferenceError
from edgeseg.types import U8, Recipe
from tests.fakes_backend import StampBackend, band, paint_stamp, read_stamp

NUMBERS = (0, 1, 7, 255, 256, 0x5555, 0xAAAA, 0xFFFF)


def stamped(width: int, height: int, number: int) -> tuple[U8, U8, U8]:
    random = np.random.default_rng(number)
    half = (-(-height // 2), -(-width // 2))
    y, u, v = (random.integers(16, 236, size, np.uint8) for size in ((height, width), half, half))
    paint_stamp(y, u, v, number)
    return y, u, v


def tensor_of(planes: tuple[U8, U8, U8], width: int, height: int) -> U8:
    size = (width, height)
    y, u, v = (cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in planes)
    yvu = np.ascontiguousarray(np.dstack([y, v, u]))
    return np.asarray(cv2.cvtColor(yvu, cv2.COLOR_YCrCb2RGB), np.uint8)[None]


@pytest.mark.parametrize("size", [(1280, 720), (768, 432), (321, 241), (64, 64)], ids=str)
def test_the_number_survives_scaling_and_colour_conversion(size: tuple[int, int]) -> None:
    for number in NUMBERS:
        planes = stamped(*size, number)
        assert read_stamp(planes[0]) == number
        for side in (64, 256):
            assert read_stamp(tensor_of(planes, side, side)[0]) == number


def test_the_backend_answers_with_the_band_of_the_stamp(tmp_path: Path) -> None:
    (tmp_path / "model.xml").write_text("<net/>")
    backend = StampBackend()
    backend.load(Recipe("stamp", str(tmp_path / "model.xml"), 64, 64), "CPU")
    for number in NUMBERS:
        mask = backend.infer(tensor_of(stamped(320, 240, number), 64, 64))
        np.testing.assert_array_equal(mask, band(number, 64, 64))
        assert np.flatnonzero(mask[0]).tolist() == list(range(number % 16 * 4, number % 16 * 4 + 4))
    with pytest.raises(InferenceError, match="no stamp"):
        backend.infer(np.zeros((1, 64, 64, 3), np.uint8))
