"""What every engine has to keep to: a new one is one line in ``ENGINES``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseg.backends.engine import Array, Engine
from edgeseg.errors import EXIT_MODEL, InferenceError, ModelError
from tests.equipment.pretend_edgetpu import pretend_edgetpu
from tests.mean_models import edgetpu_tflite, mean_ir, mean_onnx, mean_tflite

WIDTH, HEIGHT = 32, 16
TAKEN, GIVEN = (1, HEIGHT, WIDTH, 3), (1, HEIGHT, WIDTH, 1)


@dataclass(frozen=True)
class Candidate:
    """How to open a file, and the model that it is tried with: the mean over all channels."""

    open: Callable[[Path], Engine]
    file: str
    write: Callable[[Path, int, int], None]


def load(name: str, attribute: str, path: Path, *options: Any) -> Any:
    """An engine, imported only where it is tried: not every environment has all of them."""
    return getattr(import_module(f"edgeseg.backends.{name}"), attribute)(path, *options)


ENGINES: dict[str, Candidate] = {
    "openvino": Candidate(lambda path: load("openvino_engine", "OpenVinoEngine", path), "model.xml", mean_ir),
    "litert": Candidate(lambda path: load("litert", "LiteRtEngine", path), "model.tflite", mean_tflite),
    "onnx": Candidate(lambda path: load("onnx", "OnnxEngine", path), "model.onnx", mean_onnx),
    "edgetpu": Candidate(
        lambda path: load("edgetpu", "EdgeTpuEngine", path, "usb:0", pretend_edgetpu()), "model.tflite", edgetpu_tflite
    ),
}


@pytest.fixture(params=ENGINES)
def candidate(request: pytest.FixtureRequest) -> Candidate:
    return ENGINES[request.param]


@pytest.fixture
def model(candidate: Candidate, tmp_path: Path) -> Path:
    path = tmp_path / candidate.file
    candidate.write(path, WIDTH, HEIGHT)
    return path


@pytest.fixture
def engine(candidate: Candidate, model: Path) -> Iterator[Engine]:
    made = candidate.open(model)
    yield made
    made.close()


def noise(seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=TAKEN).astype(np.float32)


def test_says_what_it_is_and_what_it_takes(engine: Engine) -> None:
    name, _, version = engine.runtime.partition(" ")
    assert name
    assert version[0].isdigit()
    assert [(port.name, port.shape, port.dtype) for port in (*engine.inputs, *engine.outputs)] == [
        ("picture", TAKEN, np.float32),
        ("answer", GIVEN, np.float32),
    ]


def test_answers_each_picture_with_its_own(engine: Engine) -> None:
    for seed in range(3):
        (answer,) = engine.run([noise(seed)])
        np.testing.assert_allclose(answer, noise(seed).mean(axis=3, keepdims=True), atol=1e-6)


def test_leaves_the_arrays_to_their_owner_however_they_lie(engine: Engine) -> None:
    array = np.repeat(noise(1), 2, axis=3)[..., ::2]
    assert not array.flags.c_contiguous
    array.flags.writeable = False
    (answer,) = engine.run([array])
    np.testing.assert_allclose(answer, noise(1).mean(axis=3, keepdims=True), atol=1e-6)
    np.testing.assert_array_equal(array, noise(1))


@pytest.mark.parametrize(
    "arrays",
    [[], [noise(0), noise(0)], [np.zeros((1, 2, 2, 3), np.float32)], [np.zeros(TAKEN, np.uint8)]],
    ids=["none", "two", "shape", "type"],
)
def test_refuses_what_does_not_fit_and_goes_on(engine: Engine, model: Path, arrays: list[Array]) -> None:
    with pytest.raises(InferenceError) as caught:
        engine.run(arrays)
    assert str(model) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert engine.run([noise(2)])[0].shape == GIVEN


def test_may_be_closed_twice_and_does_not_answer_then(engine: Engine, model: Path) -> None:
    engine.close()
    engine.close()
    with pytest.raises(InferenceError, match=rf"{model} is closed"):
        engine.run([noise(0)])


@pytest.mark.parametrize("damage", [lambda c: b"", lambda c: b"text", lambda c: c[: len(c) // 2], lambda c: c[:8]])
def test_a_damaged_file_is_one_sentence(candidate: Candidate, model: Path, damage: Callable[[bytes], bytes]) -> None:
    model.write_bytes(damage(model.read_bytes()))
    with pytest.raises(ModelError) as caught:
        candidate.open(model)
    assert str(caught.value).startswith(str(model))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == EXIT_MODEL


def test_a_missing_file_is_named(candidate: Candidate, model: Path) -> None:
    model.unlink()
    with pytest.raises(ModelError, match=rf"^{model} does not exist$"):
        candidate.open(model)
