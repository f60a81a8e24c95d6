"""The wall clock steps: the stream does not notice, and recordings keep their order under names of their own."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import accumulate, pairwise
from pathlib import Path
from time import time

import pytest

from edgeseg.outputs.index import read_index
from edgeseg.outputs.segments import stamp_ms
from tests.equipment.other_clock import OtherClock
from tests.equipment.read_clip import read_times
from tests.faults.house import PATTERN, UNNOTICED_S, house, recordings

pytestmark = pytest.mark.e2e

# Two seconds before Central European clocks go from 3:00 back to 2:00.
_SUMMER_ENDS = datetime(2026, 10, 25, 0, 59, 58, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("begins", "steps_s"),
    [(None, [3600, -3600]), (_SUMMER_ENDS, []), (None, [-1])],
    ids=["an hour forward and back", "the end of summer time", "a leap second"],
)
def test_the_clock_steps(begins: float | None, steps_s: list[float], tmp_path: Path) -> None:
    offset_s = begins - time() if begins else 0.0
    clock = OtherClock(tmp_path, offset_s)
    victim = {**PATTERN, "record": {"directory": str(tmp_path / "victim"), "segment_s": 2}}
    env = {**clock.env, "TZ": "Europe/Berlin"}
    with house(tmp_path, victim, env=env) as daemon, daemon.watch() as viewer:
        daemon.wait_for_frames(50)
        for step_s in steps_s:
            clock.step(step_s)
            daemon.let_pass(5)
        daemon.let_pass(4)
        assert viewer.longest_gap_s <= UNNOTICED_S
        assert all(b > a for a, b in pairwise(viewer.times_ms))
        assert daemon.api("victim")["state"] == "running"
        assert daemon.output("record", "reconnects") == 0
    files = recordings(tmp_path / "victim", ".mp4")
    assert len(files) >= 3
    # By name they are in the order in which they were written, and nothing is missing where one follows the other.
    assert files == sorted(files, key=lambda file: file.stat().st_mtime_ns)
    # Names do not go back with the clock: the last one is at most as far ahead as the clock ever was.
    ahead_s = (stamp_ms("victim", files[-1].name) or 0) / 1000 - time()
    assert ahead_s == pytest.approx(max(accumulate(steps_s, initial=offset_s)), abs=30)
    index = read_index(tmp_path / "victim")
    assert [entry.file for entry in index] == [file.name for file in files]
    assert all(entry.gaps_ms == 0 and not entry.gap_before_ms for entry in index)
    assert sum(len(read_times(file)) for file in files) >= len(viewer.times_ms)
