"""What the reader of .tflite files says: facts, notes, and what is wrong with files that it cannot read."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.convert.readers.tflite import read
from edgeseg.convert.readers.tflite_file import parse
from edgeseg.errors import ModelError
from edgeseg.types import Quantization
from tests.mean_models import mean_tflite
from tests.tflite_writer import CUSTOM, LOGISTIC, TILE, Model, Number, Operator, Tensor, build, pack, sigmoid_model

IMAGES = Quantization(1 / 255, -128)
CHANCES = Quantization(1 / 256, -128)


def whole_numbers(**changes: Any) -> bytes:
    """An i8 network of one sigmoid."""
    tensors = [Tensor("x", (1, 4, 6, 3), "i1", IMAGES), Tensor("y", (1, 4, 6, 3), "i1", CHANCES)]
    return build(Model(tensors, [Operator(LOGISTIC, ["x"], ["y"])], ["x"], ["y"], **changes))


def metadata(mean: list[float], std: list[float], labels: str = "labels.txt") -> bytes:
    normal = {0: np.array(mean, np.float32), 1: np.array(std, np.float32)}
    picture = {0: "image", 4: [{0: Number("Uint8", 1), 1: normal}]}
    answer = {0: "mask", 6: [{0: labels, 2: Number("Int8", 2)}]}
    return pack({0: "it", 3: [{2: [picture], 3: [answer]}]}, b"M001")


def with_labels(model: bytes, text: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("labels.txt", text)
    return model + archive.getvalue()


def written(tmp_path: Path, content: bytes) -> Path:
    file = tmp_path / "a.tflite"
    file.write_bytes(content)
    return file


def test_a_plain_model_says_nothing_about_itself(tmp_path: Path) -> None:
    source = read(written(tmp_path, sigmoid_model()))
    assert (dict(source.facts), source.notes, source.rewritten) == ({}, (), ())


def test_the_source_of_open_sides_runs_at_the_chosen_size(tmp_path: Path) -> None:
    path = tmp_path / "open.tflite"
    mean_tflite(path, 8, 4, open_sides=True)
    source = read(path)
    source.model.reshape([1, 6, 10, 3])
    assert source.engine is not None
    engine = source.engine()
    assert engine.inputs[0].shape == (1, 6, 10, 3)
    assert engine.run([np.full((1, 6, 10, 3), 0.5, np.float32)])[0] == pytest.approx(0.5)


def test_whole_numbers_and_what_they_stand_for(tmp_path: Path) -> None:
    file = written(tmp_path, whole_numbers())
    facts = read(file).facts
    assert facts["output_quantization"] == CHANCES
    assert facts["input_quantization"].zero_point == -128
    assert facts["input_quantization"].scale == pytest.approx(1 / 255)
    assert [tensor.kind for tensor in parse(file).inputs + parse(file).outputs] == ["i8", "i8"]


def test_the_model_keeps_its_types(tmp_path: Path) -> None:
    model = read(written(tmp_path, whole_numbers())).model
    assert [port.get_element_type().get_type_name() for port in (model.input(), model.output())] == ["i8", "i8"]


def test_the_engine_runs_the_file(tmp_path: Path) -> None:
    source = read(written(tmp_path, sigmoid_model()))
    assert source.engine is not None
    engine = source.engine()
    (answer,) = engine.run([np.zeros((1, 4, 8, 3), np.float32)])
    engine.close()
    np.testing.assert_allclose(answer, 0.5, atol=1e-6)


def test_metadata(tmp_path: Path) -> None:
    model = whole_numbers(metadata={"TFLITE_METADATA": metadata([127.5], [127.5])})
    facts = read(written(tmp_path, with_labels(model, "background\n person \n\n"))).facts
    assert facts["mean_values"] == facts["scale_values"] == (127.5,)
    assert facts["labels"] == ("background", "person")


@pytest.mark.parametrize("std", [[0.0], [float("nan")], [1.0, 2.0]], ids=["zero", "nan", "two"])
def test_a_normalisation_that_cannot_be_is_not_believed(tmp_path: Path, std: list[float]) -> None:
    model = whole_numbers(metadata={"TFLITE_METADATA": metadata([0.0], std)})
    assert "scale_values" not in read(written(tmp_path, model)).facts


@pytest.mark.parametrize("tail", [b"", b"PK\5\6" + b"\0" * 40, b"no archive"], ids=["none", "broken", "text"])
def test_labels_that_are_not_there(tmp_path: Path, tail: bytes) -> None:
    model = whole_numbers(metadata={"TFLITE_METADATA": metadata([0.0], [255.0])})
    facts = read(written(tmp_path, model + tail)).facts
    assert "labels" not in facts
    assert facts["scale_values"] == (255.0,)


@pytest.mark.parametrize("content", [b"junk", metadata([0.0], [255.0])[:60]], ids=["junk", "cut"])
def test_damaged_metadata_is_left_out_and_told(tmp_path: Path, content: bytes) -> None:
    source = read(written(tmp_path, whole_numbers(metadata={"TFLITE_METADATA": content})))
    assert "metadata" in source.notes[0]
    assert "mean_values" not in source.facts


def test_an_edge_tpu_build_is_recognised(tmp_path: Path) -> None:
    tensors = [Tensor("x", (1, 4, 4, 3)), Tensor("y", (1, 4, 4, 1))]
    operator = Operator(CUSTOM, ["x"], ["y"], "edgetpu-custom-op", b"\0" * 64)
    file = written(tmp_path, build(Model(tensors, [operator], ["x"], ["y"])))
    with pytest.raises(ModelError, match=r"compiled for the Edge TPU.*convert the \.tflite it was made from"):
        read(file)


def test_an_operator_that_nobody_knows(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="OpenVINO has no operator Frobnicate"):
        read(written(tmp_path, sigmoid_model(custom="Frobnicate")))


def test_options_that_a_rewrite_does_not_know(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"a\.tflite cannot be converted: Convolution2DTransposeBias"):
        read(written(tmp_path, sigmoid_model(custom="Convolution2DTransposeBias")))


@pytest.mark.parametrize(
    ("tensor", "complaint"),
    [
        (Tensor("times", (1000,), "i4", values=[1, 1]), "8 bytes of values"),
        (Tensor("times", (-2,), "i4"), r"the shape \[-2\]"),
    ],
    ids=["short", "negative"],
)
def test_tensors_that_cannot_be(tmp_path: Path, tensor: Tensor, complaint: str) -> None:
    tensors = [Tensor("x", (1, 4)), tensor, Tensor("y", (1, 4))]
    file = written(tmp_path, build(Model(tensors, [Operator(TILE, ["x", "times"], ["y"])], ["x"], ["y"])))
    with pytest.raises(ModelError, match=rf"is damaged: .*{complaint}"):
        read(file)


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read: Is a directory"):
        read(tmp_path)


WHOLE = whole_numbers(metadata={"TFLITE_METADATA": metadata([0.0], [255.0])})


@settings(deadline=None, max_examples=60)
@given(flips=st.lists(st.tuples(st.integers(8, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_wrong_bytes_never_raise_anything_else(
    tmp_path_factory: pytest.TempPathFactory, flips: list[tuple[int, int]]
) -> None:
    changed = bytearray(WHOLE)
    for position, value in flips:
        changed[position] = value
    file = written(tmp_path_factory.mktemp("flip"), bytes(changed))
    try:
        source = read(file)
    except ModelError as exc:
        assert str(file) in str(exc)  # noqa: PT017  # not raising is right as well
    else:
        assert source.model is not None
