"""Disks that are full, read-only, pulled out and put back: only the recording notices, and it comes back by itself."""

from __future__ import annotations

import hashlib
import itertools
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgeseg.backoff import Backoff
from edgeseg.encoding.hub import Hub
from edgeseg.flv import retime
from edgeseg.outputs.feed import Feed
from edgeseg.outputs.index import read_index
from edgeseg.outputs.recorder import Recorder
from edgeseg.outputs.recordstatus import RecordStatus
from edgeseg.outputs.retention import Keeper, Retention
from edgeseg.outputs.segments import recordings
from edgeseg.status import OutputStatus
from edgeseg.types import State, Tag, TagKind
from tests.fakes_output import FPS, FakeOutput, make_flv, numbers_in, read_tags
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

SECONDS = 4
DISK = 2_000_000


def mount(folder: Path) -> None:
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("a small tmpfs cannot be mounted here (needs root)")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount(folder)
    yield folder
    while folder.is_mount():
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> list[Tag]:
    return read_tags(make_flv(tmp_path_factory.mktemp("clip") / "clip.flv", seconds=SECONDS))


class House:
    """A stream in real time, ten times as fast, that is recorded and sent to somebody who must not notice anything."""

    def __init__(self, directory: Path, clip: list[Tag], retention: Retention) -> None:
        self.status = RecordStatus("record", "record", str(directory))
        self.neighbour = FakeOutput()
        self.neighbour_status = OutputStatus("live", "fake", "")
        self.keeper = Keeper(every_s=0.2)
        self.pictures = 0
        self._clip = clip
        self._hub = Hub(expects_audio=True)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._play, name="stream")
        recorder = Recorder(
            directory, "door", segment_s=2, status=self.status, keeper=self.keeper, retention=retention, stall_s=2.0
        )
        self._feeds = [
            Feed("door:record", recorder, self.status, queue_s=12.0, backoff=Backoff(0.1, 0.2)),
            Feed("door:live", self.neighbour, self.neighbour_status),
        ]

    @contextmanager
    def running(self) -> Iterator[House]:
        self.keeper.start()
        for feed in self._feeds:
            feed.start(self._hub)
        self._thread.start()
        try:
            yield self
        finally:
            self._over.set()
            self._thread.join()
            for feed in self._feeds:
                feed.close(10)
            self.keeper.close()
        # The neighbour has had every picture, once, in one session, and was never told to drop any.
        (session,) = self.neighbour.sessions
        times = [tag.timestamp_ms for tag in session if tag.kind is TagKind.VIDEO]
        assert len(times) == self.pictures
        assert max(after - before for before, after in itertools.pairwise(times)) <= 40
        assert self.neighbour_status.dropped_tags == 0

    def wait(self, what: Callable[[], object], words: str) -> None:
        wait_until(what, 20, words)

    def backs_off(self, why: str) -> None:
        self.wait(lambda: self.status.state is State.BACKING_OFF and why in self.status.reason, f"{why!r}")

    def records(self) -> None:
        closed = self.status.recordings
        self.wait(lambda: self.status.state is State.RUNNING, "recording again")
        self.wait(lambda: self.status.recordings >= closed + 2, "two more segments")

    def _play(self) -> None:
        header = [tag for tag in self._clip if tag.config or tag.kind is TagKind.SCRIPT]
        media = self._clip[len(header) :]
        for tag in header:
            self._hub.tag(tag)
        for lap in itertools.count():
            for tag in media:
                if self._over.wait(0.1 / FPS if tag.kind is TagKind.VIDEO else 0):
                    self._hub.end()
                    return
                self._hub.tag(retime(tag, tag.timestamp_ms + lap * SECONDS * 1000))
                self.pictures += tag.kind is TagKind.VIDEO


def pictures_in(directory: Path) -> list[int]:
    """How many pictures each recording gives, decoded from the first to the last."""
    return [len(numbers_in(path)) for path in recordings(directory, "door")]


def digests(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in recordings(directory, "door")}


def test_retention_keeps_a_small_disk_from_ever_being_full(disk: Path, clip: list[Tag]) -> None:
    with House(disk, clip, Retention(min_free_bytes=600_000)).running() as house:
        house.wait(lambda: house.status.removed.get("space", 0) >= 5, "five segments removed for room")
        assert house.status.starts == 1
    assert house.status.dropped_tags == 0
    assert house.status.free_bytes > 0
    # Whole segments of two seconds, one after the other; the last was cut short by the end.
    assert set(pictures_in(disk)[:-1]) == {2 * FPS}
    assert [entry.file for entry in read_index(disk)] == [path.name for path in recordings(disk, "door")]
    assert {entry.gap_before_ms for entry in read_index(disk)} <= {None, 0}


def test_a_disk_that_others_fill_pauses_the_recording_and_nothing_finished_changes(disk: Path, clip: list[Tag]) -> None:
    with House(disk, clip, Retention()).running() as house:
        house.records()
        before = digests(disk)
        fill(disk / "others")
        house.backs_off("no space left")
        (disk / "others").unlink()
        house.records()
    after = digests(disk)
    assert {name: after.get(name) for name in before} == before
    assert all(count > 0 for count in pictures_in(disk))
    assert [entry.file for entry in sorted(read_index(disk), key=lambda entry: entry.file)] == sorted(after)
    assert house.status.gaps_ms > 0


def test_a_full_disk_is_freed_by_retention_and_recording_goes_on(disk: Path, clip: list[Tag]) -> None:
    with House(disk, clip, Retention(min_free_bytes=300_000)).running() as house:
        house.records()
        fill(disk / "others", leave=100_000)
        house.wait(lambda: house.status.removed.get("space", 0) >= 1, "room made")
        house.records()
    assert (disk / "others").exists()
    assert all(count > 0 for count in pictures_in(disk))


def test_a_disk_that_is_read_only_at_first(disk: Path, clip: list[Tag]) -> None:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with House(disk / "recordings", clip, Retention(min_free_bytes=1)).running() as house:
        house.backs_off("the file system is read-only")
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        house.records()
    assert all(count > 0 for count in pictures_in(disk / "recordings"))


def test_a_disk_that_is_pulled_out_is_not_replaced_by_the_one_below(disk: Path, clip: list[Tag]) -> None:
    with House(disk / "recordings", clip, Retention(min_free_bytes=1)).running() as house:
        house.records()
        subprocess.run(["umount", "-l", disk], check=True)
        house.backs_off("is not mounted any more")
        assert list(disk.iterdir()) == []
        mount(disk)
        house.records()
    assert all(count > 0 for count in pictures_in(disk / "recordings"))


def fill(path: Path, leave: int = 0) -> None:
    """Take all room of the disk but ``leave`` bytes."""
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)) == 4096:
                pass
        except OSError:
            pass
        file.truncate(max(0, file.tell() - leave))
