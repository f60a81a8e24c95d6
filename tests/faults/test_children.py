"""The child of one output dies or hangs: only that output starts again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeseg.outputs.index import read_index
from tests.e2e.daemon import is_alive
from tests.equipment.nginx_rtmp import NginxRtmp
from tests.equipment.read_clip import read_times
from tests.faults.house import FPS, RICH, House, house, is_whole, recordings, steps, stopped
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

# The longest that two files have in common: a recorder that goes on begins with a keyframe.
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
    _lost_nothing(tmp_path / "victim", shown)


def test_a_recorder_child_that_hangs(server: NginxRtmp, tmp_path: Path) -> None:
    with house(tmp_path, _stream(server, tmp_path)) as daemon, daemon.watch() as viewer:
        daemon.wait_for_output("record", "running")
        daemon.wait_for_frames(100)
        hung = daemon.recorder()
        with stopped(hung):
            _comes_back(daemon, "record", 30)
            assert not is_alive(hung)
        daemon.wait_for_frames(50)
        assert daemon.output("publish", "reconnects") == 0
        assert viewer.longest_gap_s <= 0.5
        shown = daemon.frames()
    _lost_nothing(tmp_path / "victim", shown)


def _lost_nothing(folder: Path, shown: int) -> None:
    """Two files; the second begins with a keyframe that the first has, or that comes right after its end."""
    first, second = recordings(folder)
    assert ".recovered." in first.name
    recorded = [len(read_times(file)) for file in (first, second)]
    print(f"{sum(recorded) - shown} of {shown} pictures are in both files")
    assert shown <= sum(recorded) <= shown + FPS * (_GROUP_S + 1)
    assert max(map(steps, (first, second))) < 0.1
    assert [entry.gap_before_ms for entry in read_index(folder)] == [None, 0]


def _stream(server: NginxRtmp, folder: Path) -> dict[str, object]:
    record = {"directory": str(folder / "victim"), "segment_s": 600}
    return {**RICH, "publish": server.url("cam"), "record": record}


def _comes_back(daemon: House, kind: str, timeout_s: float = 20) -> None:
    wait_until(lambda: daemon.output(kind, "reconnects") >= 1, timeout_s, f"{kind} to start again")
    daemon.wait_for_output(kind, "running")
    assert daemon.state("victim") == "running"
