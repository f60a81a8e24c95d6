"""Each picture is composited with the mask of that very picture, however late the model is.

The model is a stub of another package, found by its entry point: it reads the number stamped on the picture that it is
given, and keeps one of sixteen columns by it. Where the kept column is not the one of the number on the picture, the
mask was another picture's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon
from tests.equipment.nginx_rtmp import NginxRtmp
from tests.equipment.read_clip import Picture, read_pictures
from tests.equipment.receiver import Receiver
from tests.equipment.rtsp_camera import RtspCamera
from tests.equipment.stamped_clip import even_times, write_stamped_clip
from tests.equipment.third_party import install
from tests.fakes_backend import BANDS, read_stamp
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

_RATE = Fraction(25)
_SECONDS = 8
# The recipe's size: small and square, and a multiple of the columns.
_MODEL_YAML = "name: stamp\nfile: model.bin\nwidth: 64\nheight: 64\n"
_SLOW_BACKEND = """
import threading
import time

from tests.fakes_backend import StampBackend


class SlowStampBackend(StampBackend):
    def infer(self, tensor):
        answer = super().infer(tensor)
        slow = int(time.monotonic() * 2) % 2  # now slower, now faster than the camera
        threading.Event().wait(0.09 if slow else 0.02)
        return answer
"""


@pytest.fixture
def third_party(tmp_path: Path) -> dict[str, str]:
    """A package of somebody else with two backends, and the environment in which it is installed."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.yaml").write_text(_MODEL_YAML)
    (tmp_path / "model" / "model.bin").write_bytes(b"none is needed")
    backends = {"stamp": "tests.fakes_backend:StampBackend", "slow-stamp": "slow_stamp:SlowStampBackend"}
    return install(tmp_path, {"backends": backends}, slow_stamp=_SLOW_BACKEND)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "stamped.mp4"
    write_stamped_clip(path, times=even_times(_SECONDS, _RATE), width=640, height=512)
    return path


def test_a_file(clip: Path, third_party: dict[str, str], tmp_path: Path) -> None:
    with _running(tmp_path, third_party, "stamp", str(clip)) as (daemon, receiver):
        assert daemon.wait_end(60) == 0
        pictures = read_pictures(receiver.wait(20))
    numbers = [read_stamp(picture.y) for picture in pictures]
    assert numbers == list(range(round(_SECONDS * _RATE)))
    assert [tinted_column(picture) for picture in pictures] == [number % BANDS for number in numbers]


def test_a_camera_that_is_faster_than_the_model(clip: Path, third_party: dict[str, str], tmp_path: Path) -> None:
    with RtspCamera(clip) as camera, _running(tmp_path, third_party, "slow-stamp", camera.url) as (daemon, receiver):
        daemon.wait_for_state("s", "running")
        daemon.wait_for_state("s", "backing_off", 30)  # the end of the camera's film
        camera.stop()
        dropped = daemon.metric("edgeseg_frames_total", stage="queue", outcome="dropped")
        assert daemon.metric("edgeseg_frames_total", stage="composite", outcome="covered") == 0
        assert daemon.stop()[0] == 0
        pictures = read_pictures(receiver.wait(20))
    numbers = [read_stamp(picture.y) for picture in pictures]
    # The rate comes down, not the truth: pictures are missing; those that are there are in order, and right.
    assert dropped > 20
    assert 40 < len(numbers) <= round(_SECONDS * _RATE) - dropped
    assert numbers == sorted(set(numbers))
    assert [tinted_column(picture) for picture in pictures] == [number % BANDS for number in numbers]


@contextmanager
def _running(folder: Path, env: dict[str, str], backend: str, source: str) -> Iterator[tuple[Daemon, Receiver]]:
    """A daemon that tints what the model keeps, and a player that was there before it."""
    stream = {
        "source": {"url": source, "read_timeout_s": 2},
        "model": {"name": str(folder / "model"), "backend": backend},
        "mask": {"threshold": 0.5},
        "effect": {"type": "overlay", "color": "red", "opacity": 0.5},
    }
    with NginxRtmp() as server, Receiver(server.url("s"), folder / "received.mkv") as receiver:
        wait_until(lambda: server.clients("s") == 1, 10, "the receiver's connection")
        with Daemon(folder, {"s": {**stream, "publish": server.url("s")}}, env=env) as daemon:
            yield daemon, receiver
        assert "Traceback" not in daemon.log(), daemon.log()


def tinted_column(picture: Picture) -> int:
    """Which of the columns is red; raises unless it is exactly one, and all of it."""
    height, width = picture.v.shape
    red = [
        float(picture.v[height // 4 + 2 :, column * width // BANDS + 2 : (column + 1) * width // BANDS - 2].mean())
        > 156
        for column in range(BANDS)
    ]
    assert red.count(True) == 1, red
    return red.index(True)
