"""The two models that come with edgeseg: where they are from, and that they answer as the originals do."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgeseg.backends.openvino import OpenVinoBackend
from edgeseg.library.catalogue import find
from edgeseg.library.install import convert_entry
from edgeseg.ovruntime import ov
from edgeseg.recipes import find_model, load_recipe
from edgeseg.types import U8
from tests.shared import shared

NAMES = ("selfie", "selfie-landscape")


def original(name: str) -> Path:
    """The .tflite file that the package holds: same checksum."""
    entry = find(name)
    path = shared("models", entry.file)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == entry.sha256
    return path


@pytest.mark.parametrize("name", NAMES)
def test_the_folder_says_what_is_in_it(name: str) -> None:
    folder = find_model(name)
    recipe = load_recipe(folder)
    readme = (folder / "README.md").read_text()
    assert recipe.name == name
    assert recipe.licence == "Apache-2.0"
    assert "mediapipe==0.10.21" in recipe.origin
    assert recipe.sha256 in readme
    sums = dict(re.findall(r"^\| `([\w.]+)` \| `(\w{64})` \|$", readme, re.MULTILINE))
    assert set(sums) == {"model.xml", "model.bin", "model.yaml"}
    for file, expected in sums.items():
        assert hashlib.sha256((folder / file).read_bytes()).hexdigest() == expected, file


@pytest.mark.parametrize("name", NAMES[::-1])
def test_converting_the_original_gives_the_files_of_the_repository(name: str, tmp_path: Path) -> None:
    source = original(name)
    version = ov.__version__.partition("-")[0]
    if f"with OpenVINO {version} from" not in (find_model(name) / "README.md").read_text():
        pytest.skip(f"the models were made with another version of OpenVINO than the {version} that is installed")
    convert_entry(find(name), source, tmp_path / name, lambda line: None)
    for file in sorted(find_model(name).iterdir()):
        assert (tmp_path / name / file.name).read_bytes() == file.read_bytes(), f"{file.name}: run `make models`"


@pytest.mark.parametrize("name", NAMES)
def test_masks_agree_with_the_original_on_photographs(name: str) -> None:
    from ai_edge_litert.interpreter import Interpreter

    interpreter: Any = Interpreter(model_path=str(original(name)))
    interpreter.allocate_tensors()
    feed, answer = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    recipe = load_recipe(find_model(name))
    backend = OpenVinoBackend("f32")
    backend.load(recipe, "CPU")
    alike = pixels = kept = 0
    for path in sorted(shared("person60", "images").iterdir()):
        picture = photograph(path, recipe.width, recipe.height)
        interpreter.set_tensor(feed, picture.astype(np.float32) / 255)
        interpreter.invoke()
        expected = interpreter.get_tensor(answer)[0, ..., 0] > 0.5
        got = backend.infer(picture) > 127
        alike += np.count_nonzero(expected == got)
        kept += np.count_nonzero(expected)
        pixels += got.size
    backend.close()
    assert 0.1 < kept / pixels < 0.9
    assert alike / pixels >= 0.999


def photograph(path: Path, width: int, height: int) -> U8:
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    assert bgr is not None, path
    return np.ascontiguousarray(cv2.resize(bgr, (width, height), interpolation=cv2.INTER_AREA)[None, ..., ::-1])
