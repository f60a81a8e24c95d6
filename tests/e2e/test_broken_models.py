"""A model that breaks while the stream runs: nothing is shown that it was to hide, and it comes back by itself."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.demo_truth import CLIP
from tests.e2e.daemon import Daemon
from tests.equipment.read_clip import read_pictures
from tests.equipment.third_party import install
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

_PROJECT = Path(__file__).parents[2]
_MODEL_YAML = "name: fickle\nfile: model.bin\nwidth: 64\nheight: 64\n"
# Breaks in its own way at its 20th picture, once; the one that is loaded after it works.
_BACKEND = """
import os
from pathlib import Path
import threading

import numpy as np

from edgeseg.backends.openvino import OpenVinoBackend
from edgeseg.errors import InferenceError, ModelError

first = True


class Stick(OpenVinoBackend):
    \"\"\"The real thing, on a device that is lost when the file that STICK names is gone.\"\"\"

    def load(self, recipe, device):
        if device == "STICK" and not Path(os.environ["STICK"]).exists():
            raise ModelError("no device 'STICK' on this machine")
        self.on_stick = device == "STICK"
        super().load(recipe, "CPU")

    def infer(self, tensor):
        if self.on_stick and not Path(os.environ["STICK"]).exists():
            raise InferenceError("the device was removed")
        return super().infer(tensor)


class Fickle:
    def load(self, recipe, device):
        global first
        self.breaks, first = first, False
        self.asked = 0

    def infer(self, tensor):
        self.asked += 1
        if self.breaks and self.asked >= 20:
            how = os.environ["FICKLE"]
            if how == "hangs":
                threading.Event().wait()
            if how == "raises":
                raise InferenceError("the stick was pulled out")
            if how == "dies":
                raise ZeroDivisionError("a bug of somebody else")
            return {
                "shape": np.full((3, 64, 64), 255, np.uint8),
                "floats": np.full((64, 64), np.nan, np.float32),
                "nothing": None,
            }[how]
        return np.full((64, 64), 255, np.uint8)  # keep everything: what is not covered is seen

    def close(self):
        pass
"""


@pytest.fixture
def fickle(tmp_path: Path) -> dict[str, str]:
    """The environment in which the package with the backend is installed."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.yaml").write_text(_MODEL_YAML)
    (tmp_path / "model" / "model.bin").write_bytes(b"none is needed")
    backends = {"fickle": "fickle_backend:Fickle", "stick": "fickle_backend:Stick"}
    return install(tmp_path, {"backends": backends}, fickle_backend=_BACKEND)


def outcome(daemon: Daemon, what: str, stream: str = "door") -> float:
    return daemon.metric("edgeseg_frames_total", stage="composite", outcome=what, stream=stream)


@pytest.fixture
def stick(fickle: dict[str, str], tmp_path: Path) -> Path:
    """Plugged in while the file exists."""
    file = tmp_path / "stick"
    file.touch()
    return file


_EFFECT = """
from edgeseg.effects.passthrough import Passthrough


class Fickle(Passthrough):
    \"\"\"Has a bug that shows from the 20th to the 39th picture, after it has written half of it.\"\"\"

    count = 0

    def apply(self, frame, mask, out):
        self.count += 1
        super().apply(frame, mask, out)
        if 20 <= self.count < 40:
            raise ZeroDivisionError("a bug of somebody else")
"""


def test_an_effect_that_raises_shows_nothing(tmp_path: Path) -> None:
    env = install(tmp_path, {"effects": {"fickle": "fickle_effect:Fickle"}}, fickle_effect=_EFFECT)
    stream = {
        "source": {"url": str(CLIP), "audio": False},
        "effect": {"type": "fickle"},
        "record": str(tmp_path / "recordings"),
    }
    with Daemon(tmp_path, {"door": stream}, env=env) as daemon:
        wait_until(lambda: outcome(daemon, "ok") >= 60, 30, "pictures")
        assert outcome(daemon, "covered") == 20
        assert daemon.stop()[0] == 0
    assert daemon.log().count("the effect failed: a bug of somebody else; covering") == 1
    assert "Traceback" not in daemon.log()
    (recording,) = (tmp_path / "recordings").glob("*.mp4")
    plain = [bool(np.ptp(picture.y) < 12) for picture in read_pictures(recording)]
    assert [number for number, covered in enumerate(plain) if covered] == list(range(19, 39))


