"""The index of recordings: what it says after crashes, torn lines, full disks and removals."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.outputs.index import INDEX, Index, index_of, read_index
from edgeseg.outputs.indexlines import Entry, closed_line, replay

START = 1_767_355_200_123


def entry(number: int = 0, stream: str = "door") -> Entry:
    return Entry(stream, name(number, stream), START, START + 60_000, 1000 + number, 1800, 0, 0)


def name(number: int = 0, stream: str = "door") -> str:
    return f"{stream}-20260102T12{number // 60:02d}{number % 60:02d}.123Z.mp4"


def filled(folder: Path, count: int) -> Index:
    index = Index(folder)
    for number in range(count):
        (folder / name(number)).write_bytes(bytes(10))
        index.closed(entry(number))
    return index


def test_a_line_says_everything_in_plain_json(tmp_path: Path) -> None:
    Index(tmp_path).closed(Entry("door", name(), START, START + 60_033, 1000, 1801, 250, 700, recovered=True))
    (line,) = (tmp_path / INDEX).read_text().splitlines()
    assert json.loads(line) == {
        "event": "closed",
        "stream": "door",
        "file": name(),
        "start": "2026-01-02T12:00:00.123Z",
        "end": "2026-01-02T12:01:00.156Z",
        "start_ms": START,
        "end_ms": START + 60_033,
        "duration_ms": 60_033,
        "bytes": 1000,
        "frames": 1801,
        "gap_before_ms": 250,
        "gaps_ms": 700,
        "recovered": True,
        "reason": None,
        "appeared_ms": None,
        "pre_roll_ms": 0,
    }


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    index = Index(tmp_path)
    event = Entry("door", name(3), START, START, 0, reason="presence", appeared_ms=START + 5200, pre_roll_ms=5200)
    entries = [entry(0), entry(1, "yard"), Entry("door", name(2), START, START, 0), event]
    for each in entries:
        index.closed(each)
    assert read_index(tmp_path) == entries
    assert read_index(tmp_path, "yard") == entries[1:2]
    index.removed("door", name(0), "age")
    assert read_index(tmp_path) == entries[1:]
    assert read_index(tmp_path / "nowhere") == []


@pytest.mark.parametrize("cut", [1, 20, -1])
def test_a_torn_last_line_is_passed_over_and_repaired(cut: int, tmp_path: Path) -> None:
    filled(tmp_path, 3)
    path = tmp_path / INDEX
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(whole[: len(whole) - len(lines[-1])] + lines[-1][:cut])
    # Without its line end, the last line may be whole all the same.
    assert read_index(tmp_path)[:2] == [entry(0), entry(1)]
    index = Index(tmp_path)
    assert [each.file for each in index.repair("door")] == [name(0), name(1), name(2)]
    index.closed(entry(9))
    (tmp_path / name(9)).write_bytes(b"x")
    assert [each.file for each in read_index(tmp_path)] == [name(0), name(1), name(2), name(9)]
    assert all(json.loads(line) for line in path.read_bytes().splitlines())


def test_repair_makes_the_index_say_what_is_on_the_disk(tmp_path: Path) -> None:
    index = filled(tmp_path, 3)
    (tmp_path / name(1)).unlink()
    unknown = tmp_path / "door-20260102T130000.000Z.recovered.mkv"
    unknown.write_bytes(bytes(77))
    os.utime(unknown, ns=(0, (START + 3_660_000) * 1_000_000))
    there = index.repair("door")
    assert [each.file for each in there] == [name(0), name(2), unknown.name]
    assert there == read_index(tmp_path)
    adopted = there[-1]
    assert (adopted.bytes, adopted.frames, adopted.gap_before_ms, adopted.recovered) == (77, None, None, True)
    assert adopted.end_ms - adopted.start_ms == 60_123
    before = (tmp_path / INDEX).read_bytes()
    index.repair("door")
    assert (tmp_path / INDEX).read_bytes() == before


def test_a_folder_full_of_recordings_without_an_index_gets_one(tmp_path: Path) -> None:
    names = [f"door-20260102T12{number // 60:02d}{number % 60:02d}.123Z.mp4" for number in range(1500)]
    for each in names:
        (tmp_path / each).write_bytes(b"x")
    Index(tmp_path).repair("door")
    assert [entry.file for entry in read_index(tmp_path)] == names


def test_repair_leaves_other_streams_alone(tmp_path: Path) -> None:
    index = Index(tmp_path)
    index.closed(entry(0, "yard"))
    assert index.repair("door") == []
    assert read_index(tmp_path) == [entry(0, "yard")]


def test_a_line_that_could_not_be_written_comes_with_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "away"
    index = Index(folder)
    index.closed(entry(0))
    folder.mkdir()
    index.closed(entry(1))
    assert read_index(folder) == [entry(0), entry(1)]


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = filled(tmp_path, 1)
    before = (tmp_path / INDEX).read_bytes()
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:10]))
    index.closed(entry(1))
    assert (tmp_path / INDEX).read_bytes() == before
    monkeypatch.undo()
    index.closed(entry(2))
    assert read_index(tmp_path) == [entry(0), entry(1), entry(2)]


def test_the_index_does_not_grow_for_ever(tmp_path: Path) -> None:
    index = filled(tmp_path, 2)
    path = tmp_path / INDEX
    for _ in range(20):
        index.removed("door", name(7), "size")
    index.compact()
    assert len(path.read_bytes().splitlines()) == 22
    for _ in range(500):
        index.removed("door", name(7), "size")
    index.compact()
    assert path.read_bytes() == closed_line(entry(0)) + closed_line(entry(1))
    assert [each.name for each in tmp_path.glob(f"{INDEX}*")] == [INDEX]


def test_streams_that_share_a_directory_share_its_index(tmp_path: Path) -> None:
    index = index_of(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    assert index_of(tmp_path / "link") is index
    both = [threading.Thread(target=lambda s: [index_of(tmp_path).closed(entry(n, s)) for n in range(50)], args=(s,))
            for s in ("door", "yard")]  # fmt: skip
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert len(read_index(tmp_path, "door")) == len(read_index(tmp_path, "yard")) == 50


@given(st.lists(st.binary(max_size=200) | st.builds(closed_line, st.builds(entry, st.integers(0, 59)))))
@settings(max_examples=50, deadline=None)
def test_no_line_is_too_strange(lines: list[bytes]) -> None:
    entries, bad = replay(b"".join(lines).splitlines())
    assert bad >= 0
    assert all(isinstance(each, Entry) for each in entries.values())


@pytest.mark.parametrize(
    "fields",
    [{"start_ms": "1"}, {"bytes": 1.5}, {"frames": True}, {"file": None}, {"event": "opened"}, {"gap_before_ms": []}],
)
def test_a_line_that_is_no_entry_is_not_taken_for_one(fields: dict[str, object]) -> None:
    line = json.dumps(json.loads(closed_line(entry())) | fields).encode()
    assert replay([line]) == ({}, 1)
