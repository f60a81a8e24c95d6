"""Too much to do: the rate comes down, pictures stay young and true, and it is undone when there is room again."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from tests.e2e.test_own_mask import tinted_column
from tests.equipment.live_camera import Film, LiveCamera
from tests.equipment.onlooker import Onlooker
from tests.equipment.read_clip import read_pictures
from tests.equipment.stamped_clip import even_times, write_stamped_clip
from tests.equipment.third_party import install
from tests.fakes_backend import BANDS, read_stamp
from tests.faults.house import FPS, House, house, recordings
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

_CORES = os.cpu_count() or 1
_SECONDS = 200.0
# With what decoding and encoding take, more than the share that the burners leave, on fast processors too.
_WORKING_S = 0.02
_WAITING_S = 0.1
_BACKENDS = f"""
import hashlib
import threading
import time

from tests.fakes_backend import StampBackend


class Working(StampBackend):
    '''Half a core at 25 pictures a second, and nobody else is kept waiting for Python meanwhile.'''

    def infer(self, tensor):
        until = time.thread_time() + {_WORKING_S}
        while time.thread_time() < until:
            hashlib.sha256(bytes(1 << 18)).digest()
        return super().infer(tensor)


class Waiting(StampBackend):
    '''A stick that takes its time.'''

    def infer(self, tensor):
        threading.Event().wait({_WAITING_S})
        return super().infer(tensor)
"""
# Ends by itself, whatever becomes of the test.
_BURNER = "import sys, time\nend = time.monotonic() + float(sys.argv[1])\nwhile time.monotonic() < end: pass"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    """Numbered pictures."""
    path = tmp_path_factory.mktemp("film") / "film.flv"
    write_stamped_clip(path, times=even_times(_SECONDS, Fraction(FPS)))
    return Film.read(path)


@pytest.fixture
def plugin(tmp_path: Path) -> dict[str, str]:
    """A package with two models that read the number of a picture, and the environment in which it is installed."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.yaml").write_text("name: stamp\nfile: model.bin\nwidth: 64\nheight: 64\n")
    (tmp_path / "model" / "model.bin").write_bytes(b"none is needed")
    backends = {"working": "stampmodels:Working", "waiting": "stampmodels:Waiting"}
    return install(tmp_path, {"backends": backends}, stampmodels=_BACKENDS)


@pytest.mark.timeout(240)
def test_both_cores_are_taken_away(film: Film, plugin: dict[str, str], tmp_path: Path) -> None:
    began = time.monotonic()
    with (
        LiveCamera(film) as camera,
        house(tmp_path, _stream(camera, tmp_path, "working", {}), env=plugin) as daemon,
    ):
        daemon.wait_for_frames(FPS)
        daemon.wait_for_state("victim", "running")
        daemon.let_pass(4)
        wait_until(lambda: _level(daemon) == 0, 60, "a machine at rest")
        with daemon.watch() as viewer:
            with _burning(20) as burners:
                wait_until(lambda: _level(daemon) > 0, 15, "a step of the governor")
                daemon.wait_for_frames(3 * FPS, "witness", 40)
                level, shown = _level(daemon), daemon.metric("edgeseg_governor_rate_ratio", stream="victim")
                print(f"with {len(burners)} burners: level {level:g}, {shown:.2f} of the pictures")
                print(f"dropped {daemon.metric('edgeseg_frames_total', stream='victim', outcome='dropped'):g}")
                assert daemon.api("victim")["governor"]["level"] >= level  # it may just have taken the next step
            burnt = time.monotonic()
            wait_until(lambda: _level(daemon) == 0, 120, "every picture again")
            print(f"level 0 again after {time.monotonic() - burnt:.0f} s")
        assert not daemon.errors(), daemon.log()
        _is_told_once_per_change(daemon)
    ages = _ages(viewer, began)
    print(f"age at the viewer: median {ages[len(ages) // 2]:.3f} s, worst {ages[-1]:.3f} s of {len(ages)}")
    assert ages[-1] < 1.0
    assert _mask_ages(tmp_path) == {0}


def test_masks_are_shared_where_that_is_allowed(film: Film, plugin: dict[str, str], tmp_path: Path) -> None:
    governor = {"min_fps": 12, "max_mask_age_ms": 200}
    with (
        LiveCamera(film) as camera,
        house(tmp_path, _stream(camera, tmp_path, "waiting", governor), env=plugin) as daemon,
    ):
        daemon.wait_for_frames(FPS)
        wait_until(lambda: _level(daemon) == 3, 30, "the step on which masks are shared")
        daemon.let_pass(6)
        assert _level(daemon) == 3
        assert daemon.metric("edgeseg_governor_mask_every", stream="victim") == 2
        assert daemon.metric("edgeseg_frames_total", stream="victim", outcome="reused_mask") > 20
        assert daemon.metric("edgeseg_frames_total", stream="victim", outcome="covered") == 0
        _is_told_once_per_change(daemon)
    # At half the rate the next picture is two of the camera's later, unless one was dropped; and five are 200 ms.
    ages = _mask_ages(tmp_path)
    assert {0, 2} <= ages <= set(range(6)), ages


def _stream(camera: LiveCamera, folder: Path, backend: str, governor: dict[str, object]) -> dict[str, object]:
    return {
        "source": {"url": camera.url, "options": {"analyzeduration": "100000", "fpsprobesize": "0"}},
        "model": {"name": str(folder / "model"), "backend": backend},
        "mask": {"threshold": 0.5},
        "effect": {"type": "overlay", "color": "red", "opacity": 0.5},
        "governor": governor,
        "record": {"directory": str(folder / "victim"), "segment_s": 600},
    }


@contextlib.contextmanager
def _burning(seconds: float) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that want both cores, and more of them than anybody else has, for the block or so many seconds."""
    # In sessions of their own: some kernels give each session its share, not each process.
    burners = [
        subprocess.Popen([sys.executable, "-c", _BURNER, str(seconds)], start_new_session=True)
        for _ in range(3 * _CORES)
    ]
    try:
        yield burners
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def _level(daemon: House) -> float:
    return daemon.metric("edgeseg_governor_level", stream="victim")


def _is_told_once_per_change(daemon: House) -> None:
    levels = [
        line.rpartition("level ")[2][0] for line in daemon.log().splitlines() if "victim" in line and "(level " in line
    ]
    assert levels
    assert all(a != b for a, b in zip(["0", *levels], levels, strict=False))


def _ages(viewer: Onlooker, began: float) -> list[float]:
    """How old each picture was when it arrived, youngest first; those left out that were kept for who comes later."""
    numbers = [read_stamp(picture.y) for picture in read_pictures(viewer.path)]
    arrivals = [at for at, _ in viewer.arrivals[: len(numbers)]]
    live = [n for n, at in enumerate(arrivals) if at - arrivals[0] > 1]
    return sorted(arrivals[n] - (began + numbers[n] / FPS) for n in live)


def _mask_ages(folder: Path) -> set[int]:
    """How many pictures of the camera lie between each recorded one and the one that its mask was made of."""
    (file,) = recordings(folder / "victim")
    ages = set()
    last = -1
    for picture in read_pictures(file):
        number = read_stamp(picture.y)
        assert number > last
        ages.add((number - tinted_column(picture)) % BANDS)
        last = number
    return ages
