"""The child of one output dies or hangs: only that output starts again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.daemon import is_alive
from tests.equipment.nginx_rtmp import NginxRtmp
from tests.equipment.read_clip import read_times
from tests.faults.house import RICH, House, house, is_whole, recordings, steps, stopped
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

# One group of pictures, which a recorder that starts again begins with, cannot be missing.
_GROUP_S = 2.0


@pytest.fixture
def server() -> Iterator[NginxRtmp]:
    with NginxRtmp() as nginx:
        yield nginx


def test_a_publisher_child_that_is_killed(server: NginxRtmp, tmp_path: Path) -> None:
    with house(tmp_path, _stream(server, tmp_path)) as daemon, daemon.watch() as viewer:
        wait_until(lambda: server.is_published("cam"), 15, "the first connection")
        os.kill(daemon.publisher(), signal.SIGKILL)
        _comes_back(daemon, "publish")
        wait_until(lambda: server.is_published("cam"), 15, "the second connection")
        assert daemon.output("record", "reconnects") == 0
        assert viewer.longest_gap_s <= 0.5
    assert is_whole(tmp_path / "victim")


def test_a_publisher_child_that_hangs(server: NginxRtmp, tmp_path: Path) -> None:
    with house(tmp_path, _stream(server, tmp_path)) as daemon, daemon.watch() as viewer:
        wait_until(lambda: server.is_published("cam"), 15, "the first connection")
        hung = daemon.publisher()
        with stopped(hung):
            _comes_back(daemon, "publish", 40)
            assert not is_alive(hung)
        wait_until(lambda: server.is_published("cam"), 15, "the second connection")
        assert daemon.output("record", "reconnects") == 0
        assert viewer.longest_gap_s <= 0.5
    assert is_whole(tmp_path / "victim")


def test_a_recorder_child_that_is_killed(server: NginxRtmp, tmp_path: Path) -> None:
    with house(tmp_path, _stream(server, tmp_path)) as daemon, daemon.watch() as viewer:
        daemon.wait_for_output("record", "running")
        daemon.wait_for_frames(100)
        os.kill(daemon.recorder(), signal.SIGKILL)
        _comes_back(daemon, "record")
        daemon.wait_for_frames(50)
        assert daemon.output("publish", "reconnects") == 0
        assert viewer.longest_gap_s <= 0.5
        shown = daemon.frames()
    # Two files; between them nothing but what the killed one had not yet written, and the wait to start again.
    first, second = recordings(tmp_path / "victim")
    assert ".recovered." in first.name
    recorded = sum(len(read_times(file)) for file in (first, second))
    print(f"lost {shown - recorded} of {shown} pictures")
    assert recorded >= shown - 25 * (1 + _GROUP_S)
    assert max(map(steps, (first, second))) < 0.1


def test_a_recorder_child_that_hangs(server: NginxRtmp, tmp_path: Path) -> None:
    with house(tmp_path, _stream(server, tmp_path)) as daemon, daemon.watch() as viewer:
        daemon.wait_for_output("record", "running")
        daemon.wait_for_frames(100)
        hung = daemon.recorder()
        with stopped(hung):
            _comes_back(daemon, "record", 45)
            assert not is_alive(hung)
        daemon.wait_for_frames(50)
        assert daemon.output("publish", "reconnects") == 0
        assert viewer.longest_gap_s <= 0.5
        shown = daemon.frames()
    files = recordings(tmp_path / "victim")
    assert len(files) == 2
    print(f"lost {shown - sum(len(read_times(file)) for file in files)} of {shown} pictures")
    assert max(map(steps, files)) < 0.1


def _stream(server: NginxRtmp, folder: Path) -> dict[str, object]:
    record = {"directory": str(folder / "victim"), "segment_s": 600}
    return {**RICH, "publish": server.url("cam"), "record": record}


def _comes_back(daemon: House, kind: str, timeout_s: float = 20) -> None:
    wait_until(lambda: daemon.output(kind, "reconnects") >= 1, timeout_s, f"{kind} to start again")
    daemon.wait_for_output(kind, "running")
    assert daemon.state("victim") == "running"
