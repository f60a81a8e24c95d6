"""The demo as a newcomer meets it, and its end: asked to, hurried, and killed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from edgeseg.types import U8
from tests.e2e.daemon import Daemon, descendants, is_alive
from tests.equipment.process import running
from tests.equipment.read_clip import read_facts, read_pictures, read_sound, read_times
from tests.equipment.receiver import Receiver
from tests.ports import free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

DEMO = Path(__file__).parents[2] / "demo"


class Demo(Daemon):
    """The demo's configuration on free ports, with its recordings in a folder of the test."""

    def __init__(self, folder: Path) -> None:
        config: dict[str, Any] = yaml.safe_load((DEMO / "demo.yaml").read_text())
        stream = config.pop("streams")["demo"]
        config.pop("http", None)
        self.watch_at = f"rtmp://127.0.0.1:{free_port()}/live/demo"
        self.recordings = folder / "recordings"
        stream["source"]["url"] = str(DEMO / stream["source"]["url"])
        stream["effect"]["picture"] = str(DEMO / stream["effect"]["picture"])
        stream["publish"]["url"] = self.watch_at
        stream["record"]["directory"] = str(self.recordings)
        super().__init__(folder, {"demo": stream}, **config)

    def flv(self) -> str:
        return f"{self.base}/streams/demo/live.flv"

    def parts(self) -> list[Path]:
        return sorted(self.recordings.glob("*.part"))

    def pictures_out(self) -> float:
        return self.metric("edgeseg_frames_total", stage="encode", outcome="out")

    def wait_for_pictures(self, count: int) -> None:
        wait_until(lambda: self.pictures_out() >= count, 30, f"{count} pictures")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with Demo(tmp_path_factory.mktemp("demo")) as daemon:
        daemon.wait_for_state("demo", "running")
        wait_until(lambda: daemon.get("/readyz")[0] == 200, 10, "readiness")
        yield daemon


def test_it_says_where_to_look(demo: Demo) -> None:
    lines = [line.strip() for line in wait_until(demo.printed, 5, "the lines to paste").splitlines()]
    assert f"page      {demo.base}/" in lines
    assert f"metrics   {demo.base}/metrics" in lines
    assert f"recordings {demo.recordings}" in lines
    assert [line for line in lines if line.startswith("ffplay") and line.endswith(demo.watch_at)]
    assert [line for line in lines if line.startswith("ffplay") and line.endswith(demo.flv())]


def test_it_answers(demo: Demo) -> None:
    status, page = demo.get("/")
    assert status == 200
    assert b"<!doctype html>" in page.lower()
    assert demo.get("/healthz")[0] == demo.get("/readyz")[0] == 200
    metrics = demo.get("/metrics")[1]
    if shutil.which("promtool"):
        checked = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, timeout=30)
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
    assert demo.metric("edgeseg_frames_total", stage="composite", outcome="covered") == 0


