"""What every backend has to keep to: a new one is one line in ``BACKENDS``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edgeseg.backends.openvino import OpenVinoBackend
from edgeseg.errors import EXIT_MODEL, InferenceError, ModelError
from edgeseg.ovruntime import ov
from edgeseg.types import U8, Backend, Recipe
from tests.fakes_backend import StubBackend, mean_of_channels

WIDTH, HEIGHT = 32, 16
BACKENDS: dict[str, Callable[[], Backend]] = {
    "openvino": lambda: OpenVinoBackend(precision="f32"),
    "stub": StubBackend,
}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """A model that answers with the mean of the three channels."""
    ops = ov.opset13
    picture = ops.parameter([1, HEIGHT, WIDTH, 3], np.float32)
    mean = ops.reduce_mean(picture, np.array([3]), keep_dims=True)
    path = tmp_path_factory.mktemp("mean") / "model.xml"
    ov.save_model(ov.Model([ops.result(mean)], [picture], "mean"), str(path), compress_to_fp16=False)
    return Recipe(name="mean", path=str(path), width=WIDTH, height=HEIGHT)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    made = BACKENDS[request.param]()
    yield made
    made.close()


def noise(seed: int) -> U8:
    return np.random.default_rng(seed).integers(0, 256, (1, HEIGHT, WIDTH, 3), np.uint8)


def test_answers_with_the_mask_of_the_picture(backend: Backend, recipe: Recipe) -> None:
    backend.load(recipe, "CPU")
    for seed in range(3):
        mask = backend.infer(noise(seed))
        assert mask.shape == (HEIGHT, WIDTH)
        assert mask.dtype == np.uint8
        np.testing.assert_array_equal(mask, mean_of_channels(noise(seed)[0]))


def test_the_whole_range_is_used(backend: Backend, recipe: Recipe) -> None:
    backend.load(recipe, "CPU")
    for value in (0, 1, 128, 255):
        assert np.all(backend.infer(np.full((1, HEIGHT, WIDTH, 3), value, np.uint8)) == value)


def test_leaves_the_tensor_to_its_owner(backend: Backend, recipe: Recipe) -> None:
    backend.load(recipe, "CPU")
    tensor = noise(1)
    before = tensor.copy()
    tensor.flags.writeable = False
    backend.infer(tensor)
    np.testing.assert_array_equal(tensor, before)


def test_accepts_a_tensor_that_is_not_contiguous(backend: Backend, recipe: Recipe) -> None:
    backend.load(recipe, "CPU")
    tensor = noise(2)[..., ::-1]
    np.testing.assert_array_equal(backend.infer(tensor), mean_of_channels(tensor[0]))


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((1, HEIGHT, WIDTH + 1, 3), np.uint8), np.zeros((1, HEIGHT, WIDTH, 3), np.float32)],
    ids=["shape", "type"],
)
def test_refuses_another_tensor_than_the_recipe_says(backend: Backend, recipe: Recipe, wrong: U8) -> None:
    backend.load(recipe, "CPU")
    with pytest.raises(InferenceError, match="was given"):
        backend.infer(wrong)
    assert backend.infer(noise(3)).shape == (HEIGHT, WIDTH)  # and goes on


def test_without_a_model_there_is_no_answer(backend: Backend, recipe: Recipe) -> None:
    with pytest.raises(InferenceError, match="no model is loaded"):
        backend.infer(noise(0))
    backend.load(recipe, "CPU")
    backend.close()
    with pytest.raises(InferenceError, match="no model is loaded"):
        backend.infer(noise(0))


def test_may_be_closed_twice_and_loaded_again(backend: Backend, recipe: Recipe) -> None:
    backend.load(recipe, "CPU")
    backend.close()
    backend.close()
    backend.load(recipe, "CPU")
    backend.load(recipe, "CPU")
    np.testing.assert_array_equal(backend.infer(noise(4)), mean_of_channels(noise(4)[0]))


def test_a_missing_file_is_a_model_error_for_good(backend: Backend, recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"absent\.xml does not exist") as caught:
        backend.load(dataclasses.replace(recipe, path=str(tmp_path / "absent.xml")), "CPU")
    assert caught.value.permanent
    assert caught.value.exit_code == EXIT_MODEL


def test_an_unknown_device_is_named_with_those_that_exist(backend: Backend, recipe: Recipe) -> None:
    with pytest.raises(ModelError, match=r"no device 'TPU' on this machine \(available: .*CPU"):
        backend.load(recipe, "TPU")
