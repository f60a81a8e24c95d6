"""The recorder of events, and segments cut by the clock: real children and files, a clock and sightings of the test."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from edgeseg.flv import retime
from edgeseg.outputs.events import EventGate
from edgeseg.outputs.index import INDEX, read_index
from edgeseg.outputs.indexlines import Entry
from edgeseg.outputs.recorder import Recorder
from edgeseg.outputs.recordstatus import RecordStatus
from edgeseg.outputs.segments import recordings
from edgeseg.presence import Sighting
from edgeseg.types import StreamHeader, Tag
from tests.fakes_output import FPS, GROUP, header_and_media, make_flv, numbers_in

NOON = 1_767_355_200_000
HOUR_MS = 3_600_000
SECONDS = 6
CONTAINERS = pytest.mark.parametrize("container", ["mp4", "mkv", "ts"])


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[StreamHeader, list[Tag]]:
    """Its keyframes are at every half second; the sound from before the first picture is left out."""
    header, tags = header_and_media(make_flv(tmp_path_factory.mktemp("clip") / "clip.flv", seconds=SECONDS))
    zero_ms = tags[0].timestamp_ms
    return header, [retime(tag, tag.timestamp_ms - zero_ms) for tag in tags if tag.timestamp_ms >= zero_ms]


class Bench:
    """A recorder whose wall clock goes with the stream, from ``begin_ms`` on, and whose visitors come by schedule."""

    def __init__(
        self,
        folder: Path,
        container: str,
        *visits: tuple[int, int],
        begin_ms: int = NOON,
        pre_roll_ms: int = 700,
        post_roll_ms: int = 300,
        **settings: float | bool,
    ) -> None:
        self.folder, self.visits, self.begin_ms = folder, visits, begin_ms
        self.ms = 0
        self.status = RecordStatus("record", "record", str(folder))
        self.activities: list[str] = []
        gate = EventGate(self.sightings, pre_roll_ms=pre_roll_ms, post_roll_ms=post_roll_ms) if visits else None
        self.recorder = Recorder(
            folder,
            "door",
            container=container,
            status=self.status,
            gate=gate,
            now_ms=lambda: self.begin_ms + self.ms,
            segment_s=float(settings.get("segment_s", 60)),
            by_clock=bool(settings.get("by_clock", False)),
        )

    def sightings(self) -> tuple[Sighting, ...]:
        return tuple(Sighting(a, min(b, self.ms), over=self.ms > b) for a, b in self.visits if a <= self.ms)

    def play(self, header: StreamHeader, tags: Iterable[Tag]) -> Bench:
        self.recorder.open(header)
        for tag in tags:
            self.ms = tag.timestamp_ms
            self.recorder.write(tag)
            if self.status.activity not in self.activities[-1:]:
                self.activities.append(self.status.activity)
        return self

    def files(self) -> list[Path]:
        """What is there once the recorder is closed."""
        self.recorder.close()
        assert not list(self.folder.glob("*.part"))
        return recordings(self.folder, "door")

    def entries(self) -> list[Entry]:
        return sorted(read_index(self.folder), key=lambda entry: entry.start_ms)


@CONTAINERS
def test_an_event_is_a_file_and_a_line(container: str, clip: tuple[StreamHeader, list[Tag]], tmp_path: Path) -> None:
    bench = Bench(tmp_path, container, (2200, 2500), (4700, 4900)).play(*clip)
    files = bench.files()
    # 1.5 s is the keyframe before 2.2 - 0.7; the second begins exactly with one.
    assert [numbers_in(file) for file in files] == [list(range(45, 85)), list(range(120, 157))]
    assert [file.name for file in files] == [
        f"door-20260102T120001.500Z.{container}",
        f"door-20260102T120004.000Z.{container}",
    ]
    first, second = bench.entries()
    assert (first.start_ms, first.appeared_ms, first.pre_roll_ms) == (NOON + 1500, NOON + 2200, 700)
    assert (second.start_ms, second.appeared_ms, second.pre_roll_ms) == (NOON + 4000, NOON + 4700, 700)
    assert [(entry.reason, entry.gap_before_ms, entry.gaps_ms) for entry in (first, second)] == [("presence", 0, 0)] * 2
    assert bench.status.events == 2
    assert bench.status.gaps_ms == 0
    waiting, recording = "waiting for presence", "recording an event"
    assert bench.activities == [waiting, recording, waiting, recording, waiting]


@CONTAINERS
def test_a_long_event_is_cut_and_stays_one_event(
    container: str, clip: tuple[StreamHeader, list[Tag]], tmp_path: Path
) -> None:
    bench = Bench(tmp_path, container, (1200, 4000), segment_s=1).play(*clip)
    held = [numbers_in(file) for file in bench.files()]
    assert [numbers[0] for numbers in held] == [15, 45, 75, 105]
    assert sum(held, []) == list(range(15, 130))  # noqa: RUF017 - four short lists
    entries = bench.entries()
    assert {entry.appeared_ms for entry in entries} == {NOON + 1200}
    assert [entry.pre_roll_ms for entry in entries] == [700, 0, 0, 0]
    assert [entry.gap_before_ms for entry in entries] == [0, 0, 0, 0]
    assert bench.status.events == 1


@CONTAINERS
def test_a_stop_in_an_event_closes_it(container: str, clip: tuple[StreamHeader, list[Tag]], tmp_path: Path) -> None:
    header, tags = clip
    bench = Bench(tmp_path, container, (1200, 9000)).play(header, [tag for tag in tags if tag.timestamp_ms < 3000])
    (file,) = bench.files()
    assert numbers_in(file) == list(range(15, 90))
    assert bench.status.activity == ""
    (entry,) = bench.entries()
    assert (entry.frames, entry.recovered) == (75, False)


def test_a_recorder_that_starts_again_tells_what_is_missing_in_the_event(
    clip: tuple[StreamHeader, list[Tag]], tmp_path: Path
) -> None:
    header, tags = clip
    bench = Bench(tmp_path, "mkv", (1200, 4000)).play(header, [tag for tag in tags if tag.timestamp_ms < 2000])
    bench.recorder.close()
    bench.play(header, [tag for tag in tags if tag.timestamp_ms >= 3000])
    assert [numbers_in(file) for file in bench.files()] == [list(range(15, 60)), list(range(90, 130))]
    before, after = bench.entries()
    assert before.appeared_ms == after.appeared_ms == NOON + 1200
    assert before.gap_before_ms == 0
    assert abs((after.gap_before_ms or 0) - 1000) <= 1
    assert bench.status.events == 1


def test_the_start_of_an_event_that_is_missing_is_a_gap(clip: tuple[StreamHeader, list[Tag]], tmp_path: Path) -> None:
    """The disk was away when somebody came."""
    header, tags = clip
    bench = Bench(tmp_path, "mkv", (1200, 4000)).play(header, [tag for tag in tags if tag.timestamp_ms >= 3000])
    bench.files()
    (entry,) = bench.entries()
    assert (entry.gap_before_ms, entry.pre_roll_ms) == (1800, 0)


@CONTAINERS
def test_what_is_missing_within_a_segment_is_told(
    container: str, clip: tuple[StreamHeader, list[Tag]], tmp_path: Path
) -> None:
    header, tags = clip
    bench = Bench(tmp_path, container).play(header, [tag for tag in tags if not 2000 <= tag.timestamp_ms < 4000])
    (file,) = bench.files()
    assert numbers_in(file) == [*range(60), *range(120, 180)]
    (entry,) = bench.entries()
    assert abs(entry.gaps_ms - 2000) <= 1000 / FPS + 1
    assert (entry.reason, entry.appeared_ms, entry.frames) == ("always", None, 120)
    assert bench.status.gaps_ms == entry.gaps_ms


@CONTAINERS
def test_the_clock_cuts_where_it_is_at_a_multiple(
    container: str, clip: tuple[StreamHeader, list[Tag]], tmp_path: Path
) -> None:
    bench = Bench(tmp_path, container, begin_ms=NOON + 900, segment_s=2, by_clock=True).play(*clip)
    held = [numbers_in(file) for file in bench.files()]
    # 12:00:02 is 1.1 s of the stream, and the next keyframe is at 1.5 s.
    assert [numbers[0] for numbers in held] == [0, 45, 105, 165]
    assert sum(held, []) == list(range(SECONDS * FPS))  # noqa: RUF017 - four short lists
    assert [entry.start_ms - NOON for entry in bench.entries()] == [900, 2400, 4400, 6400]
    assert [entry.gap_before_ms for entry in bench.entries()] == [None, 0, 0, 0]


@pytest.mark.parametrize("step_ms", [HOUR_MS, -HOUR_MS])
def test_a_clock_that_jumps_cuts_once_and_loses_nothing(
    step_ms: int, clip: tuple[StreamHeader, list[Tag]], tmp_path: Path
) -> None:
    header, tags = clip
    bench = Bench(tmp_path, "ts", segment_s=60, by_clock=True)
    bench.play(header, [])
    for tag in tags:
        bench.ms = tag.timestamp_ms
        if tag.timestamp_ms == 3000:
            bench.begin_ms += step_ms
        bench.recorder.write(tag)
    files = bench.files()
    assert [numbers_in(file) for file in files] == [list(range(90)), list(range(90, SECONDS * FPS))]
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != INDEX) == [file.name for file in files]


def test_a_clock_that_stands_still_does_not_make_a_segment_endless(
    clip: tuple[StreamHeader, list[Tag]], tmp_path: Path
) -> None:
    header, tags = clip
    bench = Bench(tmp_path, "ts", segment_s=1, by_clock=True)
    bench.recorder.open(header)
    for tag in tags:
        bench.recorder.write(tag)
    assert [len(numbers_in(file)) for file in bench.files()] == [2 * FPS] * 3
    assert GROUP < FPS
