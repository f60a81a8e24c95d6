"""What is ONNX Runtime's own."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from edgeseg.backends.onnx import OnnxBackend, OnnxEngine
from edgeseg.errors import ModelError
from edgeseg.types import Recipe
from tests.fakes_backend import mean_of_channels
from tests.mean_models import mean_onnx
from tests.shared import shared

WIDTH, HEIGHT = 32, 16
PICTURE = np.random.default_rng(0).integers(0, 256, (1, HEIGHT, WIDTH, 3), np.uint8)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    mean_onnx(path, WIDTH, HEIGHT)
    return path


def recipe(path: Path) -> Recipe:
    return Recipe(name="tiny", path=str(path), width=WIDTH, height=HEIGHT)


def test_an_answer_is_the_callers_own(model: Path) -> None:
    engine = OnnxEngine(model)
    assert engine.runtime.startswith("onnxruntime 1.")
    first, second = (engine.run([np.full(engine.inputs[0].shape, value, np.float32)])[0] for value in (1, 2))
    assert np.all(first == 1), "an answer was overwritten by the next"
    assert np.all(second == 2)


def test_sides_that_the_file_leaves_open_are_those_of_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "open.onnx"
    mean_onnx(path, WIDTH, HEIGHT, open_sides=True)
    assert OnnxEngine(path).outputs[0].shape == (1, 1, 1, 1)
    backend = OnnxBackend()
    backend.load(recipe(path), "AUTO")
    np.testing.assert_array_equal(backend.infer(PICTURE), mean_of_channels(PICTURE[0]))


def test_what_onnxruntime_complains_of_comes_without_its_codes(model: Path) -> None:
    model.write_bytes(b"text")
    with pytest.raises(ModelError, match=r"model\.onnx cannot be run by onnxruntime ") as caught:
        OnnxBackend().load(recipe(model), "CPU")
    assert "ONNXRuntimeError" not in str(caught.value)


def test_without_the_package(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError) as caught:
        OnnxBackend().load(recipe(model), "CPU")
    assert str(caught.value) == "onnxruntime is not installed (pip install 'edgeseg[onnx]')"


def test_sinet_finds_the_person() -> None:
    """Planes first, BGR, a normalisation of its own."""
    import cv2

    wanted = Recipe(
        name="sinet",
        path=str(shared("models", "SINet_Softmax.onnx")),
        width=320,
        height=320,
        layout="NCHW",
        color_order="BGR",
        mean_values=(102.890434, 111.25247, 126.91212),
        scale_values=(62.93292 * 255, 62.82138 * 255, 66.355705 * 255),
    )
    backend = OnnxBackend()
    backend.load(wanted, "CPU")
    photograph = sorted(shared("person60", "images").iterdir())[0]
    truth = cv2.imread(str(shared("person60", "masks") / f"{photograph.stem}.png"), cv2.IMREAD_GRAYSCALE)
    picture = cv2.imread(str(photograph), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    assert picture is not None
    assert truth is not None
    mask = backend.infer(cv2.resize(picture, (320, 320), interpolation=cv2.INTER_AREA)[None]) > 127
    kept = cv2.resize(truth, (320, 320), interpolation=cv2.INTER_AREA) > 127
    assert np.count_nonzero(mask & kept) / np.count_nonzero(mask | kept) > 0.7
