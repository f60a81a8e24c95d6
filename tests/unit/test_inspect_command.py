"""``edgeseg inspect`` on small files, a folder with a recipe, and on what cannot be read."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseg.commands import inspect
from edgeseg.errors import ModelError, UsageError
from edgeseg.ovruntime import ov
from tests.tflite_writer import sigmoid_model


def run(*args: str | Path) -> int:
    parser = argparse.ArgumentParser()
    inspect.add_arguments(parser)
    return inspect.run(parser.parse_args([str(arg) for arg in args]))


def tflite(folder: Path, **options: Any) -> Path:
    path = folder / "tiny.tflite"
    path.write_bytes(sigmoid_model(**options))
    return path


def test_a_tflite_file_is_told_about(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tflite(tmp_path)
    assert run(path) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"{path}\n  TensorFlow Lite, {path.stat().st_size} bytes, SHA-256 ")
    assert "0  picture  f32  1x4x8x3  a picture, NHWC: red, green and blue" in text
    assert "0  answer  f32  1x4x8x3  image" in text
    assert "--mean 0 --scale 255" in text
    assert "it answers with a picture, and a mask is wanted" in text


def test_the_same_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tflite(tmp_path), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["findings"]["task"] == "style transfer"
    assert told["findings"]["inputs"][0]["dims"] == [1, 4, 8, 3]
    assert told["problem"] is None
    assert len(told["sha256"]) == 64


def test_an_operator_that_nobody_knows_leaves_inputs_and_outputs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ModelError, match="Wonder"):
        run(tflite(tmp_path, custom="Wonder"))
    text = capsys.readouterr().out
    assert "picture" in text
    assert "answer" in text
    assert "Wonder 1" in text


def test_that_for_programs_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ModelError):
        run(tflite(tmp_path, custom="Wonder"), "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["findings"] is None
    assert "Wonder" in told["problem"]
    assert told["outputs"][0]["name"] == "answer"


def test_a_damaged_file_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tflite(tmp_path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ModelError, match="damaged"):
        run(path)
    assert "TensorFlow Lite, damaged, 200 bytes" in capsys.readouterr().out


def ir(folder: Path, shape: list[int], recipe: str = "") -> Path:
    ops = ov.opset13
    picture = ops.parameter(ov.PartialShape(shape), np.float32, name="picture")
    picture.output(0).set_names({"picture"})
    weights = np.ones((1, 3, 1, 1), np.float32)
    plane = ops.sigmoid(ops.convolution(picture, weights, [1, 1], [0, 0], [0, 0], [1, 1]))
    folder.mkdir(exist_ok=True)
    ov.save_model(ov.Model([ops.result(plane)], [picture], "made"), str(folder / "model.xml"))
    if recipe:
        (folder / "model.yaml").write_text(recipe, encoding="utf-8")
    return folder / "model.xml"


RECIPE = "name: made\nwidth: 32\nheight: 16\nlayout: NCHW\nlabels: [background, person]\n"


@pytest.mark.parametrize("given", ["made", "made/model.xml", "made/model.yaml"])
def test_a_model_with_a_recipe_shows_it(given: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ir(tmp_path / "made", [1, 3, -1, -1], RECIPE)
    assert run(tmp_path / given) == 0
    text = capsys.readouterr().out
    assert "OpenVINO IR" in text
    assert "its model.yaml" in text
    assert "  width: 32" in text
    assert "  labels: …" in text
    assert "what it does not tell" not in text


def test_a_bare_ir(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(ir(tmp_path, [1, 3, -1, -1]), "--size", "64x32") == 0
    text = capsys.readouterr().out
    assert re.search(r"size +64x32 ", text)
    assert "one probability for each pixel (sigmoid)" in text


def test_an_ir_without_its_weights(tmp_path: Path) -> None:
    path = ir(tmp_path, [1, 3, 16, 32])
    path.with_suffix(".bin").unlink()
    with pytest.raises(ModelError, match=r"model\.xml"):
        run(path)


def test_two_answers_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ops = ov.opset13
    picture = ops.parameter([1, 3, 16, 32], np.float32)
    heads = []
    for name in ("one", "two"):
        weights = np.ones((1, 3, 1, 1), np.float32)
        head = ops.sigmoid(ops.convolution(picture, weights, [1, 1], [0, 0], [0, 0], [1, 1]))
        head.output(0).set_names({name})
        heads.append(ops.result(head))
    ov.save_model(ov.Model(heads, [picture]), str(tmp_path / "model.xml"))
    assert run(tmp_path / "model.xml") == 0
    assert "nothing decides between them: --output one or --output two" in capsys.readouterr().out


def test_nothing_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        run(tmp_path / "absent.tflite")


def test_a_kind_of_file_that_nobody_reads(tmp_path: Path) -> None:
    path = tmp_path / "model.docx"
    path.write_text("a letter")
    with pytest.raises(UsageError, match="docx"):
        run(path)


@pytest.mark.parametrize("size", ["0x10", "10", "tenxten"])
def test_a_size_is_a_size(size: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(tflite(tmp_path), "--size", size)
    assert "is no size such as" in capsys.readouterr().err
