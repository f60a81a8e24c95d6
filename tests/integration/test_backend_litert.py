"""What is LiteRT's own: packages that are missing or do not fit, models that its delegate refuses, int8, threads."""

from __future__ import annotations

import logging
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseg.backends import litert
from edgeseg.backends.litert import LiteRtBackend, LiteRtEngine, find_runtime
from edgeseg.errors import ModelError
from edgeseg.types import Quantization, Recipe
from tests.fakes_backend import mean_of_channels
from tests.mean_models import edgetpu_tflite, mean_int8_tflite, mean_tflite, unscaled_tflite
from tests.shared import shared
from tests.turns import assert_others_run_during

WIDTH, HEIGHT = 32, 16
PICTURE = np.random.default_rng(0).integers(0, 256, (1, HEIGHT, WIDTH, 3), np.uint8)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    mean_tflite(path, WIDTH, HEIGHT)
    return path


def recipe(path: Path) -> Recipe:
    return Recipe(name="tiny", path=str(path), width=WIDTH, height=HEIGHT)


def installed(monkeypatch: pytest.MonkeyPatch, **packages: str) -> None:
    """Pretend that just these are."""

    def version(name: str) -> str:
        if name.replace("-", "_") not in packages:
            raise PackageNotFoundError(name)
        return packages[name.replace("-", "_")]

    monkeypatch.setattr(litert, "version", version)


def test_an_engine_is_of_a_package_and_answers_are_the_callers_own(model: Path) -> None:
    engine = LiteRtEngine(model)
    assert engine.runtime.partition(" ")[0] in ("ai-edge-litert", "tflite-runtime")
    first, second = (engine.run([np.full(engine.inputs[0].shape, value, np.float32)])[0] for value in (1, 2))
    assert np.all(first == 1), "an answer was overwritten by the next"
    assert np.all(second == 2)


def test_sides_that_the_file_leaves_open_are_those_of_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "open.tflite"
    mean_tflite(path, WIDTH, HEIGHT, open_sides=True)
    backend = LiteRtBackend()
    backend.load(recipe(path), "AUTO")
    np.testing.assert_array_equal(backend.infer(PICTURE), mean_of_channels(PICTURE[0]))


def test_an_int8_model_needs_no_word_in_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "int8.tflite"
    mean_int8_tflite(path, WIDTH, HEIGHT)
    engine = LiteRtEngine(path)
    assert engine.inputs[0].quantization == Quantization(pytest.approx(1 / 255), -128)  # type: ignore[arg-type]
    backend = LiteRtBackend()
    backend.load(recipe(path), "CPU")
    np.testing.assert_allclose(backend.infer(PICTURE), mean_of_channels(PICTURE[0]), atol=1)


def test_a_model_that_xnnpack_refuses_runs_without_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "unscaled.tflite"
    unscaled_tflite(path, WIDTH, HEIGHT)
    with caplog.at_level(logging.WARNING):
        engine = LiteRtEngine(path)
    assert np.all(engine.run([np.ones((1, HEIGHT, WIDTH, 3), np.int8)])[0] == 0)
    if engine.runtime.startswith("ai-edge-litert"):  # XNNPACK of tflite-runtime does not mind
        assert caplog.messages == [f"{path} runs without XNNPACK, which refuses it: it may be slow"]