def _on_stick(folder: Path, **model: object) -> dict[str, object]:
    """A looped clip through the bundled model, which the test may move away."""
    copy = folder / "selfie"
    if not copy.exists():
        shutil.copytree(_PROJECT / "models" / "ir" / "selfie", copy)
    return {
        "source": {"url": str(CLIP), "loop": True, "audio": False},
        "model": {"name": str(copy), "backend": "stick", "device": "STICK", **model},
    }


def test_a_lost_device_gives_way_to_the_fallback(stick: Path, fickle: dict[str, str], tmp_path: Path) -> None:
    """Of two streams that share the compiled model, which is told apart by both."""
    streams = {name: _on_stick(tmp_path, fallback="CPU") for name in ("door", "yard")}
    with Daemon(tmp_path, streams, env={**fickle, "STICK": str(stick)}) as daemon:
        for name in streams:
            wait_until(lambda n=name: outcome(daemon, "ok", n) >= 10, 30, "pictures on the stick")
        stick.unlink()
        for name in streams:
            wait_until(lambda n=name: outcome(daemon, "covered", n) >= 1, 10, "covered pictures")
            shown = outcome(daemon, "ok", name)
            wait_until(lambda n=name, s=shown: outcome(daemon, "ok", n) > s + 20, 30, "pictures on the fallback")
        assert daemon.stop()[0] == 0
    assert "no device 'STICK' on this machine; running on CPU instead" in daemon.log()
    assert "Traceback" not in daemon.log()


def test_a_model_file_that_is_gone_when_it_is_loaded_again(stick: Path, fickle: dict[str, str], tmp_path: Path) -> None:
    streams = {"door": _on_stick(tmp_path)}
    with Daemon(tmp_path, streams, env={**fickle, "STICK": str(stick)}) as daemon:
        wait_until(lambda: outcome(daemon, "ok") >= 10, 30, "pictures")
        model, weights = tmp_path / "selfie" / "model.xml", tmp_path / "selfie" / "model.bin"
        weights.rename(tmp_path / "away.bin")
        model.rename(tmp_path / "away.xml")
        stick.unlink()
        wait_until(lambda: "is loaded again" in daemon.log(), 20, "the reload")
        stick.touch()  # the device is back, and the model is not
        wait_until(lambda: "model.xml" in daemon.log() and "trying again" in daemon.log(), 20, "the complaint")
        assert daemon.get("/healthz")[0] == 200
        shown = outcome(daemon, "ok")
        (tmp_path / "away.bin").rename(weights)
        (tmp_path / "away.xml").rename(model)
        wait_until(lambda: outcome(daemon, "ok") > shown + 20, 30, "pictures")
        assert outcome(daemon, "uncovered") == 0
        assert daemon.stop()[0] == 0
    assert "Traceback" not in daemon.log()


@pytest.mark.parametrize("how", ["raises", "hangs", "dies", "shape", "floats", "nothing"])
def test_pictures_are_covered_until_the_model_is_back(how: str, fickle: dict[str, str], tmp_path: Path) -> None:
    stream = {
        "source": {"url": str(CLIP), "loop": True, "audio": False},
        "model": {"name": str(tmp_path / "model"), "backend": "fickle", "timeout_s": 0.5},
        "record": str(tmp_path / "recordings"),
    }
    with Daemon(tmp_path, {"door": stream}, env={**fickle, "FICKLE": how}) as daemon:
        wait_until(lambda: outcome(daemon, "covered") >= 5, 30, "covered pictures")
        shown = outcome(daemon, "ok")
        assert 15 <= shown <= 25
        wait_until(lambda: outcome(daemon, "ok") > shown + 30, 30, "the model's return")
        assert outcome(daemon, "uncovered") == 0
        assert daemon.stop()[0] == 0
    log = daemon.log()
    assert "covering the picture until it works again" in log
    assert "door: masks are back" in log
    assert "Traceback" not in log
    (recording,) = (tmp_path / "recordings").glob("*.mp4")
    pictures = read_pictures(recording)
    plain = [bool(np.ptp(picture.y) < 12) for picture in pictures]
    # Clear, covered, clear again; never between.
    first, last = plain.index(True), len(plain) - 1 - plain[::-1].index(True)
    assert 15 <= first <= 25
    assert all(plain[first : last + 1])
    assert len(plain) - last > 30
