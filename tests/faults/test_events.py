"""What ends in the middle of an event: the daemon, its whole group, the encoder, the recorder, and an ordinary stop."""

from __future__ import annotations

import contextlib
import os
import signal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from edgeseg.outputs.index import read_index
from tests.demo_truth import CLIP
from tests.demo_truth import FPS as CLIP_FPS
from tests.e2e.daemon import descendants, is_alive
from tests.equipment.read_clip import read_times
from tests.faults.house import RICH, House, house, recordings
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

_SIZE = "640x360"


def test_kill_9_of_everything_leaves_the_event(tmp_path: Path) -> None:
    folder = tmp_path / "victim"
    with House(tmp_path, _somebody(folder)) as daemon:
        _in_an_event(daemon)
        shown = daemon.frames()
        children = descendants(daemon.pid)
        daemon.kill()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        wait_until(lambda: not any(map(is_alive, children)), 5, "the end of every child")
        (part,) = recordings(folder, ".part")
        assert len(read_times(part)) >= shown - CLIP_FPS - 1
        daemon.start()
        _in_an_event(daemon)
        assert daemon.stop()[0] == 0
    saved, after = recordings(folder)
    assert ".recovered." in saved.name
    assert _longest_step(saved) <= 1.5 / CLIP_FPS
    entries = {entry.file: entry for entry in read_index(folder)}
    assert (entries[saved.name].recovered, entries[saved.name].reason) == (True, None)
    assert entries[after.name].reason == "presence"


def test_a_stop_in_an_event_closes_it(tmp_path: Path) -> None:
    with house(tmp_path, _somebody(tmp_path / "victim")) as daemon:
        _in_an_event(daemon)
    (file,) = recordings(tmp_path / "victim")
    assert _longest_step(file) <= 1.5 / CLIP_FPS
    (entry,) = read_index(tmp_path / "victim")
    assert (entry.frames, entry.reason, entry.recovered) == (len(read_times(file)), "presence", False)


def test_an_encoder_that_is_killed_does_not_end_it(tmp_path: Path) -> None:
    with house(tmp_path, _somebody(tmp_path / "victim")) as daemon:
        _in_an_event(daemon)
        os.kill(daemon.encoder(), signal.SIGKILL)
        wait_until(lambda: daemon.metric("edgeseg_encoder_restarts_total", stream="victim") == 1, 20, "a new encoder")
        daemon.wait_for_frames(2 * CLIP_FPS)
        assert daemon.metric("edgeseg_recording_events_total", stream="victim") == 1
        assert daemon.output("record", "reconnects") == 0
    (file,) = recordings(tmp_path / "victim")
    (entry,) = read_index(tmp_path / "victim")
    assert entry.frames == len(read_times(file))


def test_a_recorder_that_is_killed_goes_on_with_the_same_event(tmp_path: Path) -> None:
    with house(tmp_path, _somebody(tmp_path / "victim")) as daemon:
        _in_an_event(daemon)
        os.kill(daemon.recorder(), signal.SIGKILL)
        wait_until(lambda: daemon.output("record", "reconnects") == 1, 20, "another recorder")
        daemon.wait_for_frames(3 * CLIP_FPS)
        assert daemon.metric("edgeseg_recording_events_total", stream="victim") == 1
    assert len(recordings(tmp_path / "victim")) == 2
    first, second = read_index(tmp_path / "victim")
    assert first.appeared_ms == second.appeared_ms
    assert (first.recovered, second.recovered) == (True, False)


def _somebody(folder: Path) -> dict[str, Any]:
    """A stream whose person never leaves."""
    return {
        **RICH,
        "source": {"url": str(CLIP), "loop": True, "audio": False},
        "video": {"size": _SIZE},
        "record": {"directory": str(folder), "when": "on_presence", "segment_s": 600},
    }


def _in_an_event(daemon: House) -> None:
    """Some seconds of it are recorded."""
    wait_until(lambda: daemon.metric("edgeseg_recording_events_total", stream="victim") == 1, 20, "an event")
    daemon.wait_for_frames(3 * CLIP_FPS)


def _longest_step(file: Path) -> float:
    return max(b - a for a, b in pairwise(read_times(file)))
