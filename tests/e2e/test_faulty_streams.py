"""Whatever is wrong with one stream is told in a sentence, and is no other stream's business."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.daemon import Daemon
from tests.ports import free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

_PATTERN = {"url": "test:", "size": "320x240", "fps": 25}


@pytest.fixture
def streams(tmp_path: Path) -> dict[str, Any]:
    """A good stream, and one for each thing that can be wrong. What is wrong only shows when it is used."""
    model = tmp_path / "models" / "torn"
    model.mkdir(parents=True)
    (model / "model.yaml").write_text("name: torn\nwidth: 64\nheight: 64\n")
    (model / "model.xml").write_text('<net name="torn" version="11"><layers><layer id="0"')
    (model / "model.bin").write_bytes(b"")
    quick = {"bitrate": "500k"}
    return {
        "good": {"source": _PATTERN, "effect": "blur", "encoder": quick},
        "nofile": {"source": str(tmp_path / "gone.mp4"), "effect": "blur"},
        "nomodel": {"source": _PATTERN, "model": str(model), "effect": "blur"},
        "noserver": {
            "source": _PATTERN,
            "effect": "blur",
            "encoder": quick,
            "publish": f"rtmp://127.0.0.1:{free_port()}/live/s3cret-key",
        },
        "nopicture": {"source": _PATTERN, "effect": {"type": "replace", "picture": str(tmp_path / "gone.jpg")}},
    }


def test_each_fault_is_told_once_and_the_good_stream_goes_on(streams: dict[str, Any], tmp_path: Path) -> None:
    with Daemon(tmp_path, streams) as daemon:
        for name, state in {
            "good": "running",
            "nofile": "backing_off",
            "nomodel": "failed",
            "noserver": "running",
            "nopicture": "failed",
        }.items():
            daemon.wait_for_state(name, state, 30)
        wait_until(lambda: _outputs(daemon)["backing_off"] == 1, 20, "the publisher to give up for now")
        before = daemon.api("good")
        # Long enough for several attempts of those that are tried again.
        wait_until(
            lambda: daemon.api("good")["frames"]["encode.out"] >= before["frames"]["encode.out"] + 200, 20, "8 s"
        )
        good = daemon.api("good")
        assert good["fps"] == pytest.approx(25, abs=1.5)
        assert good["frames"].get("queue.dropped", 0) == 0
        assert daemon.state("good") == "running"
        reasons = {name: daemon.api(name)["reason"] for name in ("nofile", "nomodel", "nopicture")}
        assert daemon.get("/healthz")[0] == 200
        assert daemon.get("/readyz")[0] == 503
        code, _ = daemon.stop()
        assert code == 0
    log = daemon.log()
    assert "Traceback" not in log, log
    assert "s3cret" not in log + str(reasons)
    errors = [line.split(" ", 2)[2] for line in log.splitlines() if line.split(" ")[1] in ("error", "critical")]
    for name, words in {
        "nofile": "gone.mp4: no such file",
        "nomodel": "torn",
        "noserver": "nobody listens there",
        "nopicture": "gone.jpg",
    }.items():
        told = [line for line in errors if line.startswith((f"{name}:", f"{name} "))]
        assert len(told) == 1, f"{name}: {told}\n{log}"
        assert words in told[0].lower()
    assert not [line for line in errors if line.startswith("good")]
    assert "no such file" in reasons["nofile"]


def test_check_probe_names_every_fault(streams: dict[str, Any], tmp_path: Path) -> None:
    config = Daemon(tmp_path, streams).config
    command = [sys.executable, "-m", "edgeseg", "check", "-c", str(config), "--probe"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90)
    assert done.returncode == 1, done.stdout + done.stderr
    failed = [line.removeprefix("FAILED").strip() for line in done.stdout.splitlines() if line.startswith("FAILED")]
    subjects = sorted(line.split(": ")[0] + ": " + line.split(": ")[1].split(" ")[0] for line in failed)
    assert subjects == ["nofile: source", "nomodel: model", "nopicture: background", "noserver: publish"], failed
    assert "Traceback" not in done.stdout + done.stderr
    assert "s3cret" not in done.stdout + done.stderr


def _outputs(daemon: Daemon) -> dict[str, float]:
    """How many outputs are in each state, viewers left out."""
    return {
        state: daemon.metric("edgeseg_output_state", state=state, kind="publish")
        for state in ("running", "backing_off")
    }
