"""Damaged files of every kind: read as far as they go, refused with a sentence; nothing crashes, hangs or grows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from edgeseg.sources._container import _shape
from edgeseg.sources.av_input import AvSource
from edgeseg.types import Frame
from tests.clips import make_clip
from tests.equipment.http_feed import HttpFeed
from tests.hostile import DAMAGES, SEEDS, absurd_times, damage, giant, make_seeds, read, read_in_child

# Reading one of these files takes some hundredths of a second.
_WITHIN_S = 10.0
# The process alone has 50 MB.
_MOST_MB = 500


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return make_seeds(tmp_path_factory.mktemp("seeds"))


def test_the_seeds_themselves_are_well(seeds: list[Path]) -> None:
    for seed in seeds:
        assert read(str(seed), seed.name, within_s=_WITHIN_S).pictures == 25


def test_damaged_files(seeds: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    damage(seeds, folder, turns=2)
    absurd_times(next(seed for seed in seeds if seed.suffix == ".flv"), folder)
    reading = read_in_child(folder, within_s=_WITHIN_S)
    assert reading.code == 0, reading.words
    assert len(reading.inputs) == 2 * len(SEEDS) * len(DAMAGES) + 4
    assert reading.slowest_s < _WITHIN_S
    assert reading.peak_mb < _MOST_MB
    assert all("\n" not in each.said for each in reading.inputs)
    # Most of what was sent is still there: damage is not an excuse to give up.
    assert reading.pictures > 25 * len(reading.inputs) / 3


def test_giants_are_refused_before_memory_is_taken(seeds: list[Path], tmp_path: Path) -> None:
    bare = next(seed for seed in seeds if seed.name == "bare.h264")
    file = giant(bare, tmp_path, 9600, 8192)
    reading = read_in_child(tmp_path, within_s=_WITHIN_S)
    assert reading.code == 0, reading.words
    assert f"{file} says that its pictures are 9600x8192 (more than 8192x4320 is not read" in reading.inputs[0].said
    # One such picture has 118 MB, and FFmpeg would make several.
    assert reading.peak_mb < 150


def test_a_giant_in_the_middle_is_read_past(seeds: list[Path], tmp_path: Path) -> None:
    bare = next(seed for seed in seeds if seed.name == "bare.h264")
    joined = tmp_path / "joined.h264"
    joined.write_bytes(bare.read_bytes() + giant(bare, tmp_path, 9600, 8192).read_bytes() + bare.read_bytes())
    source = AvSource(str(joined))
    source.open()
    frames = [item for item in iter(source.read, None) if isinstance(item, Frame)]
    source.close()
    assert {(frame.width, frame.height) for frame in frames} == {(64, 48)}
    assert len(frames) >= 40


def test_sound_of_a_codec_that_nobody_knows_is_left_out(tmp_path: Path) -> None:
    """FFmpeg has no decoder for it; the pictures are read all the same."""
    clip = make_clip(tmp_path / "clip.mkv", sound=True)
    wire = clip.read_bytes()
    assert wire.count(b"A_AAC") == 1
    clip.write_bytes(wire.replace(b"A_AAC", b"A_ZZZ"))
    source = AvSource(str(clip))
    assert source.open().audio is None
    assert sum(isinstance(item, Frame) for item in iter(source.read, None)) == 25
    source.close()


def test_a_name_in_the_letters_of_another_country(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mkv", video="-c:v libx264 -pix_fmt yuv420p -metadata title=Haustuere")
    wire = clip.read_bytes()
    assert b"Haustuere" in wire
    clip.write_bytes(wire.replace(b"Haustuere", b"Haust\xfcr\xe4\xe4"))
    assert read(str(clip), clip.name, within_s=_WITHIN_S).pictures == 25


def test_a_damaged_camera_is_given_up_in_time_and_read_when_it_is_well(seeds: list[Path], tmp_path: Path) -> None:
    """Each connection is damaged in another way, and then says nothing more."""
    folder = tmp_path / "damaged"
    flv = next(seed for seed in seeds if seed.suffix == ".flv")
    damage([flv], folder, turns=1)
    wires = [file.read_bytes() for file in sorted(folder.iterdir())[::3]]
    well = flv.read_bytes()

    def answer(number: int, wait: Callable[[float], None]) -> Iterator[bytes]:
        yield wires[number] if number < len(wires) else well

    with HttpFeed(answer, holds=True) as feed:
        for _ in wires:
            heard = read(feed.url, "camera", within_s=20, timeout_s=0.3)
            assert heard.said
            assert heard.seconds < 3
        well_again = read(feed.url, "camera", within_s=20, timeout_s=0.3)
    # The decoder keeps two for the order of B-frames.
    assert well_again.pictures >= 20
    assert "no answer in time" in well_again.said


def test_pictures_that_no_codec_takes_are_refused(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mkv", size="8x8", video="-c:v ffv1 -pix_fmt yuv420p")
    assert "has pictures of 8x8: that is too small" in read(str(clip), clip.name, within_s=_WITHIN_S).said


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        (None, Fraction(1)),
        (Fraction(0), Fraction(1)),
        (Fraction(-4, 3), Fraction(1)),
        (Fraction(1, 65_535), Fraction(1)),
        (Fraction(16, 11), Fraction(16, 11)),
    ],
    ids=str,
)
def test_the_shape_of_a_pixel_is_one_that_cameras_have(said: Fraction | None, taken: Fraction) -> None:
    assert _shape(said) == taken
