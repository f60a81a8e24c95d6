"""Looking into .tflite files, whole ones and damaged ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.convert.readers.tflite_file import TfliteOperator, parse
from edgeseg.errors import ModelError
from tests.tflite_writer import LOGISTIC, sigmoid_model

WHOLE = sigmoid_model()


def test_operators_and_their_tensors(tmp_path: Path) -> None:
    file = tmp_path / "a.tflite"
    file.write_bytes(WHOLE)
    assert parse(file).operators == (TfliteOperator("", b"", ("picture",), ("answer",), LOGISTIC),)
    assert parse(file).custom_operators == []


def test_custom_operators_are_named(tmp_path: Path) -> None:
    file = tmp_path / "a.tflite"
    file.write_bytes(sigmoid_model(custom="Frobnicate"))
    assert parse(file).custom_operators == ["Frobnicate"]


@pytest.mark.parametrize("content", [b"", b"TFL3", b"hello, this is text", b"\0" * 64])
def test_other_files_are_told_apart(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.tflite"
    file.write_bytes(content)
    with pytest.raises(ModelError, match="is not a TensorFlow Lite model"):
        parse(file)


@settings(deadline=None, max_examples=40)
@given(length=st.integers(8, len(WHOLE) - 5))
def test_a_truncated_file_is_damaged(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    file = tmp_path_factory.mktemp("cut") / "a.tflite"
    file.write_bytes(WHOLE[:length])
    with pytest.raises(ModelError, match="is damaged"):
        parse(file)


@settings(deadline=None, max_examples=40)
@given(position=st.integers(8, len(WHOLE) - 1), value=st.integers(0, 255))
def test_wrong_bytes_never_raise_anything_else(
    tmp_path_factory: pytest.TempPathFactory, position: int, value: int
) -> None:
    file = tmp_path_factory.mktemp("flip") / "a.tflite"
    changed = bytearray(WHOLE)
    changed[position] = value
    file.write_bytes(changed)
    try:
        parse(file)
    except ModelError as exc:
        assert "is damaged" in str(exc)  # noqa: PT017  # not raising is right as well
