"""Which backend runs which file."""

from __future__ import annotations

import dataclasses
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from edgeseg import plugins
from edgeseg.backends.choose import backend_name, default_device, open_backend
from edgeseg.errors import ConfigError, ModelError
from edgeseg.types import Recipe
from tests.mean_models import edgetpu_tflite, mean_ir, mean_tflite

WIDTH, HEIGHT = 8, 4


@pytest.fixture(autouse=True)
def entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of this package, whatever is installed."""
    classes = {"openvino": "OpenVinoBackend", "litert": "LiteRtBackend", "edgetpu": "EdgeTpuBackend"}
    points = {
        name: EntryPoint(name, f"edgeseg.backends.{name}:{cls}", "edgeseg.backends") for name, cls in classes.items()
    }
    points["mine"] = EntryPoint("mine", "tests.fakes_backend:StubBackend", "edgeseg.backends")
    monkeypatch.setattr(plugins, "_points", lambda kind: points)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    mean_tflite(tmp_path / "mean.tflite", WIDTH, HEIGHT)
    return Recipe("mean", str(tmp_path / "mean.tflite"), WIDTH, HEIGHT)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a.xml", "openvino"),
        ("a.tflite", "litert"),
        ("a.onnx", "onnx"),
        ("A.TFLITE", "litert"),
        ("b.tflite", "edgetpu"),
    ],
)
def test_the_file_decides(tmp_path: Path, file: str, name: str) -> None:
    path = tmp_path / file
    if name == "edgetpu":
        edgetpu_tflite(path, WIDTH, HEIGHT)
    else:
        path.write_bytes(b"")
    assert backend_name(Recipe("tiny", str(path), WIDTH, HEIGHT)) == name


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("model.pb", r"model 'tiny': no backend runs \.pb files \(.*model\.pb\) \(edgeseg convert makes an IR"),
        ("model", "no backend runs such files"),
        ("absent.tflite", r"absent\.tflite does not exist"),
    ],
)
def test_files_that_none_runs(tmp_path: Path, file: str, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        backend_name(Recipe("tiny", str(tmp_path / file), WIDTH, HEIGHT))


def test_it_is_opened_and_loaded(recipe: Recipe, tmp_path: Path) -> None:
    backend = open_backend(recipe, threads=2)
    assert type(backend).__name__ == "LiteRtBackend"
    mean_ir(tmp_path / "model.xml", WIDTH, HEIGHT)
    other = open_backend(dataclasses.replace(recipe, path=str(tmp_path / "model.xml")), device="CPU", precision="f32")
    assert type(other).__name__ == "OpenVinoBackend"
    own = open_backend(recipe, "mine", "CPU")
    assert type(own).__name__ == "StubBackend"
    for opened in (backend, other, own):
        opened.close()


def test_each_has_a_device_for_those_who_do_not_say() -> None:
    assert [default_device(name) for name in ("openvino", "litert", "edgetpu", "mine")] == [
        "CPU",
        "CPU",
        "AUTO",
        "CPU",
    ]


def test_an_option_that_it_does_not_know(recipe: Recipe) -> None:
    with pytest.raises(ConfigError, match=r"backend 'litert': .*'precision' \(its options: threads\)"):
        open_backend(recipe, precision="f32")


def test_a_name_that_nobody_provides(recipe: Recipe) -> None:
    with pytest.raises(ConfigError, match=r"no backend is called 'litter' \(did you mean 'litert'"):
        open_backend(recipe, "litter")


def test_what_it_cannot_run_is_its_own_sentence(recipe: Recipe) -> None:
    with pytest.raises(ModelError, match=r"is not compiled for the Edge TPU \(.*backend: litert runs this one"):
        open_backend(recipe, "edgetpu")
