"""Recordings seen from the outside: the index against the files, clocks that step, directories that go away."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from edgeseg.errors import OutputError
from edgeseg.flv import retime
from edgeseg.outputs import recorder as recorder_module
from edgeseg.outputs.index import read_index
from edgeseg.outputs.recorder import Recorder
from edgeseg.outputs.recordstatus import RecordStatus
from edgeseg.outputs.retention import Keeper, Retention
from edgeseg.outputs.segments import recordings
from edgeseg.types import StreamHeader, Tag
from tests.fakes_output import FPS, header_and_media, make_flv, numbers_in
from tests.integration.test_outputs_recorder import child_of
from tests.waiting import wait_until

SECONDS = 4
HOUR_MS = 3_600_000
Clip = tuple[StreamHeader, list[Tag]]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return header_and_media(make_flv(tmp_path_factory.mktemp("clip") / "clip.flv", seconds=SECONDS))


def between(clip: Clip, begin_s: float, end_s: float) -> list[Tag]:
    return [tag for tag in clip[1] if begin_s * 1000 <= tag.timestamp_ms < end_s * 1000]


def write(recorder: Recorder, tags: Iterable[Tag]) -> None:
    for tag in tags:
        recorder.write(tag)


def record(recorder: Recorder, header: StreamHeader, tags: list[Tag]) -> None:
    recorder.open(header)
    write(recorder, tags)
    recorder.close()


def laps(tags: list[Tag], count: int) -> Iterator[Tag]:
    for lap in range(count):
        yield from (retime(tag, tag.timestamp_ms + lap * SECONDS * 1000) for tag in tags)


def most_of_it(part: Path, tags: list[Tag]) -> bool:
    """Whether what the muxer may not hold back is on the disk."""
    return part.stat().st_size >= 0.9 * sum(len(tag.wire) for tag in tags)


def is_dead(pid: int) -> bool:
    """Whether the process has ended, waited for or not."""
    return ") Z " in Path(f"/proc/{pid}/stat").read_text()


def status() -> RecordStatus:
    return RecordStatus("record", "record", "")


def test_the_index_says_what_the_files_hold(clip: Clip, tmp_path: Path) -> None:
    told = status()
    record(Recorder(tmp_path, "door", segment_s=1, status=told), *clip)
    entries = read_index(tmp_path, "door")
    # Segments are closed side by side: their lines may change places.
    entries.sort(key=lambda entry: entry.file)
    assert [entry.file for entry in entries] == [path.name for path in recordings(tmp_path, "door")]
    for entry in entries:
        path = tmp_path / entry.file
        assert (entry.bytes, entry.frames) == (path.stat().st_size, len(numbers_in(path)))
        assert abs(entry.end_ms - entry.start_ms - 1000) <= 2
        assert (entry.gaps_ms, entry.recovered) == (0, False)
    assert [entry.gap_before_ms for entry in entries] == [None, 0, 0, 0]
    assert (told.recordings, told.recovered, told.gaps_ms) == (4, 0, 0)


@pytest.mark.parametrize("step_ms", [-HOUR_MS, HOUR_MS], ids=["back", "ahead"])
def test_a_clock_that_steps_changes_neither_the_order_nor_the_pictures(
    step_ms: int, clip: Clip, tmp_path: Path
) -> None:
    readings = itertools.chain([1_767_355_200_000], itertools.count(1_767_355_200_000 + step_ms, 10))
    now_ms = 0

    def clock() -> int:
        nonlocal now_ms
        now_ms = next(readings)
        return now_ms

    record(Recorder(tmp_path, "door", segment_s=1, now_ms=clock), *clip)
    by_name = sorted(path for path in tmp_path.iterdir() if path.suffix == ".mp4")
    assert [number for path in by_name for number in numbers_in(path)] == list(range(SECONDS * FPS))
    assert len({path.name for path in by_name}) == SECONDS
    # And after a restart, with the clock still wrong.
    record(Recorder(tmp_path, "door", now_ms=lambda: now_ms), clip[0], between(clip, 0, 1))
    assert sorted(path for path in tmp_path.iterdir() if path.suffix == ".mp4")[:-1] == by_name


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
@pytest.mark.parametrize("container", ["mp4", "mkv", "ts"])
def test_what_a_child_has_not_written_is_given_to_the_next(
    container: str, how: signal.Signals, clip: Clip, tmp_path: Path
) -> None:
    told = status()
    recorder = Recorder(tmp_path, "door", status=told, container=container, stall_s=3)
    recorder.open(clip[0])
    write(recorder, between(clip, 0, 1))
    (part,) = tmp_path.glob("*.part")
    child = child_of(part)
    os.kill(child, how)
    wait_until(lambda: how is signal.SIGSTOP or is_dead(child), what="the end of the child")
    count = 9  # more than a pipe takes
    write(recorder, (tag for tag in laps(clip[1], count) if tag.timestamp_ms >= 1000))
    recorder.close()
    assert not Path(f"/proc/{child}").exists()
    assert told.starts == 1  # the feed counts the first
    *_, last = entries = sorted(read_index(tmp_path), key=lambda entry: entry.file)
    assert last.gap_before_ms in (0, None)
    numbers = numbers_in(tmp_path / last.file)
    # The last segment goes to the end, and begins where the first has ended or before.
    reaches = numbers_in(tmp_path / entries[0].file)[-1] if len(entries) > 1 else -1
    assert numbers[0] <= reaches + 1
    assert numbers[0] + len(numbers) == count * SECONDS * FPS
    assert all((b - a) % (SECONDS * FPS) == 1 for a, b in pairwise(numbers))


def test_what_a_child_that_is_killed_too_soon_again_has_lost_is_a_gap_in_the_index(clip: Clip, tmp_path: Path) -> None:
    told = status()
    recorder = Recorder(tmp_path, "door", status=told)
    assert recorder._replacements.spend()  # as if it had happened a moment ago
    recorder.open(clip[0])
    write(recorder, between(clip, 0, 2))
    (part,) = tmp_path.glob("*.part")
    child = child_of(part)
    wait_until(lambda: most_of_it(part, between(clip, 0, 1)), what="a second on the disk")
    os.kill(child, signal.SIGKILL)
    wait_until(lambda: is_dead(child), what="the end of the child")
    with pytest.raises(OutputError):
        write(recorder, between(clip, 2, 3))
    recorder.close()
    record(recorder, clip[0], between(clip, 3, 4))
    first, second = read_index(tmp_path)
    seen = [numbers_in(tmp_path / entry.file) for entry in (first, second)]
    assert (first.recovered, second.recovered) == (True, False)
    assert [len(numbers) for numbers in seen] == [first.frames, second.frames]
    missing = seen[1][0] - seen[0][-1] - 1
    assert missing >= FPS
    assert second.gap_before_ms is not None
    assert abs(second.gap_before_ms - missing * 1000 / FPS) <= 40
    assert (told.recovered, told.gaps_ms) == (1, second.gap_before_ms)


def test_tags_that_were_dropped_are_a_gap_within_the_segment(clip: Clip, tmp_path: Path) -> None:
    record(Recorder(tmp_path, "door"), clip[0], between(clip, 0, 1) + between(clip, 2.5, 4))
    (entry,) = read_index(tmp_path)
    assert abs(entry.gaps_ms - 1500) <= 40
    assert entry.frames == round(2.5 * FPS)


def test_a_restart_of_the_process_knows_how_long_nothing_was_recorded(clip: Clip, tmp_path: Path) -> None:
    now_ms = 1_767_355_200_000
    record(Recorder(tmp_path, "door", now_ms=lambda: now_ms), clip[0], between(clip, 0, 1))
    now_ms += 61_000
    record(Recorder(tmp_path, "door", now_ms=lambda: now_ms), clip[0], between(clip, 0, 1))
    gap_ms = read_index(tmp_path)[-1].gap_before_ms
    assert gap_ms is not None
    assert abs(gap_ms - 60_000) <= 40


def test_time_that_begins_anew_is_measured_by_the_clock(clip: Clip, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "door")
    record(recorder, clip[0], [retime(tag, tag.timestamp_ms + HOUR_MS) for tag in between(clip, 0, 1)])
    record(recorder, clip[0], between(clip, 0, 1))
    gap_ms = read_index(tmp_path)[-1].gap_before_ms
    assert gap_ms is not None
    assert gap_ms < 20_000


@pytest.mark.parametrize("how", ["removed", "renamed"])
def test_a_directory_that_goes_away_is_noticed_and_made_again(how: str, clip: Clip, tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    recorder = Recorder(folder, "door")
    recorder.open(clip[0])
    write(recorder, between(clip, 0, 1))
    shutil.rmtree(folder) if how == "removed" else folder.rename(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match=r"the directory is gone \(is the disk mounted\?\)$"):
        write(recorder, between(clip, 1, 2))
    recorder.close()
    record(recorder, clip[0], between(clip, 2, 4))
    (again,) = recordings(folder, "door")
    assert numbers_in(again) == list(range(2 * FPS, 4 * FPS))
    assert [entry.file for entry in read_index(folder)] == [again.name]


def test_parts_that_come_back_with_their_disk_are_recovered(clip: Clip, tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    recorder = Recorder(folder, "door")
    record(recorder, clip[0], between(clip, 0, 2))
    (whole,) = recordings(folder, "door")
    whole.rename(folder / "door-20260102T030405.678Z.mp4.part")
    record(recorder, clip[0], between(clip, 2, 4))
    recovered, after = recordings(folder, "door")
    assert recovered.name == "door-20260102T030405.678Z.recovered.mp4"
    assert numbers_in(recovered) + numbers_in(after) == list(range(SECONDS * FPS))
    entry = next(entry for entry in read_index(folder) if entry.recovered)
    assert (entry.file, entry.frames, entry.bytes) == (recovered.name, 2 * FPS, recovered.stat().st_size)
    assert abs(entry.end_ms - entry.start_ms - 2000) <= 2


def test_a_disk_that_takes_its_time_loses_nothing(clip: Clip, tmp_path: Path) -> None:
    """The cut waits for the first segment's child, which is not replaced."""
    recorder = Recorder(tmp_path, "door", segment_s=1)
    recorder.open(clip[0])
    held = waits_s = None
    for tag in clip[1]:
        began = time.monotonic()
        recorder.write(tag)
        if held is not None and waits_s is None and tag.keyframe and tag.timestamp_ms >= 1000:
            waits_s = time.monotonic() - began
        parts = list(tmp_path.glob("*.part"))
        if held is None and tag.timestamp_ms > 500 and parts:
            held = child_of(parts[0])
            os.kill(held, signal.SIGSTOP)
            go_on = threading.Timer(1.5, os.kill, (held, signal.SIGCONT))
            go_on.start()
    go_on.join()
    recorder.close()
    seen = [number for path in recordings(tmp_path, "door") for number in numbers_in(path)]
    assert seen == list(range(SECONDS * FPS))
    assert waits_s is not None
    assert waits_s > 0.5
    assert not any(entry.recovered or entry.gap_before_ms for entry in read_index(tmp_path))


