"""The recorder with real children on a real disk."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import imageio_ffmpeg
import pytest

from edgeseg.backoff import Backoff
from edgeseg.encoding.hub import Hub
from edgeseg.errors import OutputError
from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.flv import retime
from edgeseg.outputs.child import ChildDied
from edgeseg.outputs.feed import Feed
from edgeseg.outputs.index import INDEX, read_index
from edgeseg.outputs.recorder import Recorder, _mount_point
from edgeseg.outputs.segments import measure, recordings
from edgeseg.status import OutputStatus
from edgeseg.types import State, StreamHeader, Tag, TagKind
from tests.fakes_output import FPS, feed_hub, header_and_media, make_flv, numbers_in, read_tags
from tests.waiting import wait_until

SECONDS = 3
PICTURES = SECONDS * FPS


@pytest.fixture(scope="module")
def flv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_flv(tmp_path_factory.mktemp("clip") / "clip.flv", seconds=SECONDS)


@pytest.fixture(scope="module")
def clip(flv: Path) -> tuple[StreamHeader, list[Tag]]:
    return header_and_media(flv)


def play(recorder: Recorder, header: StreamHeader, tags: list[Tag]) -> None:
    recorder.open(header)
    for tag in tags:
        recorder.write(tag)


def child_of(part: Path) -> int:
    """The process that writes ``part``, once there is one."""

    def found() -> int | None:
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and str(part).encode() in (entry / "cmdline").read_bytes():
                    return int(entry.name)
        return None

    return wait_until(found, what=f"somebody writing {part}") or 0


def packet_times(path: Path) -> dict[str, list[float]]:
    import av

    times: dict[str, list[float]] = {}
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.pts is not None and packet.size:
                times.setdefault(packet.stream.type, []).append(float(packet.pts * packet.time_base))
    return times


@pytest.mark.parametrize("binary", [find_ffmpeg, imageio_ffmpeg.get_ffmpeg_exe], ids=["found", "imageio"])
@pytest.mark.parametrize("container", ["mp4", "mkv", "ts"])
def test_segments_hold_every_picture_once_and_start_at_zero(
    binary: Callable[[], str], container: str, clip: tuple[StreamHeader, list[Tag]], tmp_path: Path
) -> None:
    status = OutputStatus("record", "record", str(tmp_path))
    recorder = Recorder(tmp_path, "door", ffmpeg=binary(), segment_s=1, container=container, status=status)
    play(recorder, *clip)
    recorder.close()
    files = sorted(path for path in tmp_path.iterdir() if path.name != INDEX)
    assert len(files) == 3
    assert all(re.fullmatch(rf"door-\d{{8}}T\d{{6}}\.\d{{3}}Z\.{container}", file.name) for file in files)
    assert [numbers_in(file) for file in files] == [list(range(n, n + FPS)) for n in range(0, PICTURES, FPS)]
    for file in files:
        times = packet_times(file)
        assert min(times["video"][0], times["audio"][0]) < 0.005
        assert abs(times["video"][-1] - 29 / FPS) < 0.005
        assert abs(times["audio"][-1] - times["video"][-1]) < 0.05
    assert (status.recordings, status.last_file) == (3, str(files[-1]))


@pytest.mark.parametrize("container", ["mp4", "mkv", "ts"])
def test_kill_9_leaves_a_playable_part_that_lacks_at_most_a_second(
    container: str, clip: tuple[StreamHeader, list[Tag]], tmp_path: Path
) -> None:
    recorder = Recorder(tmp_path, "door", container=container)
    play(recorder, *clip)
    (part,) = wait_until(lambda: list(tmp_path.glob("*.part")), what="a part")
    # It has to come to the disk without any close; the picture after it closes a fragment.
    wait_until(lambda: measure(part)[0] >= PICTURES - FPS - 1, what="the disk having all but a second")
    os.kill(child_of(part), signal.SIGKILL)
    recorder.close()
    (kept,) = recordings(tmp_path, "door")
    assert kept.name.endswith(f".recovered.{container}")
    numbers = numbers_in(kept)
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= PICTURES - FPS - 1


def test_a_start_recovers_what_a_crash_has_left_and_touches_nothing_else(
    clip: tuple[StreamHeader, list[Tag]], tmp_path: Path
) -> None:
    crashed = Recorder(tmp_path, "door")
    play(crashed, *clip)
    crashed.close()
    (whole,) = recordings(tmp_path, "door")
    whole.rename(tmp_path / "door-20260102T030405.678Z.mp4.part")
    (tmp_path / "door-20260102T030406.000Z.mp4.part").write_bytes(b"\0" * 100)
    (tmp_path / "door-20260102T030407.000Z-1.mkv.part").write_bytes(b"")
    others = {"door-2-20260102T030405.678Z.mp4.part", "notes.part", "door-20260101T000000.000Z.mp4"}
    for name in others:
        (tmp_path / name).write_bytes(b"x")

    recorder = Recorder(tmp_path, "door")
    recorder.open(clip[0])
    recorder.close()
    assert {path.name for path in tmp_path.iterdir()} == others | {"door-20260102T030405.678Z.recovered.mp4", INDEX}
    assert numbers_in(tmp_path / "door-20260102T030405.678Z.recovered.mp4") == list(range(PICTURES))


def test_a_dead_child_is_replaced_and_the_stream_goes_on(flv: Path, tmp_path: Path) -> None:
    hub = Hub(expects_audio=True)
    status = OutputStatus("record", "record", str(tmp_path))
    feed = Feed("door/record", Recorder(tmp_path, "door", status=status), status, backoff=Backoff(0.01, 0.05))
    feed.start(hub)
    tags = read_tags(flv)
    half = len(tags) // 2
    feed_hub(hub, tags[:half])
    (part,) = wait_until(lambda: list(tmp_path.glob("*.part")), what="a part")
    os.kill(child_of(part), signal.SIGKILL)
    rest = iter(tags[half:])

    def again() -> bool:
        tag = next(rest, None)
        if tag is not None:
            hub.tag(tag)
        return status.starts == 2 and status.state is State.RUNNING

    wait_until(again, what="a second start")
    feed_hub(hub, rest)
    hub.end()
    wait_until(lambda: status.state is State.STOPPED, what="the end")
    feed.close()
    assert status.reconnects == 1
    last = max(tmp_path.glob("*Z.mp4"))
    numbers = numbers_in(last)
    assert numbers == list(range(numbers[0], PICTURES))
    assert numbers[0] % 15 == 0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_child_that_fails_before_a_cut_costs_nothing(
    how: signal.Signals, clip: tuple[StreamHeader, list[Tag]], tmp_path: Path
) -> None:
    recorder = Recorder(tmp_path, "door", segment_s=2, stall_s=0.5, container="ts")
    recorder.open(clip[0])
    before = itertools.takewhile(lambda tag: tag.timestamp_ms < 1900, clip[1])
    for tag in (head := list(before)):
        recorder.write(tag)
    (part,) = tmp_path.glob("*.part")
    os.kill(child_of(part), how)
    for tag in clip[1][len(head) :]:
        recorder.write(tag)
    recorder.close()
    held = {number for file in recordings(tmp_path, "door") for number in numbers_in(file)}
    assert held == set(range(PICTURES))
    assert {entry.gap_before_ms for entry in read_index(tmp_path)} <= {0, None}


def test_what_a_child_loses_after_the_cut_is_told_by_the_next_line(
    clip: tuple[StreamHeader, list[Tag]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(tmp_path, "door", segment_s=1.5)
    finish = recorder._finish
    lost = iter([1000])
    monkeypatch.setattr(recorder, "_finish", lambda segment: finish(segment) - next(lost, 0))
    play(recorder, *clip)
    recorder.close()
    assert [entry.gap_before_ms for entry in read_index(tmp_path)][1] == 1000


def test_a_child_that_names_the_disk_is_not_replaced_even_when_it_was_killed(
    clip: tuple[StreamHeader, list[Tag]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(tmp_path, "door")
    play(recorder, clip[0], clip[1][:20])

    def die(tag: Tag) -> None:
        raise ChildDied("it died", words="av_interleaved_write_frame(): No space left on device", returncode=-9)

    monkeypatch.setattr(recorder._segment, "write", die)
    with pytest.raises(OutputError, match="no space left"):
        recorder.write(clip[1][20])
    recorder.close()


def test_a_directory_that_cannot_be_made_is_one_sentence(tmp_path: Path, clip: tuple[StreamHeader, list[Tag]]) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=r"cannot record to .*/file/below: a part of the path is a file \(check"):
        Recorder(tmp_path / "file" / "below", "door").open(clip[0])


def test_a_link_to_a_disk_is_watched_where_it_leads(tmp_path: Path) -> None:
    """A link is never mounted: taken for the disk, it would look as if that were gone for good."""
    (tmp_path / "link").symlink_to("/proc")
    assert _mount_point(tmp_path / "link") == _mount_point(Path("/proc")) == Path("/proc")
    assert _mount_point(tmp_path / "link" / "self") == Path("/proc")


def test_an_unknown_container_is_permanent(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot record as avi \(one of mp4, mkv, ts\)") as caught:
        Recorder(tmp_path, "door", container="avi")
    assert caught.value.permanent


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small-disk"
    folder.mkdir()
    mounting = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", folder], capture_output=True)
    if mounting.returncode != 0:
        pytest.skip("a small tmpfs cannot be mounted here (needs root)")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_named_the_part_is_kept_and_recording_goes_on_when_there_is_room(
    small_disk: Path, flv: Path
) -> None:
    hub = Hub(expects_audio=True)
    status = OutputStatus("record", "record", str(small_disk))
    recorder = Recorder(small_disk, "door", status=status)
    feed = Feed("door/record", recorder, status, wait=True, backoff=Backoff(0.05, 0.2))
    feed.start(hub)
    for tag in endless(read_tags(flv)):
        hub.tag(tag)
        if status.state is State.BACKING_OFF:
            break
    assert status.reason == f"cannot record to {small_disk}: no space left (free some, or record elsewhere)"
    (kept,) = wait_until(lambda: list(small_disk.glob("*.recovered.mp4")), what="the part being kept")
    # Not all of it: the last picture is cut off, as the disk was full.
    assert numbers_in(kept, 30) == list(range(30))
    kept.unlink()
    wait_until(lambda: status.state is State.RUNNING, what="recording again")
    feed.close()
    assert status.recordings >= 2


def endless(tags: list[Tag]) -> Iterator[Tag]:
    """A clip over and over, with time going on."""
    header = [tag for tag in tags if tag.config or tag.kind is TagKind.SCRIPT]
    media = tags[len(header) :]
    yield from header
    for lap in itertools.count():
        yield from (retime(tag, tag.timestamp_ms + lap * SECONDS * 1000) for tag in media)
