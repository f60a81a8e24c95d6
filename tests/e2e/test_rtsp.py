"""A real RTSP camera with sound: lip-sync, going away and coming back, a wrong password."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.daemon import Daemon
from tests.equipment.flash_beep_clip import offsets, write_flash_beep_clip
from tests.equipment.nginx_rtmp import NginxRtmp
from tests.equipment.read_clip import read_pictures, read_sound
from tests.equipment.receiver import Receiver
from tests.equipment.rtsp_camera import RtspCamera
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

_BARE = {"effect": "passthrough", "allow_uncovered": True}


@pytest.fixture(scope="module")
def flash_beep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    clip = tmp_path_factory.mktemp("clip") / "flash_beep.mp4"
    write_flash_beep_clip(clip, seconds=10)
    return clip


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_sound_and_picture_stay_together(flash_beep: Path, tmp_path: Path, transport: str) -> None:
    recordings = tmp_path / "recordings"
    with (
        RtspCamera(flash_beep, turns=3) as camera,
        NginxRtmp() as server,
        Receiver(server.url("cam"), tmp_path / "received.mkv") as receiver,
    ):
        wait_until(lambda: server.clients("cam") == 1, 10, "the receiver's connection")
        source = {"url": camera.url, "rtsp_transport": transport}
        stream = {"source": source, **_BARE, "publish": server.url("cam"), "record": str(recordings)}
        with Daemon(tmp_path, {"cam": stream}) as daemon:
            daemon.wait_for_state("cam", "running")
            wait_until(lambda: daemon.metric("edgeseg_frames_total", stage="encode", outcome="out") > 200, 30, "8 s")
            code, _ = daemon.stop()
            assert code == 0
        received = receiver.wait(20)
    (recording,) = recordings.glob("*.mp4")
    for file in (received, recording):
        found = offsets(read_pictures(file), read_sound(file))
        assert len(found) >= 5, f"{file.name}: {found}"
        assert max(map(abs, found)) <= 0.040, f"{file.name}: {found}"


def test_a_camera_that_goes_away_and_comes_back(flash_beep: Path, tmp_path: Path) -> None:
    with (
        RtspCamera(flash_beep, turns=3) as camera,
        NginxRtmp() as server,
        Receiver(server.url("cam"), tmp_path / "received.mkv") as receiver,
    ):
        wait_until(lambda: server.clients("cam") == 1, 10, "the receiver's connection")
        source = {"url": camera.url, "read_timeout_s": 2, "open_timeout_s": 3}
        with Daemon(tmp_path, {"cam": {"source": source, **_BARE, "publish": server.url("cam")}}) as daemon:
            pid = daemon.pid
            daemon.wait_for_state("cam", "running")
            _wait_for_frames(daemon, 50)
            camera.stop()
            daemon.wait_for_state("cam", "backing_off")
            assert daemon.api("cam")["reason"]
            assert daemon.get("/healthz")[0] == 200
            # Away for longer than pictures may be old: not ready, and it says why.
            wait_until(lambda: daemon.get("/readyz")[0] == 503, 10, "readiness to go away")
            camera.start()
            daemon.wait_for_state("cam", "running", 30)
            _wait_for_frames(daemon, 50)
            assert daemon.get("/readyz")[0] == 200
            assert daemon.metric("edgeseg_source_reconnects_total") >= 1
            assert daemon.metric("edgeseg_encoder_restarts_total") == 0
            # The server and its viewers were shown the slate, which is no sign of life.
            slates = daemon.metric("edgeseg_frames_total", stage="slate", outcome="out")
            assert daemon.metric("edgeseg_output_reconnects_total", kind="publish") == 0
            assert daemon.pid == pid
            assert daemon.stop()[0] == 0
        pictures = read_pictures(receiver.wait(20))
    # Once for each reason, not once for each attempt.
    told = [line.split(" ", 1)[1] for line in daemon.log().splitlines() if " error " in line]
    assert told
    assert len(told) == len(set(told)) <= 3, daemon.log()
    assert "Traceback" not in daemon.log()
    gaps = [b.pts_s - a.pts_s for a, b in pairwise(pictures)]
    assert min(gaps) > 0
    assert len(pictures) > 100
    assert "cam: running again" in daemon.log()
    # Three seconds without a picture, then the slate once a second; the rest is what came too late while camera and
    # server were opened: up to the next keyframe, which comes every two seconds.
    assert 2.5 < max(gaps) < 3.7
    assert sorted(gaps)[-2] < 2.5
    assert slates >= 4
    # The slate: letters on plain grey, nothing of the camera. It is the first picture after the longest gap.
    first = pictures[gaps.index(max(gaps)) + 1]
    assert (first.u[8:-8, 8:-8].min(), first.u.max()) == pytest.approx((128, 128), abs=3)
    assert np.median(first.y) == pytest.approx(40, abs=4)
    assert (first.y > 180).sum() > 100


def test_a_wrong_password_is_told_and_kept(flash_beep: Path, tmp_path: Path) -> None:
    with RtspCamera(flash_beep, user="viewer", password="r1ght-one") as camera:
        url = camera.url_for("viewer", "wr0ng.p@ss%word")
        with Daemon(tmp_path, {"cam": {"source": url, **_BARE}}) as daemon:
            daemon.wait_for_state("cam", "backing_off")
            told = [daemon.get(path)[1].decode() for path in ("/metrics", "/api/streams", "/readyz", "/")]
            arguments = Path(f"/proc/{daemon.pid}/cmdline").read_text()
            _, _ = daemon.stop()
    errors = [line for line in daemon.log().splitlines() if " error " in line]
    assert len(errors) == 1
    assert "the server wants another user or password" in errors[0]
    for text in (daemon.log(), daemon.printed(), arguments, *told):
        assert "wr0ng" not in text
        assert "Traceback" not in text


def test_the_right_password_opens(flash_beep: Path, tmp_path: Path) -> None:
    with (
        RtspCamera(flash_beep, user="viewer", password="r1ght:one@%") as camera,
        Daemon(tmp_path, {"cam": {"source": camera.url, **_BARE}}) as daemon,
    ):
        daemon.wait_for_state("cam", "running")
        assert daemon.stop()[0] == 0
    assert "r1ght" not in daemon.log() + daemon.printed()


def _wait_for_frames(daemon: Daemon, more: int) -> None:
    def out() -> float:
        return daemon.metric("edgeseg_frames_total", stage="encode", outcome="out")

    goal = out() + more
    wait_until(lambda: out() >= goal, 20, f"{more} more pictures")