def test_the_snapshot_shows_the_other_background(demo: Demo) -> None:
    status, jpeg = demo.get("/streams/demo/snapshot.jpg")
    assert status == 200
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    background = cv2.imread(str(DEMO / "background.jpg"))
    assert picture is not None
    assert background is not None
    clip = read_facts(DEMO / "clip.mp4")
    assert picture.shape == (clip.height, clip.width, 3)
    # The corners above belong to no person.
    corner = (slice(8, clip.height // 8), slice(8, clip.width // 12))
    shown, wanted = (
        part.astype(float).mean(axis=(0, 1)) for part in (picture[corner], _cover(background, picture)[corner])
    )
    assert np.abs(shown - wanted).max() < 12
    original = read_pictures(DEMO / "clip.mp4", limit=1)[0].y[corner].mean()
    assert abs(shown @ [0.114, 0.587, 0.299] - original) > 12, "the corner cannot tell one background from the other"


@pytest.mark.parametrize("player", ["ffmpeg", "ffplay"])
def test_it_plays_at_its_address(demo: Demo, tmp_path: Path, player: str) -> None:
    if player == "ffplay":
        _ffplay(demo.watch_at, tmp_path / "ffplay.log")
        return
    with Receiver(demo.watch_at, tmp_path / "viewer.mkv") as viewer:
        wait_until(lambda: viewer.bytes > 500_000, 30, "two seconds of pictures")
        received = viewer.stop()
    facts = read_facts(received)
    assert (facts.codec, facts.width, facts.has_sound) == ("h264", 1280, True)
    assert len(read_pictures(received)) > 20
    assert read_sound(received).blocks


def test_it_plays_over_http(demo: Demo, tmp_path: Path) -> None:
    with Receiver(demo.flv(), tmp_path / "viewer.mkv") as viewer:
        wait_until(lambda: viewer.bytes > 500_000, 30, "two seconds of pictures")
        received = viewer.stop()
    assert len(read_pictures(received)) > 20


def test_it_records(demo: Demo) -> None:
    closed = wait_until(lambda: sorted(demo.recordings.glob("*.mp4")), 30, "a closed segment")
    times = read_times(closed[0])
    assert len(times) >= 290  # ten seconds of 30 a second
    assert max(np.diff(times)) < 0.1
    assert len(read_pictures(closed[0])) == len(times)
    assert read_sound(closed[0]).blocks


def test_nobody_is_bothered(demo: Demo) -> None:
    """What a newcomer reads in the terminal: a handful of lines, none of them a complaint."""
    lines = demo.log().splitlines()
    assert not [line for line in lines if line.split()[1] != "info"], demo.log()
    assert len(lines) < 30


def test_sigterm_ends_it_in_order(tmp_path: Path) -> None:
    with Demo(tmp_path) as demo:
        demo.wait_for_pictures(60)
        with Receiver(demo.watch_at, tmp_path / "viewer.mkv") as viewer:
            wait_until(lambda: viewer.bytes > 200_000, 30, "a picture for the viewer")
            children = descendants(demo.pid)
            code, took_s = demo.stop()
            received = viewer.wait(10)
        assert code == 0
        assert took_s < 5
        assert not [child for child in children if is_alive(child)]
    assert demo.parts() == []
    segments = sorted(demo.recordings.glob("*.mp4"))
    recorded = [read_pictures(segment) for segment in segments]
    assert sum(map(len, recorded)) >= 60
    # The viewer and the recording end with the same picture.
    last_seen, last_kept = read_pictures(received)[-1], recorded[-1][-1]
    assert np.array_equal(last_seen.y, last_kept.y)
    assert "Traceback" not in demo.log()
    assert " error " not in demo.log(), demo.log()


def test_a_second_sigterm_ends_it_at_once(tmp_path: Path) -> None:
    with Demo(tmp_path) as demo:
        demo.wait_for_pictures(10)
        stopped = [child for child in descendants(demo.pid) if _stop_child(child)]  # so that an orderly end takes long
        assert stopped
        try:
            demo.process.send_signal(signal.SIGTERM)
            with pytest.raises(AssertionError):
                demo.wait_end(0.5)
            began = time.monotonic()
            demo.process.send_signal(signal.SIGTERM)
            assert demo.wait_end(5) == 128 + signal.SIGTERM
            assert time.monotonic() - began < 0.5
        finally:
            for child in stopped:
                os.kill(child, signal.SIGCONT)


def test_kill_9_costs_at_most_a_moment(tmp_path: Path) -> None:
    with Demo(tmp_path) as demo:
        demo.wait_for_pictures(150)
        children = descendants(demo.pid)
        (part,) = demo.parts()
        at_the_end = demo.pictures_out()
        demo.kill()
        wait_until(lambda: not any(map(is_alive, children)), 5, "the children to notice")
        # Its end seen by the recording child may have closed the file, but nobody has renamed it.
        assert demo.parts() == [part]
        kept = len(read_times(part))
        assert kept > at_the_end - 45
        assert len(read_pictures(part)) == kept
        demo.start()
        wait_until(lambda: list(demo.recordings.glob("*.recovered.mp4")), 20, "the salvage")
        (recovered,) = demo.recordings.glob("*.recovered.mp4")
        assert len(read_times(recovered)) == kept
        assert part not in demo.parts()
        assert demo.stop()[0] == 0
    assert demo.parts() == []
    assert "recovered" in demo.log()
    assert "Traceback" not in demo.log()


def _ffplay(url: str, log: Path) -> None:
    """Play without a screen until two seconds of picture and sound have been shown, together."""
    if shutil.which("ffplay") is None:
        pytest.skip("ffplay is not installed")
    command = ["env", "SDL_VIDEODRIVER=dummy", "SDL_AUDIODRIVER=dummy", "ffplay", "-hide_banner", "-stats", url]

    def shown() -> list[tuple[float, float]]:
        """Its clock and how far sound and picture are apart, for each line of its statistics."""
        found = re.findall(r"([0-9.]+) A-V: *(-?[0-9.]+)", log.read_text(errors="replace"))
        return [(float(clock), float(apart)) for clock, apart in found]

    with running(command, log):
        wait_until(lambda: len(shown()) > 2 and shown()[-1][0] - shown()[0][0] > 2, 30, "two seconds in ffplay")
    assert abs(statistics.median(apart for _, apart in shown()[-30:])) < 0.1
    assert "Invalid" not in log.read_text(errors="replace")


def _cover(background: U8, picture: U8) -> U8:
    """The background as `fit: cover` shows it."""
    height, width = picture.shape[:2]
    scale = max(height / background.shape[0], width / background.shape[1])
    size = (round(background.shape[1] * scale), round(background.shape[0] * scale))
    scaled = cv2.resize(background, size, interpolation=cv2.INTER_AREA)
    top, left = (scaled.shape[0] - height) // 2, (scaled.shape[1] - width) // 2
    part: U8 = scaled[top : top + height, left : left + width]
    return part


def _stop_child(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGSTOP)
    except ProcessLookupError:
        return False
    return True
