"""What every backend has to keep to: a new one is one line in ``BACKENDS``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseg.backends.watched import Watched
from edgeseg.errors import EXIT_MODEL, InferenceError, ModelError
from edgeseg.types import U8, Backend, Recipe
from tests.equipment.pretend_edgetpu import pretend_edgetpu
from tests.fakes_backend import StubBackend, mean_of_channels
from tests.mean_models import edgetpu_tflite, mean_ir, mean_onnx, mean_tflite

WIDTH, HEIGHT = 32, 16


@dataclass(frozen=True)
class Candidate:
    """How to make a backend, and the model that it is tried with: the mean over all channels."""

    make: Callable[[], Backend]
    file: str
    write: Callable[[Path, int, int, int], None]
    device: str = "CPU"


def load(name: str, attribute: str, **options: Any) -> Any:
    """A backend, imported only where it is tried: not every environment has all of them."""
    return getattr(import_module(f"edgeseg.backends.{name}"), attribute)(**options)


openvino = partial(load, "openvino", "OpenVinoBackend", precision="f32")
BACKENDS: dict[str, Candidate] = {
    "openvino": Candidate(openvino, "model.xml", mean_ir),
    "openvino that takes frames": Candidate(partial(openvino, sampling="graph"), "model.xml", mean_ir),
    "litert": Candidate(partial(load, "litert", "LiteRtBackend"), "model.tflite", mean_tflite),
    "onnx": Candidate(partial(load, "onnx", "OnnxBackend"), "model.onnx", mean_onnx),
    "edgetpu": Candidate(
        lambda: load("edgetpu", "EdgeTpuBackend", library=pretend_edgetpu()), "model.tflite", edgetpu_tflite, "usb:0"
    ),
    "stub": Candidate(StubBackend, "model.xml", mean_ir),
    "watched": Candidate(lambda: Watched(openvino(), timeout_s=30), "model.xml", mean_ir),
}


@pytest.fixture(params=BACKENDS)
def candidate(request: pytest.FixtureRequest) -> Candidate:
    return BACKENDS[request.param]


@pytest.fixture
def backend(candidate: Candidate) -> Iterator[Backend]:
    made = candidate.make()
    yield made
    made.close()


@pytest.fixture
def device(candidate: Candidate) -> str:
    return candidate.device


@pytest.fixture
def recipe(candidate: Candidate, tmp_path: Path) -> Recipe:
    """A model that answers with the mean of the three channels."""
    path = tmp_path / candidate.file
    candidate.write(path, WIDTH, HEIGHT, 3)
    return Recipe(name="mean", path=str(path), width=WIDTH, height=HEIGHT)


def noise(seed: int) -> U8:
    return np.random.default_rng(seed).integers(0, 256, (1, HEIGHT, WIDTH, 3), np.uint8)


def test_answers_with_the_mask_of_the_picture(backend: Backend, recipe: Recipe, device: str) -> None:
    backend.load(recipe, device)
    for seed in range(3):
        mask = backend.infer(noise(seed))
        assert mask.shape == (HEIGHT, WIDTH)
        assert mask.dtype == np.uint8
        np.testing.assert_array_equal(mask, mean_of_channels(noise(seed)[0]))


def test_the_whole_range_is_used(backend: Backend, recipe: Recipe, device: str) -> None:
    backend.load(recipe, device)
    for value in (0, 1, 128, 255):
        assert np.all(backend.infer(np.full((1, HEIGHT, WIDTH, 3), value, np.uint8)) == value)


def test_the_mask_of_the_picture_before_is_the_fourth_channel(
    candidate: Candidate, backend: Backend, device: str, tmp_path: Path
) -> None:
    path = tmp_path / candidate.file
    candidate.write(path, WIDTH, HEIGHT, 4)
    recipe = Recipe(name="mean", path=str(path), width=WIDTH, height=HEIGHT, prior_channel=True)
    for _ in range(2):  # a model that is loaded anew has seen nothing
        backend.load(recipe, device)
        expected = np.zeros((HEIGHT, WIDTH), np.uint8)
        for seed in range(3):
            expected = mean_of_channels(np.dstack([noise(seed)[0], expected]))
            np.testing.assert_allclose(backend.infer(noise(seed)), expected, atol=1)


# The first channel is plus infinity where it is lit, the second minus infinity, and their mean is no number.
ENDLESS: dict[str, Any] = {"scale_values": (1e-38, -1e-38, 1.0)}
DARK, LIT = np.zeros((1, HEIGHT, WIDTH, 3), np.uint8), np.zeros((1, HEIGHT, WIDTH, 3), np.uint8)
LIT[..., 0] = 255
NO_NUMBER = LIT.copy()
NO_NUMBER[0, 3, 5, 1] = 255


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_what_is_no_number_is_an_error_and_the_next_answer_counts(
    candidate: Candidate, backend: Backend, recipe: Recipe, device: str
) -> None:
    if candidate.make is StubBackend:
        pytest.skip("the stub does not look into its recipe")
    backend.load(dataclasses.replace(recipe, **ENDLESS), device)
    for _ in range(2):
        with pytest.raises(InferenceError, match=r"^model 'mean' answered with values that are no numbers$"):
            backend.infer(NO_NUMBER)
        assert np.all(backend.infer(LIT) == 255)
        assert np.all(backend.infer(DARK) == 0)


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_the_mask_before_is_the_last_good_one_until_it_is_reset(
    candidate: Candidate, backend: Backend, device: str, tmp_path: Path
) -> None:
    reset = getattr(backend, "reset", None)
    if reset is None:
        pytest.skip("this backend remembers nothing of its own")
    path = tmp_path / candidate.file
    candidate.write(path, WIDTH, HEIGHT, 4)
    reset()  # without a model there is nothing to forget
    backend.load(Recipe("mean", str(path), WIDTH, HEIGHT, prior_channel=True, **ENDLESS), device)
    backend.infer(LIT)
    with pytest.raises(InferenceError, match="no numbers"):
        backend.infer(NO_NUMBER)
    assert np.all(backend.infer(DARK) == 64)
    reset()
    assert np.all(backend.infer(DARK) == 0)


def test_leaves_the_tensor_to_its_owner(backend: Backend, recipe: Recipe, device: str) -> None:
    backend.load(recipe, device)
    tensor = noise(1)
    before = tensor.copy()
    tensor.flags.writeable = False
    backend.infer(tensor)
    np.testing.assert_array_equal(tensor, before)


def test_accepts_a_tensor_that_is_not_contiguous(backend: Backend, recipe: Recipe, device: str) -> None:
    backend.load(recipe, device)
    tensor = noise(2)[..., ::-1]
    np.testing.assert_array_equal(backend.infer(tensor), mean_of_channels(tensor[0]))


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((1, HEIGHT, WIDTH + 1, 3), np.uint8), np.zeros((1, HEIGHT, WIDTH, 3), np.float32)],
    ids=["shape", "type"],
)
def test_refuses_another_tensor_than_the_recipe_says(backend: Backend, recipe: Recipe, device: str, wrong: U8) -> None:
    backend.load(recipe, device)
    with pytest.raises(InferenceError, match="was given"):
        backend.infer(wrong)
    assert backend.infer(noise(3)).shape == (HEIGHT, WIDTH)  # and goes on


def test_without_a_model_there_is_no_answer(backend: Backend, recipe: Recipe, device: str) -> None:
    with pytest.raises(InferenceError, match="no model is loaded"):
        backend.infer(noise(0))
    backend.load(recipe, device)
    backend.close()
    with pytest.raises(InferenceError, match="no model is loaded"):
        backend.infer(noise(0))


def test_may_be_closed_twice_and_loaded_again(backend: Backend, recipe: Recipe, device: str) -> None:
    backend.load(recipe, device)
    backend.close()
    backend.close()
    backend.load(recipe, device)
    backend.load(recipe, device)
    np.testing.assert_array_equal(backend.infer(noise(4)), mean_of_channels(noise(4)[0]))


def test_a_missing_file_is_a_model_error_for_good(backend: Backend, recipe: Recipe, device: str) -> None:
    absent = Path(recipe.path).with_stem("absent")
    with pytest.raises(ModelError, match=rf"{absent} does not exist") as caught:
        backend.load(dataclasses.replace(recipe, path=str(absent)), device)
    assert caught.value.permanent
    assert caught.value.exit_code == EXIT_MODEL


def test_an_unknown_device_is_named_with_those_that_exist(backend: Backend, recipe: Recipe) -> None:
    with pytest.raises(ModelError, match=r"no device 'TPU' on this machine \(available: (.*CPU|none|usb|pci)"):
        backend.load(recipe, "TPU")


def test_a_recipe_that_does_not_fit_is_refused(
    candidate: Candidate, backend: Backend, recipe: Recipe, device: str
) -> None:
    if candidate.make is StubBackend:
        pytest.skip("the stub does not look into its file")
    with pytest.raises(ModelError, match=r"model 'mean' does not fit its recipe: .*the recipe says NHWC") as caught:
        backend.load(dataclasses.replace(recipe, width=WIDTH + 2), device)
    assert caught.value.exit_code == EXIT_MODEL
    backend.load(recipe, device)
    assert backend.infer(noise(5)).shape == (HEIGHT, WIDTH)


def test_a_damaged_file_is_one_sentence(candidate: Candidate, backend: Backend, recipe: Recipe, device: str) -> None:
    if candidate.make is StubBackend:
        pytest.skip("the stub does not look into its file")
    path = Path(recipe.path)
    path.write_bytes(b"this is no model" + path.read_bytes()[-64:])
    with pytest.raises(ModelError) as caught:
        backend.load(recipe, device)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)
