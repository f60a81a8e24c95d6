"""Each framework in an environment of its own: it makes small networks, which OpenVINO has to answer alike.

The environments see the packages of this one, so that only the framework has to be installed. They are thrown away.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.equipment import torch_without_cuda
from tests.tiny_onnx import mean_model, planes_model
from tests.tiny_tensorflow import mean_graph

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
COMPARE = ROOT / "tests" / "equipment" / "compare_runtimes.py"
AWAY = re.compile(r"Temporary failure in name|Name or service not known|Network is unreachable|Max retries|timed out")
CLOSE = 1e-4

KERAS = """
import keras
from keras import layers as L
keras.utils.set_random_seed(0)
def net(*sides):
    picture = L.Input((*sides, 3), name="picture")
    inner = L.BatchNormalization()(L.Conv2D(8, 3, padding="same", strides=2, activation="relu")(picture))
    inner = L.UpSampling2D(2, interpolation="bilinear")(inner)
    return keras.Model(picture, L.Conv2D(1, 3, padding="same", activation="sigmoid", name="mask")(inner))
fixed = net(32, 48)
fixed.save("net.keras")
fixed.save("net.h5")
fixed.export("saved", verbose=False)
net(None, None).save("open.keras")
fixed.save_weights("net.weights.h5")
keras.Model(fixed.input, L.Lambda(lambda x: x * 2)(fixed.output)).save("lambda.keras")
"""

PYTORCH = """
import io, os, torch, zipfile
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.down = nn.Conv2d(3, 8, 3, padding=1, stride=2)
        self.norm = nn.BatchNorm2d(8)
        self.last = nn.Conv2d(8, 2, 3, padding=1)
    def forward(self, x):
        inner = self.last(torch.relu(self.norm(self.down(x))))
        inner = nn.functional.interpolate(inner, size=x.shape[-2:], mode="bilinear", align_corners=False)
        return torch.softmax(inner, 1)
class Named(Net):
    def forward(self, x):
        return {"out": super().forward(x), "aux": x * 2}
class Branching(Net):
    def forward(self, x):
        return x if x.sum() > 1e9 else super().forward(x)
def make():
    return Named()
class Evil:
    def __reduce__(self):
        return os.mkdir, ("unpickled",)
if __name__ == "__main__":
    net, picture = Net().eval(), torch.zeros(1, 3, 32, 48)
    torch.jit.save(torch.jit.trace(net, picture), "traced.pth")
    torch.jit.save(torch.jit.script(net), "scripted.pt")
    program = torch.export.export(net, (picture,))
    torch.export.save(program, "program.pt2")
    torch.save(net.state_dict(), "weights.pth")
    torch.save(net, "pickled.pt")
    evil = io.BytesIO()
    torch.save(Evil(), evil)
    with zipfile.ZipFile("program.pt2") as source, zipfile.ZipFile("evil.pt2", "w") as target:
        for entry in source.infolist():
            target.writestr(entry.filename, evil.getvalue() if entry.filename.endswith(".pt") else source.read(entry))
"""

PADDLE = """
import sys, paddle
from paddle import nn
class Net(nn.Layer):
    def __init__(self):
        super().__init__()
        paddle.seed(0)
        self.down = nn.Conv2D(3, 8, 3, padding=1, stride=2)
        self.last = nn.Conv2D(8, 2, 3, padding=1)
    def forward(self, x):
        inner = self.last(nn.functional.relu(self.down(x)))
        return nn.functional.softmax(nn.functional.interpolate(inner, scale_factor=2, mode="bilinear"), axis=1)
