"""Every effect against a small picture that somebody has looked at: ``tests/golden/*.png``."""

from __future__ import annotations

from itertools import combinations

import cv2
import numpy as np
import pytest

from tests.golden.scene import FOLDER, GOLDENS, HEIGHT, WIDTH, answer, render, scene

# Another OpenCV may round another way, here and there.
MEAN, MOST = 0.5, 12


@pytest.mark.parametrize("name", GOLDENS)
def test_looks_as_it_did(name: str) -> None:
    path = FOLDER / f"{name}.png"
    golden = cv2.imread(str(path))
    assert golden is not None, f"{path} is missing: python -m tests.golden.make"
    difference = np.abs(render(name).astype(int) - golden[..., ::-1])
    assert difference.mean() <= MEAN
    assert difference.max() <= MOST


def test_no_picture_is_left_over() -> None:
    assert {path.stem for path in FOLDER.glob("*.png")} == set(GOLDENS)


def test_no_two_are_alike() -> None:
    """Each picture proves something of its own, well beyond the tolerance."""
    pictures = {name: render(name).astype(int) for name in GOLDENS}
    for (a, one), (b, two) in combinations(pictures.items(), 2):
        assert np.abs(one - two).mean() > MEAN, f"{a} and {b}"


@pytest.mark.parametrize("name", ["replace_green", "replace_picture_cover", "replace_video", "blur", "overlay_other"])
def test_the_person_is_the_person(name: str) -> None:
    sure = cv2.resize(answer(), (WIDTH, HEIGHT)) == 255
    sure = cv2.erode(sure.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    bare = render("passthrough").astype(int)
    assert sure.sum() > 1000
    assert np.abs(render(name) - bare)[sure].max() == 0
    assert np.abs(bare - scene())[sure].mean() < 3
