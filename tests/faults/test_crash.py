"""kill -9, of the daemon alone and of everything that it started: what is recorded stays, nothing is left running."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
from pathlib import Path

import av
import pytest

from tests.e2e.daemon import descendants, is_alive
from tests.equipment.read_clip import read_times
from tests.faults.house import FPS, PATTERN, House, recordings, steps
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

# What the victim records before it is killed: a segment of four seconds, and half of one.
_SEGMENT_S, _BEFORE_S = 4, 6
_CLOSED = (".mp4", ".mkv", ".ts")
# A second of pictures.
_LOST = FPS


@pytest.mark.parametrize("everything", [False, True], ids=["the daemon", "the whole group"])
def test_recordings_survive(everything: bool, tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("victim", "mkv", "ts")}
    streams = {name: _recorded_stream(folder) for name, folder in folders.items()}
    with House(tmp_path, streams.pop("victim"), streams) as daemon:
        wait_until(lambda: all(daemon.frames(n) >= _BEFORE_S * FPS for n in folders), 60, "one segment and a half")
        wait_until(lambda: all(daemon.output("record", "recordings", n) for n in folders), 10, "closed segments")
        closed = {file: _hash(file) for folder in folders.values() for file in recordings(folder, *_CLOSED)}
        children = descendants(daemon.pid)
        shown = {name: daemon.frames(name) for name in folders}
        daemon.process.kill()
        if everything:
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
        daemon.process.wait(10)
        wait_until(lambda: not any(map(is_alive, children)), 5, "the end of every child")

        # As it was left: everything can be played, and at most a second is missing.
        left = {name: _recorded(folder) for name, folder in folders.items()}
        for name, folder in folders.items():
            print(f"{name}: lost {shown[name] - left[name]} of {shown[name]} pictures")
            assert len(recordings(folder, ".part")) == 1
            assert left[name] >= shown[name] - _LOST

        daemon.start()
        for name, folder in folders.items():
            wait_until(lambda n=name: daemon.output_state("record", n) == "running", 20, f"{name} to record")
            (found,) = (file for file in recordings(folder) if ".recovered." in file.name)
            before = [*(file for file in closed if file.parent == folder), found]
            assert sum(len(read_times(file)) for file in before) == left[name]
            assert max(map(steps, before)) < 0.1
            assert not daemon.errors(name)
        assert {file: _hash(file) for file in closed} == closed
        code, _ = daemon.stop()
        assert code == 0
    assert not [part for folder in folders.values() for part in recordings(folder, ".part")]


def _recorded_stream(folder: Path) -> dict[str, object]:
    """A stream that is recorded in the container that its folder is called after, ``victim`` as mp4."""
    container = "mp4" if folder.name == "victim" else folder.name
    return {**PATTERN, "record": {"directory": str(folder), "segment_s": _SEGMENT_S, "container": container}}


def _recorded(folder: Path) -> int:
    """How many pictures can be decoded in all files of a folder, whatever they are called."""
    count = 0
    for file in recordings(folder):
        with contextlib.suppress(av.FFmpegError), av.open(str(file)) as container:
            for _ in container.decode(video=0):
                count += 1
    return count


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
