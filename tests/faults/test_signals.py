"""Signals, and standard streams that are closed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.daemon import descendants, is_alive
from tests.equipment.onlooker import Onlooker
from tests.faults.house import FPS, RICH, House, house, is_whole, longest_step, stopped
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e


def test_sigterm_ends_everything_whole(tmp_path: Path) -> None:
    with House(tmp_path, _stream(tmp_path)) as daemon:
        daemon.wait_for_frames(50)
        children = descendants(daemon.pid)
        code, took_s = daemon.stop()
        assert code == 0
        assert took_s < 5
        wait_until(lambda: not any(map(is_alive, children)), 2, "the end of every child")
    assert is_whole(tmp_path / "victim")
    assert "Traceback" not in daemon.log()


def test_a_second_sigterm_ends_it_at_once(tmp_path: Path) -> None:
    """The first is held up by a recorder that does not answer."""
    with House(tmp_path, _stream(tmp_path)) as daemon:
        daemon.wait_for_frames(50)
        with stopped(daemon.recorder()):
            daemon.process.send_signal(signal.SIGTERM)
            # It has begun to stop once the stream says so; the recorder is still waited for.
            wait_until(lambda: _has_let_go(daemon), 5, "the beginning of the end")
            assert daemon.process.poll() is None
            daemon.process.send_signal(signal.SIGTERM)
            assert daemon.wait_end(1) == 128 + signal.SIGTERM
        # The recorder wakes up, finds its input closed, and leaves with what it has.
    assert longest_step(tmp_path / "victim") < 0.1


def test_a_storm_of_sighup_changes_nothing(tmp_path: Path) -> None:
    with house(tmp_path, _stream(tmp_path)) as daemon, daemon.watch() as viewer:
        daemon.wait_for_frames(25)
        for _ in range(500):
            daemon.process.send_signal(signal.SIGHUP)
            daemon.get("/healthz")
        daemon.wait_for_frames(25)
        assert daemon.metric("edgeseg_source_reconnects_total", stream="victim") == 0
        assert viewer.longest_gap_s <= 0.5
    assert is_whole(tmp_path / "victim")


class _Closed(House):
    """Started as a careless init script does it: without standard streams at all."""

    def start(self) -> None:
        command = 'exec "$@" <&- >&- 2>&-'
        daemon = [sys.executable, "-m", "edgeseg", "run", "-c", str(self.config)]
        self._log.touch()
        self._process = subprocess.Popen(["/bin/sh", "-c", command, "sh", *daemon], start_new_session=True)
        wait_until(self._answers, 30, "an answer of the daemon")


def test_without_standard_streams(tmp_path: Path) -> None:
    with _Closed(tmp_path, _stream(tmp_path)) as daemon:
        with Onlooker(f"{daemon.base}/streams/victim/live.flv", tmp_path / "watched.flv") as viewer:
            daemon.wait_for_frames(3 * FPS)
            assert viewer.longest_gap_s <= 0.5
        code, _ = daemon.stop()
        assert code == 0
    assert is_whole(tmp_path / "victim")


class _Deaf(House):
    """Started by somebody who has stopped listening: stdout and stderr are pipes that nobody reads any more."""

    def start(self) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        self._log.touch()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "edgeseg", "run", "-c", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                start_new_session=True,
            )
        finally:
            os.close(writing)
        wait_until(self._answers, 30, "an answer of the daemon")


def test_nobody_listens_to_what_it_says(tmp_path: Path) -> None:
    with _Deaf(tmp_path, _stream(tmp_path)) as daemon:
        daemon.wait_for_frames(3 * FPS)
        code, _ = daemon.stop()
        assert code == 0
    assert is_whole(tmp_path / "victim")


def _stream(folder: Path) -> dict[str, object]:
    return {**RICH, "record": {"directory": str(folder / "victim"), "segment_s": 600}}


def _has_let_go(daemon: House) -> bool:
    """Whether its encoders are gone: the next step is to close the outputs."""
    return not [pid for pid in descendants(daemon.pid) if "pipe:1" in _words(pid)]


def _words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
