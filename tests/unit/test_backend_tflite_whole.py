"""A .tflite file that was cut off is noticed wherever the cut is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgeseg.backends.tflite_whole import is_whole
from tests.mean_models import edgetpu_tflite, mean_int8_tflite, mean_tflite
from tests.shared import shared


@pytest.mark.parametrize("write", [mean_tflite, mean_int8_tflite, edgetpu_tflite])
def test_every_cut_is_noticed(tmp_path: Path, write: Callable[[Path, int, int], None]) -> None:
    write(tmp_path / "model.tflite", 8, 4)
    content = (tmp_path / "model.tflite").read_bytes()
    assert is_whole(content)
    # Behind the last string there are up to four bytes that nobody asks for: its end mark and padding.
    assert [cut for cut in range(len(content) - 4) if is_whole(content[:cut])] == []


def test_other_content_is_none() -> None:
    assert not is_whole(b"")
    assert not is_whole(b"this is a text, and a long one at that")
    assert not is_whole(b"\xff" * 64)


def test_real_models_are_whole() -> None:
    for path in sorted(shared("models").glob("*.tflite")):
        content = path.read_bytes()
        assert is_whole(content), path.name
        for share in (0.5, 0.99):
            assert not is_whole(content[: int(len(content) * share)]), path.name
