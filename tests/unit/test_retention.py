"""What retention removes, what it never touches, and that it says so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgeseg.errors import OutputError
from edgeseg.outputs.index import Index, read_index
from edgeseg.outputs.recordstatus import RecordStatus
from edgeseg.outputs.retention import Keeper, Retention
from edgeseg.outputs.shelf import Shelf
from tests.waiting import wait_until

NOON = 1_767_355_200.0
MINUTE = 60.0


def record(folder: Path, minute: int, *, stream: str = "door", size: int = 100, end: str = "") -> Path:
    """A segment that began ``minute`` minutes after noon, and lasted one."""
    path = folder / f"{stream}-20260102T12{minute:02d}00.000Z.mp4{end}"
    path.write_bytes(bytes(size))
    ended_s = NOON + (minute + 1) * MINUTE
    os.utime(path, (ended_s, ended_s))
    return path


def status() -> RecordStatus:
    return RecordStatus("record", "record", "")


def there(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".jsonl")


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """A file system of ``size`` bytes that holds nothing but what the shelves hold."""
    room = {"size": 10_000}

    def free_bytes(shelf: Shelf) -> int:
        return room["size"] - sum(path.stat().st_size for path in shelf.directory.rglob("*Z*"))

    monkeypatch.setattr(Shelf, "free_bytes", free_bytes)
    return room


def test_what_is_too_old_goes(tmp_path: Path) -> None:
    for minute in range(10):
        record(tmp_path, minute)
    told = status()
    keeper = Keeper(now_s=lambda: NOON + 10 * MINUTE)
    keeper.shelf(tmp_path, "door", Retention(max_age_s=3 * MINUTE), told)
    keeper.tidy()
    assert there(tmp_path) == [f"door-20260102T12{minute:02d}00.000Z.mp4" for minute in (6, 7, 8, 9)]
    assert (told.removed, told.kept_segments, told.kept_bytes) == ({"age": 6}, 4, 400)
    assert told.oldest_at == NOON + 6 * MINUTE


def test_a_file_named_before_the_clock_was_right_is_not_old(tmp_path: Path) -> None:
    early = tmp_path / "door-19700101T000010.000Z.mp4"
    early.write_bytes(b"x")
    os.utime(early, (NOON, NOON))
    keeper = Keeper(now_s=lambda: NOON + MINUTE)
    keeper.shelf(tmp_path, "door", Retention(max_age_s=3 * MINUTE))
    keeper.tidy()
    assert early.exists()


def test_what_is_too_much_goes_the_oldest_first_and_the_open_segment_counts(tmp_path: Path) -> None:
    for minute in range(5):
        record(tmp_path, minute)
    part = record(tmp_path, 5, size=50, end=".part")
    told = status()
    keeper = Keeper()
    keeper.shelf(tmp_path, "door", Retention(max_bytes=350), told)
    keeper.tidy()
    assert there(tmp_path) == [f"door-20260102T12{minute:02d}00.000Z.mp4" for minute in (2, 3, 4)] + [part.name]
    assert told.removed == {"size": 2}


def test_nothing_but_closed_segments_of_the_stream_is_touched(tmp_path: Path) -> None:
    record(tmp_path, 0)
    kept = [
        *(record(tmp_path, 0, stream="yard"), record(tmp_path, 0, stream="door-2"), record(tmp_path, 1, end=".part")),
        *(tmp_path / name for name in ("family.mp4", "door-2025.mp4", "door-20260102T120000.000Z.jpg")),
    ]
    for path in kept:
        path.write_bytes(bytes(100))
    keeper = Keeper(now_s=lambda: NOON * 2)
    keeper.shelf(tmp_path, "door", Retention(max_age_s=1, max_bytes=0, min_free_bytes=1 << 60))
    keeper.tidy()
    assert there(tmp_path) == sorted(path.name for path in kept)


def test_enough_stays_free_and_no_more_than_that_goes(tmp_path: Path, disk: dict[str, int]) -> None:
    for minute in range(10):
        record(tmp_path, minute)
    disk["size"] = 1100
    told = status()
    keeper = Keeper()
    shelf = keeper.shelf(tmp_path, "door", Retention(min_free_bytes=350), told)
    keeper.make_room(shelf)
    assert len(there(tmp_path)) == 7
    assert (told.removed, told.free_bytes) == ({"space": 3}, 400)
    assert [path.name for path in tmp_path.glob("*.mp4") if "T1200" in path.name] == []


def test_a_file_system_that_is_slow_to_give_back_does_not_cost_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for minute in range(10):
        record(tmp_path, minute)
    monkeypatch.setattr(Shelf, "free_bytes", lambda _: 50)
    keeper = Keeper()
    keeper.shelf(tmp_path, "door", Retention(min_free_bytes=250))
    keeper.tidy()
    assert len(there(tmp_path)) == 8


def test_without_anything_to_remove_nothing_is_recorded_and_that_is_one_sentence(
    tmp_path: Path, disk: dict[str, int]
) -> None:
    disk["size"] = 1_500_000
    keeper = Keeper()
    shelf = keeper.shelf(tmp_path, "door", Retention(min_free_bytes=2_000_000_000))
    sentence = r"^cannot record to .*: 1.5 MB are free and 2 GB are to stay free \(free some, or lower min_free\)$"
    with pytest.raises(OutputError, match=sentence):
        keeper.make_room(shelf)


def test_a_full_disk_makes_room_by_every_limit(tmp_path: Path) -> None:
    for minute in range(4):
        record(tmp_path, minute)
    keeper = Keeper(now_s=lambda: NOON + 5 * MINUTE)
    shelf = keeper.shelf(tmp_path, "door", Retention(max_age_s=2 * MINUTE))
    keeper.make_room(shelf)
    assert len(there(tmp_path)) == 4
    keeper.make_room(shelf, full=True)
    assert len(there(tmp_path)) == 2


def test_overall_limits_take_the_oldest_of_all_streams(tmp_path: Path, disk: dict[str, int]) -> None:
    folders = {name: tmp_path / name for name in ("door", "yard")}
    for name, folder in folders.items():
        folder.mkdir()
        for minute in range(6):
            record(folder, minute + (3 if name == "yard" else 0), stream=name)
    told = {name: status() for name in folders}
    keeper = Keeper(Retention(max_bytes=1000))
    for name, folder in folders.items():
        keeper.shelf(folder, name, Retention(), told[name])
    keeper.tidy()
    assert (told["door"].removed, told["yard"].removed) == ({"size": 2}, {})
    assert [len(there(folder)) for folder in folders.values()] == [4, 6]


def test_what_has_to_stay_free_for_one_stream_is_not_paid_by_another(tmp_path: Path, disk: dict[str, int]) -> None:
    for minute in range(4):
        record(tmp_path, minute)
        record(tmp_path, minute, stream="yard")
    disk["size"] = 800
    keeper = Keeper()
    keeper.shelf(tmp_path, "door", Retention(min_free_bytes=200))
    keeper.shelf(tmp_path, "yard", Retention())
    keeper.tidy()
    assert len([name for name in there(tmp_path) if name.startswith("yard")]) == 4
    assert len([name for name in there(tmp_path) if name.startswith("door")]) == 2


def test_the_index_is_told(tmp_path: Path) -> None:
    for minute in range(3):
        record(tmp_path, minute)
    Index(tmp_path).repair("door")
    keeper = Keeper()
    keeper.shelf(tmp_path, "door", Retention(max_bytes=200))
    keeper.tidy()
    assert [entry.file for entry in read_index(tmp_path)] == [path.name for path in sorted(tmp_path.glob("*.mp4"))]
    assert b'"reason":"size"' in (tmp_path / "recordings.jsonl").read_bytes()


def test_what_cannot_be_removed_holds_up_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stuck = record(tmp_path, 0)
    for minute in range(1, 4):
        record(tmp_path, minute)
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path == stuck:
            raise OSError(30, "Read-only file system")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    keeper = Keeper()
    keeper.shelf(tmp_path, "door", Retention(max_bytes=200))
    keeper.tidy()
    keeper.tidy()
    assert [name[16:18] for name in there(tmp_path)] == ["00", "03"]
    assert caplog.text.count("Read-only file system") == 1


def test_a_directory_that_is_away_does_not_hold_up_the_others(tmp_path: Path) -> None:
    (tmp_path / "yard").mkdir()
    for minute in range(3):
        record(tmp_path / "yard", minute, stream="yard")
    keeper = Keeper()
    away = status()
    keeper.shelf(tmp_path / "nowhere", "door", Retention(max_bytes=0, min_free_bytes=1), away)
    keeper.shelf(tmp_path / "yard", "yard", Retention(max_bytes=100))
    keeper.tidy()
    assert len(there(tmp_path / "yard")) == 1
    assert (away.kept_segments, away.free_bytes) == (0, 0)


def test_it_looks_on_a_thread_of_its_own_when_it_is_asked_and_ends_when_it_is_closed(tmp_path: Path) -> None:
    keeper = Keeper(every_s=3600)
    keeper.shelf(tmp_path, "door", Retention(max_bytes=100))
    record(tmp_path, 0)
    record(tmp_path, 1)
    keeper.start()
    wait_until(lambda: len(there(tmp_path)) == 1, what="the first look")
    record(tmp_path, 2)
    keeper.ask()
    wait_until(lambda: len(there(tmp_path)) == 1, what="the look that was asked for")
    keeper.close()
    record(tmp_path, 3)
    keeper.ask()
    assert len(there(tmp_path)) == 2


def test_it_looks_now_and_then_without_being_asked(tmp_path: Path) -> None:
    keeper = Keeper(every_s=0.05)
    keeper.shelf(tmp_path, "door", Retention(max_bytes=100))
    keeper.start()
    for minute in range(3):
        record(tmp_path, minute)
    wait_until(lambda: len(there(tmp_path)) == 1, what="a look")
    keeper.close()
