"""int8 by the real nncf, in an environment of its own: it brings a good part of scientific Python along, which nothing
else here needs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgeseg.ovruntime import ov

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
ROOT = Path(__file__).resolve().parents[2]
SIDE = 96

# What a framework would do to somebody who only wanted to quantise: it leaves a note that it was loaded.
_TRAP = "import pathlib\npathlib.Path({note!r}).touch()\nraise ImportError('a trap')\n"

_QUANTISE = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from edgeseg.convert import ir
from edgeseg.convert.photographs import find
from edgeseg.convert.quantise import Int8Options, quantise
from edgeseg.convert.quantise_nncf import quantised
from edgeseg.ovruntime import ov
from edgeseg.types import Recipe

part, pictures = map(Path, sys.argv[1:])
recipe = Recipe("soft", str(part / "model.xml"), {side}, {side})
options = Int8Options(find(pictures), seconds=0.5)
for preset in ("mixed", "performance"):
    (part.parent / preset).mkdir()
    made = quantised(ov.Core().read_model(recipe.path), recipe, options.calibrating, preset)
    ir.save(made, part.parent / preset / "model.xml", name=recipe.name, fp16=False)
said = []
verdict = quantise(part, recipe, options, said.append)
sys.stderr.write(json.dumps({{"verdict": asdict(verdict), "said": said}}))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with edgeseg[int8]."""
    folder = tmp_path_factory.mktemp("nncf") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    found = folder / "bin" / "python"
    wanted = ("-c", str(ROOT / "constraints.txt"), "-e", f"{ROOT}[int8]")
    command = [str(found), "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return found


@pytest.fixture(scope="module")
def work(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with "part", the IR after all was done, and beside it "full" as it was before, "mixed" and
    "performance", what nncf made, "answer.json" and "traps", where a note lies for each trap that was stepped into.
    """
    folder = tmp_path_factory.mktemp("int8")
    for name in ("part", "full"):
        _soft_model(folder / name)
    _photographs(folder / "photographs")
    traps = folder / "traps"
    for package in ("openvino_telemetry", "torch", "tensorflow", "onnx"):
        (traps / package).mkdir(parents=True)
        (traps / package / "__init__.py").write_text(_TRAP.format(note=str(traps / f"{package}.txt")))
    script = _QUANTISE.format(side=SIDE)
    done = _run(python, traps, "-c", script, str(folder / "part"), str(folder / "photographs"))
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout == ""
    (folder / "answer.json").write_text(done.stderr)  # which would be no JSON if anything else was written there
    return folder


def test_it_says_what_it_measured_and_does_as_it_says(work: Path) -> None:
    answer = json.loads((work / "answer.json").read_text())
    verdict = answer["verdict"]
    assert answer["said"] == ["int8: calibrating on 10 photographs, judging on 5 others", verdict["sentence"]]
    assert verdict["iou"] > 0.9
    assert verdict["ms_after"] > 0
    assert verdict["ms_before"] > 0
    assert verdict["kept"] is (verdict["ms_after"] <= 0.95 * verdict["ms_before"] and verdict["iou"] >= 0.98)
    assert verdict["kept"] is ("the int8 model is kept" in verdict["sentence"])
    assert ("FakeQuantize" in _kinds(work / "part")) is verdict["kept"]
    assert sorted(entry.name for entry in (work / "part").iterdir()) == ["model.bin", "model.xml"]
    if not verdict["kept"]:
        assert (work / "part" / "model.bin").read_bytes() == (work / "full" / "model.bin").read_bytes()


@pytest.mark.parametrize("preset", ["mixed", "performance"])
def test_the_model_is_quantised_and_what_it_carries_stays(work: Path, preset: str) -> None:
    made = ov.Core().read_model(str(work / preset / "model.xml"))
    assert made.get_rt_info(["model_info", "model_type"]).astype(str) == "Segmentation"
    assert made.get_rt_info(["edgeseg", "kind"]).astype(str) == '"probability"'
    assert made.input().get_names() == {"picture"}
    assert made.output().get_names() == {"mask"}
    assert list(made.output().shape) == [1, SIDE, SIDE, 1]
    assert _kinds(work / preset).count("FakeQuantize") >= 4
    small, large = ((work / name / "model.bin").stat().st_size for name in (preset, "full"))
    assert small < 0.6 * large  # which were half floats


def test_dilated_convolutions_stay_whole(work: Path) -> None:
    """TensorFlow writes one as three operators, which OpenVINO joins when it loads a model unless int8 lies between."""
    assert "SpaceToBatch" in _kinds(work / "full")
    assert "SpaceToBatch" not in _kinds(work / "mixed")


def test_nothing_reports_and_no_framework_is_imported(work: Path, python: Path) -> None:
    traps = work / "traps"
    assert list(traps.glob("*.txt")) == []
    _run(python, traps, "-c", "import nncf")
    assert (traps / "openvino_telemetry.txt").exists()  # the trap would have caught it


def _soft_model(folder: Path) -> None:
    """Blurs the picture and keeps what is bright. Its first convolution is dilated, the way TensorFlow has it."""
    ops = ov.opset13
    random = np.random.default_rng(0)
    picture = ops.parameter([1, SIDE, SIDE, 3], np.float32, name="picture")
    picture.output(0).set_names({"picture"})
    x: Any = ops.transpose(picture, np.array([0, 3, 1, 2]))
    edges = (np.array([0, 0, 2, 2], np.int64),) * 2
    x = ops.space_to_batch(x, np.array([1, 1, 2, 2]), *edges)
    x = _convolution(x, random, 3, 64, padding=0)
    x = ops.relu(ops.batch_to_space(x, np.array([1, 1, 2, 2]), np.zeros(4, np.int64), np.zeros(4, np.int64)))
    for _ in range(3):
        x = ops.relu(_convolution(x, random, 64, 64))
    mean = ops.reduce_mean(x, np.array([1]), keep_dims=True)
    answer = ops.sigmoid(ops.multiply(ops.subtract(mean, np.float32(0.5)), np.float32(12)))
    answer = ops.transpose(answer, np.array([0, 2, 3, 1]))
    answer.output(0).set_names({"mask"})
    model = ov.Model([ops.result(answer)], [picture], "soft")
    model.set_rt_info("Segmentation", ["model_info", "model_type"])
    model.set_rt_info('"probability"', ["edgeseg", "kind"])
    folder.mkdir()
    ov.save_model(model, str(folder / "model.xml"), compress_to_fp16=True)


def _convolution(x: Any, random: np.random.Generator, before: int, after: int, padding: int = 1) -> Any:
    weights = random.random((after, before, 3, 3), np.float32)
    weights /= weights.sum(axis=(1, 2, 3), keepdims=True)  # so that what was bright stays as bright
    sides = [padding, padding]
    return ov.opset13.convolution(x, weights, [1, 1], sides, sides, [1, 1])


def _photographs(folder: Path) -> None:
    folder.mkdir()
    random = np.random.default_rng(1)
    for number in range(15):
        picture = random.integers(0, 90, (SIDE, SIDE, 3), np.uint8)
        centre = tuple(int(value) for value in random.integers(30, 66, 2))
        cv2.circle(picture, centre, int(random.integers(15, 30)), (240, 220, 230), cv2.FILLED)
        assert cv2.imwrite(str(folder / f"{number:02}.png"), picture)


def _kinds(folder: Path) -> list[str]:
    return [node.get_type_name() for node in ov.Core().read_model(str(folder / "model.xml")).get_ops()]


def _run(python: Path, first: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(first)}
    return subprocess.run([str(python), *arguments], cwd=ROOT, env=environment, capture_output=True, text=True)
