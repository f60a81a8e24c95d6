"""Only while somebody is in the picture something is recorded: the real daemon and model, a clip with visitors.

Each picture has its number on it, so that it can be told which of them are in the files.
"""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from edgeseg.outputs.index import read_index
from edgeseg.outputs.segments import stamp_ms
from tests.e2e.daemon import Daemon
from tests.equipment.read_clip import read_pictures, read_times
from tests.equipment.visits_clip import FPS, number_on, write_visits_clip
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

# From, to. The second is so soon after the first that it belongs to the same event.
VISITS = ((6.4, 8.0), (9.4, 10.4), (19.0, 20.4))
SECONDS = 25
PRE_S, POST_S, KEYFRAME_S = 2.0, 1.6, 1.0
# What belongs to each event at least.
EVENTS = ((6.4 - PRE_S, 10.4 + POST_S), (19.0 - PRE_S, 20.4 + POST_S))
# The model may need a picture or two to see that somebody has come or gone.
_NOTICE_S = 0.2


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_visits_clip(tmp_path_factory.mktemp("clip") / "visits.mp4", VISITS, SECONDS)


def stream(clip: Path, folder: Path, **more: Any) -> dict[str, Any]:
    return {
        "source": {"url": str(clip), "realtime": more.pop("realtime", False)},
        "effect": "passthrough",
        "allow_uncovered": True,
        "encoder": {"keyframe_s": KEYFRAME_S},
        "record": {"directory": str(folder), "when": "on_presence", "pre_roll_s": PRE_S, "post_roll_s": POST_S, **more},
    }


def numbers(file: Path) -> list[int]:
    """Which pictures of the clip a recording holds."""
    return [number_on(picture.y) for picture in read_pictures(file)]


def assert_is_event(file: Path, start_s: float, end_s: float) -> None:
    """It begins with a keyframe, less than a group before it has to, and holds every picture up to the end once."""
    found = numbers(file)
    assert found == list(range(found[0], found[-1] + 1)), found
    assert start_s - KEYFRAME_S - 0.1 <= found[0] / FPS <= start_s + _NOTICE_S
    assert end_s - _NOTICE_S <= found[-1] / FPS <= end_s + _NOTICE_S
    times = read_times(file)
    assert times[0] <= 0.05 or file.suffix == ".ts"
    assert all(abs(b - a - 1 / FPS) < 0.002 for a, b in pairwise(times))


def test_each_event_is_one_file_from_before_somebody_comes_until_after_they_left(clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "events"
    with Daemon(tmp_path, {"door": stream(clip, folder, realtime=True)}) as daemon:
        wait_until(lambda: activity(daemon) == ("running", "", "waiting for presence"), 15, "the recorder waiting")
        assert not list(folder.iterdir())
        assert not daemon.api("door")["present"]
        wait_until(lambda: daemon.metric("edgeseg_presence", stream="door") == 1, 15, "somebody")
        seen_ms = time.time() * 1000
        assert activity(daemon) == ("running", "", "recording an event")
        wait_until(lambda: daemon.metric("edgeseg_presence", stream="door") == 0, 15, "nobody")
        wait_until(lambda: activity(daemon)[2] == "waiting for presence", 15, "the recorder waiting again")
        wait_until(lambda: read_index(folder), 15, "the first event in the index")
        wait_until(lambda: daemon.metric("edgeseg_recording_events_total", stream="door") == 2, 15, "another event")
        assert daemon.metric("edgeseg_presence_appearances_total", stream="door") == 3
        assert daemon.wait_end(30) == 0
    files = sorted(folder.glob("door-*"))
    assert len(files) == 2
    for file, event in zip(files, EVENTS, strict=True):
        assert file.suffix == ".mp4"
        assert_is_event(file, *event)
    for entry, file in zip(read_index(folder), files, strict=True):
        assert (entry.file, entry.reason, entry.gap_before_ms, entry.gaps_ms) == (file.name, "presence", 0, 0)
        assert entry.frames == len(numbers(file))
        assert PRE_S * 1000 <= entry.pre_roll_ms <= (PRE_S + KEYFRAME_S + 0.1) * 1000
        assert entry.start_ms == stamp_ms("door", file.name)
        assert entry.appeared_ms == entry.start_ms + entry.pre_roll_ms
    assert abs((read_index(folder)[0].appeared_ms or 0) - seen_ms) < 2000
    assert "error" not in daemon.log()


@pytest.mark.parametrize("container", ["mp4", "mkv", "ts"])
def test_long_events_are_cut_into_segments_that_lose_nothing(container: str, clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "events"
    with Daemon(tmp_path, {"door": stream(clip, folder, container=container, segment_s=3)}) as daemon:
        assert daemon.wait_end(60) == 0
    files = sorted(folder.glob(f"door-*.{container}"))
    held = [numbers(file) for file in files]
    assert all(len(found) >= 3 * FPS for found in held[:2])
    entries = read_index(folder)
    assert [entry.file for entry in sorted(entries, key=lambda entry: entry.file)] == [file.name for file in files]
    assert all(entry.gap_before_ms == entry.gaps_ms == 0 for entry in entries)
    both = [
        [number for found, entry in zip(held, entries, strict=True) if entry.appeared_ms == at for number in found]
        for at in sorted({entry.appeared_ms or 0 for entry in entries})
    ]
    assert len(both) == 2
    for found, (start_s, end_s) in zip(both, EVENTS, strict=True):
        assert found == list(range(found[0], found[-1] + 1))
        assert start_s - KEYFRAME_S - 0.1 <= found[0] / FPS <= start_s + _NOTICE_S
        assert end_s - _NOTICE_S <= found[-1] / FPS <= end_s + _NOTICE_S


def activity(daemon: Daemon) -> tuple[str, str, str]:
    """State, reason and activity of the recorder."""
    (recorder,) = (output for output in daemon.api("door")["outputs"] if output["kind"] == "record")
    return recorder["state"], recorder["reason"], recorder["activity"]
