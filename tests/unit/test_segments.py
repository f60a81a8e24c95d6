"""Names of recordings: in order whatever the clock does, used once, and told from everybody else's files."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edgeseg.outputs.segments import Names, leftovers, publish_segment, recordings, salvage, stamp_ms

NOON = round(datetime(2026, 1, 2, 12, tzinfo=UTC).timestamp() * 1000)
HOUR = 3_600_000


class Clock:
    def __init__(self, ms: int = NOON) -> None:
        self.ms = ms

    def __call__(self) -> int:
        return self.ms


def test_a_name_is_the_time_in_utc_to_the_millisecond(tmp_path: Path) -> None:
    part = Names(tmp_path, "door", "mp4", Clock(NOON + 5_678)).next()
    assert part.name == "door-20260102T120005.678Z.mp4.part"
    assert part.read_bytes() == b""
    assert stamp_ms("door", part.name) == NOON + 5_678


@pytest.mark.parametrize("step", [-HOUR, -1, 0, HOUR, -40 * 365 * 24 * HOUR])
def test_names_sort_in_the_order_of_segments_when_the_clock_steps(step: int, tmp_path: Path) -> None:
    clock = Clock()
    names = Names(tmp_path, "door", "mp4", clock)
    made = [names.next().name]
    for jump in (step, 60_000, 60_000, -step, 60_000):
        clock.ms += jump
        made.append(names.next().name)
    assert made == sorted(set(made))


def test_the_clock_is_believed_again_once_it_has_caught_up(tmp_path: Path) -> None:
    clock = Clock()
    names = Names(tmp_path, "door", "mp4", clock)
    names.next()
    clock.ms = NOON - HOUR
    assert stamp_ms("door", names.next().name) == NOON + 1
    clock.ms = NOON + 10
    assert stamp_ms("door", names.next().name) == NOON + 10


def test_a_new_process_goes_on_after_the_last_name_of_the_old(tmp_path: Path) -> None:
    names = Names(tmp_path, "door", "mp4", Clock(NOON - HOUR))
    names.follow(["door-20260102T120000.000Z.recovered.mkv", "door-2-20270102T120000.000Z.mp4", "notes.txt"])
    assert names.next().name == "door-20260102T120000.001Z.mp4.part"


@pytest.mark.parametrize("taken", ["{}.mp4", "{}.mp4.part", "{}.recovered.mp4"])
def test_a_name_is_never_used_twice(taken: str, tmp_path: Path) -> None:
    (tmp_path / taken.format("door-20260102T120000.000Z")).write_bytes(b"old")
    assert Names(tmp_path, "door", "mp4", Clock()).next().name == "door-20260102T120000.001Z.mp4.part"
    assert (tmp_path / taken.format("door-20260102T120000.000Z")).read_bytes() == b"old"


def test_closing_never_replaces_a_file(tmp_path: Path) -> None:
    part = Names(tmp_path, "door", "mp4", Clock()).next()
    part.write_bytes(b"new")
    taken = tmp_path / "door-20260102T120000.000Z.mp4"
    taken.write_bytes(b"old")
    final = publish_segment(part)
    assert final.name == "door-20260102T120000.000Z-1.mp4"
    assert (taken.read_bytes(), final.read_bytes(), part.exists()) == (b"old", b"new", False)
    assert recordings(tmp_path, "door") == [taken, final]


def test_closing_works_where_there_are_no_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(source: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    test_closing_never_replaces_a_file(tmp_path)


def test_only_files_of_the_stream_are_its_recordings(tmp_path: Path) -> None:
    ours = [
        "door-20260102T030405.678Z.mp4",
        "door-20260102T030405.679Z-1.ts",
        "door-20260103T030405.678Z.recovered.mkv",
    ]
    others = [
        *("door-2-20260102T030405.678Z.mp4", "yard-20260102T030405.678Z.mp4", "door-20260102T030405.678Z.avi"),
        *("door-20260102T030405Z.mp4", "door-20261302T030405.678Z.mp4", "xdoor-20260102T030405.678Z.mp4"),
        *("door-20260102T030405.678Z.mp4~", "door.mp4", "recordings.jsonl", "door-20260102T030405.678Z.mp4.new"),
    ]
    part = "door-20260104T030405.678Z.mp4.part"
    for name in (*ours, *others, part):
        (tmp_path / name).write_bytes(b"x")
    assert [path.name for path in recordings(tmp_path, "door")] == ours
    assert [path.name for path in leftovers(tmp_path, "door")] == [part]


def test_a_crash_between_the_two_halves_of_closing_leaves_one_recording(tmp_path: Path) -> None:
    part = Names(tmp_path, "door", "mp4", Clock()).next()
    part.write_bytes(b"whole")
    closed = part.with_suffix("")
    os.link(part, closed)
    assert salvage([part]) == []
    assert (closed.read_bytes(), part.exists()) == (b"whole", False)
