"""``edgeseg bench streams`` whole, with daemons of its own, on pictures of a few pixels. No test asserts a speed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from edgeseg.benchmark import job, material, processes, trial
from edgeseg.benchmark.daemon import TrialError
from edgeseg.benchmark.figures import FLOOR, STAGES
from edgeseg.benchmark.settings import Played
from edgeseg.cli import main
from edgeseg.config import StreamConfig
from edgeseg.config.schema import EncoderConfig
from edgeseg.config.source import SourceConfig
from edgeseg.errors import SourceError
from edgeseg.ffmpeg import find_ffmpeg
from tests.clips import make_clip
from tests.equipment.http_feed import HttpFeed
from tests.tiny_models import bright_model
from tests.waiting import wait_until


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the command puts its files; it has to be empty in the end, and no child left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    before = set(processes.tree(os.getpid()))
    yield folder
    assert list(folder.iterdir()) == []
    assert set(processes.tree(os.getpid())) <= before


def config(tmp_path: Path, source: str) -> Path:
    file = tmp_path / "config.yaml"
    model = bright_model(tmp_path / "bright")
    published = "rtmp://127.0.0.1:1/app/key"
    small = {"size": "64x48", "fps": 12} if source == "test:" else {}
    stream = {"source": {"url": source, **small}, "model": str(model), "publish": published}
    stream["record"] = str(tmp_path / "mine")
    streams = {"door": stream, "off": {"enabled": False, "source": "rtsp://127.0.0.1:1/x"}}
    file.write_text(json.dumps({"streams": streams}))
    return file


def test_the_test_pattern_from_material_to_chart(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(job, "_MOST", 1)
    chart = tmp_path / "chart.svg"
    arguments = ["-c", str(config(tmp_path, "test:")), "--seconds", "0.5", "--json", "--chart", str(chart)]
    assert main(["bench", "streams", *arguments]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert [line.partition(":")[0] for line in said.err.splitlines()][:3] == ["door"] * 3
    (stream,) = found["streams"]
    assert (stream["width"], stream["height"], stream["fps"]) == (64, 48, pytest.approx(12, abs=0.1))
    assert "encoded as H.264" in stream["played"]
    assert "nobody" in stream["source"]
    cpu = stream["cpu_ms"]
    assert all(cpu[name] > 0 for name in (*STAGES, "whole"))
    assert cpu["floor"] == pytest.approx(sum(cpu[name] for name in FLOOR))
    assert cpu["rest"] == pytest.approx(cpu["whole"] - sum(cpu[name] for name in STAGES))
    (capacity,) = found["capacity"]  # its rate is below the floor that is asked for
    (only,) = capacity["trials"]
    assert only["streams"] == 1
    assert only["pss_bytes"] > 10_000_000
    assert only["cpu_cores"] > 0
    assert ET.fromstring(chart.read_text()) is not None
    assert not (tmp_path / "mine").exists()  # nothing reaches the user's folder


def words_below(pid: int) -> list[str]:
    """What the children were started with."""
    files = [Path(f"/proc/{below}/cmdline") for below in processes.tree(pid)[1:]]
    return [word for file in files if file.exists() for word in file.read_text().split("\0")]


def test_ctrl_c_leaves_nothing(tmp_path: Path, temporary: Path) -> None:
    file = config(tmp_path, str(make_clip(tmp_path / "clip.mp4", fps="12", seconds=2)))
    child = subprocess.Popen(
        [sys.executable, "-m", "edgeseg", "bench", "-c", str(file), "--seconds", "0.5"],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert child.stderr is not None
    with child.stderr:
        try:
            wait_until(lambda: "run" in words_below(child.pid), timeout_s=30)
            below = processes.tree(child.pid)[1:]
            child.send_signal(signal.SIGINT)
            assert child.wait(20) == 130
            assert b"Traceback" not in child.stderr.read()
        finally:
            child.kill()
            child.wait()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below))


def test_a_camera_is_taken_once_and_its_packets_are_kept(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(material, "TAKE_S", 2.0)
    clip = make_clip(tmp_path / "clip.flv", fps="12", seconds=4)
    with HttpFeed(lambda number, wait: [clip.read_bytes()]) as camera:
        stream = StreamConfig(source=SourceConfig(url=camera.url))
        shares: list[float] = []
        played = material.prepare("door", stream, find_ffmpeg(), tmp_path, shares.append)
    assert Path(played.source["url"]).parent == tmp_path
    assert (played.width, played.height, played.source_fps) == (64, 48, pytest.approx(12, abs=0.3))
    assert "copied" in played.made
    assert shares[-1] >= 1.0


def test_a_source_of_too_few_pictures_is_refused(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(material, "TAKE_S", 0.3)
    stream = StreamConfig(source=SourceConfig.model_validate({"url": "test:", "size": "64x48", "fps": 5}))
    with pytest.raises(SourceError, match="pictures in"):
        material.prepare("door", stream, find_ffmpeg(), tmp_path, lambda _: None)


def test_streams_that_do_not_start_were_too_many_but_one_is_an_error(tmp_path: Path, temporary: Path) -> None:
    stream = StreamConfig(source=SourceConfig(url="unused"), encoder=EncoderConfig(options={"profile:v": "nonsense"}))
    clip = make_clip(tmp_path / "clip.mp4", fps="12", seconds=1)
    played = Played("door", stream, {"url": str(clip), "type": "av", "loop": True}, 64, 48, 12.0)
    with pytest.raises(TrialError, match=r"nonsense|the daemon ended"):
        trial.hold([played], 1, None, find_ffmpeg(), tmp_path, 0.5, lambda _: None)
    assert trial.hold([played], 2, None, find_ffmpeg(), tmp_path, 0.5, lambda _: None).share == 0.0