def test_a_disk_that_hangs_is_given_up_and_what_is_there_is_kept(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "_FINISH_S", 0.2)
    recorder = Recorder(tmp_path, "door", stall_s=2)
    assert recorder._replacements.spend()
    recorder.open(clip[0])
    write(recorder, clip[1])
    (part,) = tmp_path.glob("*.part")
    child = child_of(part)
    wait_until(lambda: most_of_it(part, between(clip, 0, 2)), what="some of it on the disk")
    os.kill(child, signal.SIGSTOP)
    with pytest.raises(OutputError, match=r"the disk took nothing for 2 s"):
        write(recorder, laps(clip[1], 1000))
    recorder.close()
    (kept,) = recordings(tmp_path, "door")
    numbers = numbers_in(kept)
    assert kept.name.endswith(".recovered.mp4")
    assert numbers[:FPS] == list(range(FPS))


def test_retention_runs_before_each_segment(clip: Clip, tmp_path: Path) -> None:
    told = status()
    keeper = Keeper()
    keeper.start()
    recorder = Recorder(tmp_path, "door", segment_s=1, status=told, keeper=keeper, retention=Retention(max_bytes=1))
    record(recorder, *clip)
    keeper.ask()
    wait_until(lambda: told.removed == {"size": SECONDS}, what="everything removed")
    keeper.close()
    assert recordings(tmp_path, "door") == []
    assert read_index(tmp_path) == []