@pytest.fixture
def resolvers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the sets of kernels that interpreters were made with, the last one last."""
    made: list[str] = []
    module = find_runtime().module
    real = module.Interpreter

    def interpreter(**settings: Any) -> Any:
        made.append(settings["experimental_op_resolver_type"].name)
        return real(**settings)

    monkeypatch.setattr(module, "Interpreter", interpreter)
    return made


def test_other_kernels_are_those_after_the_usual_ones(model: Path, resolvers: list[str]) -> None:
    picture = PICTURE.astype(np.float32)
    usual = LiteRtEngine(model).run([picture])[0]
    assert resolvers == ["AUTO"]
    other = LiteRtEngine(model, other_kernels=True).run([picture])[0]
    assert resolvers[-1] == "BUILTIN_WITHOUT_DEFAULT_DELEGATES"
    np.testing.assert_allclose(other, usual, rtol=1e-6)


def test_other_kernels_than_xnnpack_where_that_refuses_the_model(
    tmp_path: Path, resolvers: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "unscaled.tflite"
    unscaled_tflite(path, WIDTH, HEIGHT)
    with caplog.at_level(logging.WARNING):
        engine = LiteRtEngine(path, other_kernels=True)
    # XNNPACK of tflite-runtime does not mind, and the plain kernels are other ones already.
    refused = engine.runtime.startswith("ai-edge-litert")
    assert resolvers[-1] == ("BUILTIN_REF" if refused else "BUILTIN_WITHOUT_DEFAULT_DELEGATES")
    assert np.all(engine.run([np.ones((1, HEIGHT, WIDTH, 3), np.int8)])[0] == 0)
    assert caplog.messages == [], "who asks for other kernels knows that they are slow"


def test_other_kernels_do_not_help_a_damaged_file(model: Path) -> None:
    model.write_bytes(model.read_bytes()[:100])
    with pytest.raises(ModelError, match=r"model\.tflite cannot be run by "):
        LiteRtEngine(model, other_kernels=True)


def test_a_file_for_the_edge_tpu_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "tiny_edgetpu.tflite"
    edgetpu_tflite(path, WIDTH, HEIGHT)
    with pytest.raises(ModelError) as caught:
        LiteRtBackend().load(recipe(path), "CPU")
    assert str(caught.value) == (
        f"model 'tiny': {path} is compiled for the Edge TPU and runs nowhere else "
        "(use backend: edgetpu, or the file that it was compiled from)"
    )


def test_no_package_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    with pytest.raises(ModelError) as caught:
        find_runtime()
    assert str(caught.value) == (
        "nothing that runs .tflite files is installed (pip install 'edgeseg[tflite]' for ai-edge-litert)"
    )


def test_the_old_package_does_not_fit_the_new_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, tflite_runtime="2.14.0")
    monkeypatch.setattr(litert.np, "__version__", "2.4.6")
    with pytest.raises(ModelError) as caught:
        find_runtime()
    assert str(caught.value) == (
        "tflite-runtime 2.14.0 does not work with numpy 2.4.6: it was built for numpy 1 "
        "(pip install 'edgeseg[tflite]' for its successor ai-edge-litert, or pip install 'numpy<2')"
    )


def test_a_package_that_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, ai_edge_litert="9.9")
    monkeypatch.setattr(litert, "_PACKAGES", {"ai-edge-litert": "module_that_is_not_there"})
    with pytest.raises(ModelError, match=r"ai-edge-litert 9\.9 cannot be imported: No module named"):
        find_runtime()


def test_other_threads_run_during_inference(tmp_path: Path) -> None:
    path = tmp_path / "large.tflite"
    mean_tflite(path, 1024, 1024, 64)
    engine = LiteRtEngine(path)
    feed = [np.zeros(engine.inputs[0].shape, np.float32)]
    engine._interpreter.set_tensor(engine._feeds[0], feed[0])  # copying it is not what is asked about
    assert_others_run_during(engine._interpreter.invoke)


def test_the_video_model_reads_its_own_mask() -> None:
    """Refused by XNNPACK, four channels, int8: the previous mask changes the next."""
    path = shared("models", "portrait_video_quant.tflite")
    backend = LiteRtBackend()
    wanted = Recipe(
        name="video",
        path=str(path),
        width=224,
        height=224,
        color_order="BGR",
        mean_values=(103.94, 116.78, 123.68),
        scale_values=(1 / 0.017,),
        prior_channel=True,
    )
    backend.load(wanted, "CPU")
    picture = np.random.default_rng(1).integers(0, 256, (1, 224, 224, 3), np.uint8)
    first, second = backend.infer(picture), backend.infer(picture)
    assert first.shape == (224, 224)
    assert not np.array_equal(first, second)
    backend.load(replace(wanted), "CPU")
    np.testing.assert_array_equal(backend.infer(picture), first)
