"""``edgeseg convert`` on a model of one operator: what it writes, prints and refuses."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
import pytest

from edgeseg.backends.openvino import OpenVinoBackend
from edgeseg.commands import convert
from edgeseg.convert.prove import Proof, prove_tflite
from edgeseg.errors import EXIT_MODEL, EXIT_USAGE, EdgesegError, ModelError, UsageError
from edgeseg.ovruntime import ov
from edgeseg.recipes import load_recipe
from edgeseg.types import OutputKind, Recipe
from tests.tiny_tflite import sigmoid_model


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.tflite"
    file.write_bytes(sigmoid_model())
    return file


def run(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    convert.add_arguments(parser)
    return convert.run(parser.parse_args([str(argument) for argument in arguments]))


def left_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_writes_a_folder_that_runs(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "made" / "tiny"
    options = ("--mean", "1,2,3", "--scale", "64", "--channel", "2", "--licence", "MIT", "--origin", "a test")
    assert run(source, "-o", target, *options, "--note", "Mind the gap.") == 0
    assert left_in(target) == ["README.md", "model.bin", "model.xml", "model.yaml"]
    assert left_in(tmp_path / "made") == ["tiny"]

    recipe = load_recipe(target)
    assert (recipe.name, recipe.width, recipe.height, recipe.kind) == ("tiny", 8, 4, OutputKind.PROBABILITY)
    assert (recipe.mean_values, recipe.scale_values, recipe.licence) == ((1, 2, 3), (64,), "MIT")
    assert recipe.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()

    backend = OpenVinoBackend("f32")
    backend.load(recipe, "CPU")
    picture = np.random.default_rng(0).integers(0, 256, (1, 4, 8, 3), np.uint8)
    expected = 255 / (1 + np.exp(-(picture[0, ..., 2] - 3.0) / 64))
    np.testing.assert_allclose(backend.infer(picture), expected, atol=1)
    backend.close()

    printed = capsys.readouterr().out
    assert "input 0: picture f32 [1,4,8,3]" in printed
    assert "output 0: answer f32 [1,4,8,3]" in printed
    assert "rewritten: nothing" in printed
    assert "proof: 6 pictures in ai-edge-litert and in OpenVINO f32: 100.000% of the pixels agree" in printed

    readme = (target / "README.md").read_text()
    for text in ("a test", "MIT", "Mind the gap.", "tiny.tflite", recipe.sha256):
        assert text in readme
    for name in ("model.xml", "model.bin", "model.yaml"):
        assert f"| `{name}` | `{hashlib.sha256((target / name).read_bytes()).hexdigest()}` |" in readme
    assert str(tmp_path) not in readme


def test_the_same_model_gives_the_same_bytes(source: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        run(source, "-o", tmp_path / name, "--name", "tiny", "--no-proof")
    for file in left_in(tmp_path / "one"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (sigmoid_model()[:-40], "is damaged"),
        (b"just some text, renamed", "is not a TensorFlow Lite model"),
        (sigmoid_model(custom="Frobnicate"), "OpenVINO has no operator Frobnicate"),
        (sigmoid_model(channels=4), "takes 4 channels, and pictures have 3"),
    ],
    ids=["truncated", "text", "custom operator", "four channels"],
)
def test_a_bad_model_leaves_nothing_behind(source: Path, tmp_path: Path, content: bytes, sentence: str) -> None:
    source.write_bytes(content)
    with pytest.raises(ModelError, match=sentence) as caught:
        run(source, "-o", tmp_path / "out")
    assert caught.value.exit_code == EXIT_MODEL
    assert "\n" not in str(caught.value)
    assert left_in(tmp_path) == ["tiny.tflite"]


def test_a_failure_half_way_leaves_the_old_model(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out"
    run(source, "-o", target, "--no-proof")
    before = {file: (target / file).read_bytes() for file in left_in(target)}

    def different(*_: object) -> None:
        raise ModelError("it answers differently")

    monkeypatch.setattr("edgeseg.convert.job.prove_tflite", different)
    with pytest.raises(ModelError, match="differently"):
        run(source, "-o", target, "--force", "--fp32")
    assert {file: (target / file).read_bytes() for file in left_in(target)} == before
    assert left_in(tmp_path) == ["out", "tiny.tflite"]


def test_a_model_is_replaced_only_when_told_to(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    run(source, "-o", target, "--no-proof")
    with pytest.raises(UsageError, match=r"out exists \(--force replaces it\)"):
        run(source, "-o", target)
    run(source, "-o", target, "--force", "--name", "renamed", "--no-proof")
    assert load_recipe(target).name == "renamed"
    assert left_in(tmp_path) == ["out", "tiny.tflite"]


def test_a_folder_with_other_things_in_it_is_never_replaced(source: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "diary.txt").write_text("dear diary")
    with pytest.raises(UsageError, match=r"diary\.txt is in the way"):
        run(source, "-o", tmp_path / "home", "--force")
    assert left_in(tmp_path / "home") == ["diary.txt"]


@pytest.mark.parametrize(
    ("name", "kind", "sentence"),
    [
        ("a.onnx", UsageError, r"files \.onnx cannot be converted \(supported: \.tflite\)"),
        ("model", UsageError, r"files without a suffix cannot be converted"),
        ("absent.tflite", ModelError, "does not exist"),
    ],
)
def test_sources_that_cannot_be(tmp_path: Path, name: str, kind: type[EdgesegError], sentence: str) -> None:
    with pytest.raises(kind, match=sentence) as caught:
        run(tmp_path / name, "-o", tmp_path / "out")
    assert caught.value.exit_code in {EXIT_USAGE, EXIT_MODEL}


@pytest.mark.parametrize(
    "arguments",
    [("--mean", "1,2"), ("--scale", "a"), ("--size", "256"), ("--size", "0x4"), ("--keep", "x"), ("--kind", "other")],
    ids=str,
)
def test_options_that_cannot_be(source: Path, tmp_path: Path, arguments: tuple[str, str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(source, "-o", tmp_path / "out", *arguments)
    assert caught.value.code == EXIT_USAGE


def test_the_proof_can_use_photographs(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import cv2

    folder = tmp_path / "pictures"
    folder.mkdir()
    with pytest.raises(UsageError, match="no picture lies in"):
        run(source, "-o", tmp_path / "out", "--pictures", folder)
    for index in range(2):
        noise = np.random.default_rng(index).integers(0, 256, (30, 40, 3), np.uint8)
        assert cv2.imwrite(str(folder / f"{index}.png"), noise)
    run(source, "-o", tmp_path / "out", "--pictures", folder)
    assert "proof: 2 pictures" in capsys.readouterr().out


def test_the_proof_notices_another_network(source: Path, tmp_path: Path) -> None:
    ops = ov.opset13
    picture = ops.parameter([1, 4, 8, 3], np.float32)
    opposite = ops.sigmoid(ops.negative(picture))
    ov.save_model(ov.Model([ops.result(opposite)], [picture]), str(tmp_path / "model.xml"))
    recipe = Recipe("opposite", str(tmp_path / "model.xml"), 8, 4, mean_values=(128,), scale_values=(32,))
    proof = prove_tflite(source, recipe)
    assert proof is not None
    assert proof.agreement < 0.5
    assert proof.largest_difference > 0.9


def test_a_conversion_that_changes_the_answers_is_refused(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeseg.convert.job.prove_tflite", lambda *_: Proof("a runtime", 6, 0.98, 0.7))
    sentence = r"answers differently after the conversion: 98\.000% .* difference 0\.7 \(--no-proof"
    with pytest.raises(ModelError, match=sentence):
        run(source, "-o", tmp_path / "out")
    assert left_in(tmp_path) == ["tiny.tflite"]
