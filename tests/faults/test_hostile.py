"""Damage on the wire: RTSP, RTMP and HTTP through a proxy that flips bits; nothing crashes, good pictures come back."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from edgeseg.ffmpeg import find_ffmpeg
from tests.equipment.live_camera import Film, LiveCamera
from tests.equipment.nginx_rtmp import NginxRtmp
from tests.equipment.process import running
from tests.equipment.proxy import Proxy
from tests.equipment.rtsp_camera import RtspCamera
from tests.equipment.stamped_clip import even_times, write_stamped_clip
from tests.faults.house import BARE, house
from tests.hostile import Reading, read_in_child
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

_MOST_MB = 500


class Damage:
    """Flips bits of every piece with a seed; ``grace`` bytes of the beginning stay, so that some pictures come."""

    def __init__(self, seed: str, every: int, grace: int = 0) -> None:
        self._chance = random.Random(seed)
        self._every = every
        self._grace = grace
        self._lock = threading.Lock()

    def __call__(self, piece: bytes) -> bytes:
        with self._lock:
            self._grace -= len(piece)
            if self._grace >= 0:
                return piece
            damaged = bytearray(piece)
            for _ in range(max(1, len(piece) // self._every)):
                damaged[self._chance.randrange(len(damaged))] ^= 1 << self._chance.randrange(8)
            return bytes(damaged)


# From the first answer on; and in the pictures, when the conversation is over.
KINDS = {"every piece": (4000, 0), "much": (100, 0), "later": (2000, 30_000)}


def _damaged_and_well(proxy: Proxy, url: str, kind: str) -> tuple[Reading, Reading]:
    every, grace = KINDS[kind]
    proxy.damage(Damage(f"{url.partition(':')[0]} {kind}", every, grace))
    damaged = read_in_child(url, within_s=3, turns=3)
    proxy.heal()
    return damaged, read_in_child(url, within_s=3)


def _is_harmless(kind: str, damaged: Reading, well: Reading) -> None:
    assert damaged.code == 0, damaged.words
    # Opening and reading have two seconds each, and FFmpeg looks at the stream in between.
    assert damaged.slowest_s < 15
    assert damaged.peak_mb < _MOST_MB
    assert damaged.pictures > 0 or kind != "later"
    assert well.code == 0, well.words
    assert well.pictures >= 25


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_stamped_clip(path, times=even_times(20), with_sound=True)
    return path


@pytest.fixture(scope="module")
def rtsp(clip: Path) -> Iterator[RtspCamera]:
    with RtspCamera(clip) as camera:
        yield camera


@pytest.fixture(scope="module")
def rtmp(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NginxRtmp]:
    with NginxRtmp() as server:
        command = [find_ffmpeg(), "-v", "error", "-re", "-stream_loop", "-1", "-i", str(clip), "-c", "copy"]
        log = tmp_path_factory.mktemp("publisher") / "log"
        with running([*command, "-f", "flv", server.url("cam")], log):
            wait_until(lambda: server.is_published("cam"), 10, "the publisher")
            yield server


@pytest.mark.parametrize("kind", KINDS)
def test_rtsp(kind: str, rtsp: RtspCamera) -> None:
    port = int(rtsp.url.rpartition(":")[2].partition("/")[0])
    with Proxy(port) as proxy:
        _is_harmless(kind, *_damaged_and_well(proxy, rtsp.url.replace(str(port), str(proxy.port)), kind))


@pytest.mark.parametrize("kind", KINDS)
def test_rtmp(kind: str, rtmp: NginxRtmp) -> None:
    with Proxy(rtmp.rtmp_port) as proxy:
        url = rtmp.url("cam").replace(str(rtmp.rtmp_port), str(proxy.port))
        _is_harmless(kind, *_damaged_and_well(proxy, url, kind))


def test_the_daemon_lives_through_it(tmp_path: Path) -> None:
    """The camera's stream is damaged for six seconds; then its pictures come again, on the same time axis."""
    film_path = tmp_path / "film.flv"
    write_stamped_clip(film_path, times=even_times(60))
    with LiveCamera(Film.read(film_path)) as camera:
        port = int(camera.url.rpartition(":")[2].partition("/")[0])
        with Proxy(port) as proxy:
            url = camera.url.replace(str(port), str(proxy.port))
            options = {"analyzeduration": "100000", "fpsprobesize": "0"}
            source = {"url": url, "read_timeout_s": 2, "open_timeout_s": 3, "options": options}
            record = {"directory": str(tmp_path / "victim"), "segment_s": 600}
            with house(tmp_path, {"source": source, **BARE, "video": {"size": "320x256"}, "record": record}) as daemon:
                daemon.wait_for_frames(25)
                with daemon.watch() as viewer:
                    before_mb = _memory_mb(daemon.pid)
                    proxy.damage(Damage("daemon", 2000))
                    daemon.let_pass(6)
                    assert daemon.get("/healthz")[0] == 200
                    proxy.heal()
                    proxy.drop()
                    daemon.wait_for_frames(50, timeout_s=40)
                    daemon.wait_for_state("victim", "running")
                    assert not viewer.ended
                    assert all(b > a for a, b in pairwise(viewer.times_ms))
                    assert _memory_mb(daemon.pid) - before_mb < 100


def _memory_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1024