net = Net()
net.eval()
shape = paddle.static.InputSpec([None, 3, None, None], "float32", "x")
paddle.jit.save(net, sys.argv[1] + "/net", input_spec=[shape])
"""


class Place:
    """A folder with an environment of Python in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "venv" / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True, timeout=60)
        packages = next((folder / "venv" / "lib").iterdir()) / "site-packages"
        (packages / "base.pth").write_text(sysconfig.get_paths()["purelib"])
        self.packages = packages

    def install(self, *what: str) -> None:
        constraints = ["-c", str(ROOT / "constraints.txt")]
        done = self._run("-m", "pip", "install", "-q", "--disable-pip-version-check", *constraints, *what)
        told = done.stdout + done.stderr
        if done.returncode and AWAY.search(told):
            pytest.skip(f"the package registry cannot be reached, so {what[-1]} cannot be installed")
        assert done.returncode == 0, told

    def make(self, name: str, code: str, *arguments: str, **environment: str) -> None:
        """Run ``code``, which writes models; it stays there as ``name``.py."""
        (self.folder / f"{name}.py").write_text(code)
        done = self._run(f"{name}.py", *arguments, **environment)
        assert done.returncode == 0, done.stderr

    def compare(self, *arguments: str) -> list[dict[str, Any]]:
        """What ``equipment/compare_runtimes.py`` says about these models. Nothing but that may be printed."""
        done = self._run(str(COMPARE), *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def _run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        around = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        return subprocess.run(
            [self.python, *command], cwd=self.folder, env=around, capture_output=True, text=True, timeout=500
        )


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with _thrown_away(tmp_path / "place") as folder:
        yield Place(folder)


@contextmanager
def _thrown_away(folder: Path) -> Iterator[Path]:
    """Frameworks are large, and pytest keeps the folders of the last three runs."""
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def alike(answers: list[dict[str, Any]], runtime: str, format_: str = "") -> None:
    for answer in answers:
        assert answer.get("runtime", "").startswith(runtime), answer
        assert answer["format"].startswith(format_), answer
        assert answer["difference"] < CLOSE < answer["spread"], answer


def test_onnxruntime(place: Place) -> None:
    place.install("onnxruntime")
    (place.folder / "fixed.onnx").write_bytes(mean_model(16, 8))
    (place.folder / "open.onnx").write_bytes(planes_model("h", "w"))
    fixed, sized = place.compare("fixed.onnx", "--size=10x6", "open.onnx")
    alike([fixed, sized], "onnxruntime", "ONNX")
    assert (fixed["layout"], sized["layout"], sized["inputs"]) == ("NHWC", "NCHW", [[1, 3, 6, 10]])


def test_tensorflow_and_keras(place: Place) -> None:
    place.install("tensorflow-cpu")
    place.make("nets", KERAS, TF_CPP_MIN_LOG_LEVEL="3")
    (place.folder / "frozen.pb").write_bytes(mean_graph(16, 8))
    alike(place.compare("net.keras", "net.h5"), "tensorflow", "Keras")
    alike(place.compare("--size=40x24", "open.keras"), "tensorflow", "Keras")
    alike(place.compare("saved"), "tensorflow", "TensorFlow SavedModel")
    alike(place.compare("frozen.pb"), "tensorflow", "TensorFlow frozen graph")
    weights, code = place.compare("net.weights.h5", "lambda.keras")
    assert weights["error"].startswith("net.weights.h5 holds weights only")
    assert "has a Lambda layer: loading it would run Python code" in code["error"]
    assert (weights["exit"], code["exit"]) == (3, 3)


def test_pytorch(place: Place) -> None:
    if lacking := torch_without_cuda.missing_tools():
        pytest.skip(f"{', '.join(lacking)} not installed: without it PyTorch needs gigabytes of CUDA")
    place.install("typing_extensions", "sympy", "networkx", "jinja2", "fsspec", "filelock")
    place.install("--no-deps", "torch")
    torch_without_cuda.stand_in(place.packages / "torch" / "lib")
    place.make("nets", PYTORCH)
    alike(place.compare("program.pt2"), "torch", "PyTorch exported program")
    sized = place.compare("--size=48x32", "traced.pth", "scripted.pt")
    alike(sized, "torch", "TorchScript")
    alike(place.compare("--size=48x32", "nets.py:make", "nets:Net", "nets:Branching"), "torch", "PyTorch module")
    unsized, weights, pickled, evil = place.compare("nets:Net", "weights.pth", "pickled.pt", "evil.pt2")
    assert "choose one with --size WxH" in unsized["error"]
    assert weights["error"].startswith("weights.pth holds weights only")
    assert pickled["error"].startswith("pickled.pt is a pickled network of the class __main__.Net")
    assert evil["error"].startswith("evil.pt2 holds pickled objects that are no tensors")
    assert not (place.folder / "unpickled").exists()


def test_paddle(place: Place) -> None:
    place.install("paddlepaddle")
    place.make("nets", PADDLE, "old", FLAGS_enable_pir_api="0")
    place.make("nets", PADDLE, "new")
    alike(place.compare("--size=48x32", "old", "old/net.pdmodel"), "paddlepaddle", "Paddle")
    (newer,) = place.compare("new/net.json")
    assert "newer kind (PIR), which OpenVINO does not read" in newer["error"]
