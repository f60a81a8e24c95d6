"""Awkward sizes, rates and colours, from a file to what a player receives."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseg.colour import rgb_from_yuv, yuv_of
from edgeseg.types import Colour, Matrix
from tests.e2e.daemon import Daemon
from tests.equipment.read_clip import (
    Picture,
    packet_hashes,
    read_facts,
    read_pictures,
    read_sound,
    read_times,
)
from tests.equipment.stamped_clip import even_times, write_stamped_clip
from tests.equipment.write_clip import Planes, blank, write_clip
from tests.fakes_backend import read_stamp

pytestmark = pytest.mark.e2e

_BARE = {"effect": "passthrough", "allow_uncovered": True}
# Colour bars that reach into every corner: R'G'B'.
BARS = [
    *((235, 235, 235), (200, 200, 20), (20, 200, 200), (20, 200, 20)),
    *((200, 20, 200), (200, 20, 20), (20, 20, 200), (16, 16, 16)),
]


def record(folder: Path, clip: Path, **settings: Any) -> Path:
    """Run the clip through the daemon as fast as it goes; gives the recording."""
    recordings = folder / "recordings"
    stream = {
        "source": {"url": str(clip), "realtime": False},
        **_BARE,
        "record": {"directory": str(recordings), "segment_s": 600, "container": "mkv"},
        **settings,
    }
    with Daemon(folder, {"s": stream}) as daemon:
        assert daemon.wait_end(60) == 0
    assert " error " not in daemon.log(), daemon.log()
    (recording,) = recordings.glob("*.mkv")
    return recording


@pytest.mark.parametrize(
    ("width", "height", "shown"),
    [(641, 361, (640, 360)), (322, 182, (322, 182)), (854, 480, (854, 480)), (180, 320, (180, 320))],
)
def test_sizes_that_no_codec_likes(tmp_path: Path, width: int, height: int, shown: tuple[int, int]) -> None:
    clip = tmp_path / "clip.mkv"
    odd = width % 2 or height % 2
    # H.264 with 4:2:0 cannot be odd; Motion JPEG can.
    codec, pix_fmt = ("mjpeg", "yuvj420p") if odd else ("libx264", "yuv420p")
    write_stamped_clip(clip, times=even_times(1), width=width, height=height, codec=codec, pix_fmt=pix_fmt)
    recording = record(tmp_path, clip)
    facts = read_facts(recording)
    assert (facts.width, facts.height) == shown
    pictures = read_pictures(recording)
    assert [read_stamp(picture.y) for picture in pictures] == list(range(25))
    last = pictures[-1]
    # No green or grey stripe at the edges, where the codec pads.
    assert np.abs(last.y[-3:].astype(int) - 200).max() < 12
    assert np.abs(last.u[:, -2:].astype(int) - 128).max() < 8
    assert np.abs(last.v[-2:].astype(int) - 128).max() < 8


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(24000, 1001), Fraction(50), Fraction(5)])
def test_rates(tmp_path: Path, rate: Fraction) -> None:
    times = even_times(3, rate)
    clip = tmp_path / "clip.mp4"
    write_stamped_clip(clip, times=times, rate=rate)
    _has_times(record(tmp_path, clip), times, range(len(times)))


def test_a_variable_rate_keeps_its_times(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    steps = rng.choice([20, 33, 40, 100, 250, 700], size=60)
    times = [Fraction(int(ms), 1000) for ms in np.concatenate([[0], np.cumsum(steps)])]
    clip = tmp_path / "clip.mkv"
    write_stamped_clip(clip, times=times)
    _has_times(record(tmp_path, clip), times, range(len(times)))


def test_a_variable_rate_made_constant(tmp_path: Path) -> None:
    times = [Fraction(n, 25) for n in range(100) if n % 7 not in (2, 3)]
    clip = tmp_path / "clip.mkv"
    write_stamped_clip(clip, times=times)
    recording = record(tmp_path, clip, video={"fps": 25, "timestamps": "constant"})
    got = read_times(recording)
    gaps = np.diff(got)
    assert np.abs(gaps - 0.04).max() <= 0.0011
    assert got[-1] - got[0] == pytest.approx(float(times[-1]), abs=0.041)
    # What is shown at each moment is what the clip shows there.
    numbers = [read_stamp(picture.y) for picture in read_pictures(recording)]
    wanted = [sum(t <= Fraction(n, 25) for t in times) - 1 for n in range(len(numbers))]
    assert max(abs(a - b) for a, b in zip(numbers, wanted, strict=True)) <= 1


def test_a_lower_rate_leaves_pictures_out_evenly(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    write_stamped_clip(clip, times=even_times(4, Fraction(30)), rate=Fraction(30))
    pictures = read_pictures(record(tmp_path, clip, video={"fps": 10}))
    assert [read_stamp(picture.y) for picture in pictures] == list(range(0, 120, 3))
    assert np.abs(np.diff([p.pts_s for p in pictures]) - 0.1).max() <= 0.0015


@pytest.mark.parametrize("fit", ["contain", "cover", "stretch"])
def test_another_size(tmp_path: Path, fit: str) -> None:
    """A wide picture with a red left and a blue right edge goes into a square."""
    colour = Colour(Matrix.BT601)
    planes = blank(640, 320, (200, 128, 128))
    for columns, rgb in ((slice(0, 64), (255, 0, 0)), (slice(576, 640), (0, 0, 255))):
        for plane, value in zip(planes, yuv_of(rgb, colour), strict=True):
            scale = 640 // plane.shape[1]
            plane[:, columns.start // scale : columns.stop // scale] = value
    clip = tmp_path / "clip.mp4"
    write_clip(clip, [(Fraction(n, 25), planes) for n in range(10)], colour=colour)
    recording = record(tmp_path, clip, video={"size": "320x320", "fit": fit})
    facts = read_facts(recording)
    assert (facts.width, facts.height) == (320, 320)
    picture = read_pictures(recording)[-1]
    top, left, right = (_rgb(picture, at, colour) for at in ((20, 160), (160, 8), (160, 312)))
    black, white, red, blue = (0, 0, 0), (214, 214, 214), (255, 0, 0), (0, 0, 255)
    expected = {
        "contain": (black, red, blue),
        "cover": (white, white, white),  # the edges are cut off
        "stretch": (white, red, blue),
    }[fit]
    for got, wanted in zip((top, left, right), expected, strict=True):
        assert np.abs(np.array(got) - wanted).max() < 16, (fit, top, left, right)


@pytest.mark.parametrize("full_range", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", list(Matrix))
def test_colours_stay_what_they_are(tmp_path: Path, matrix: Matrix, full_range: bool) -> None:
    number = {Matrix.BT709: 1, Matrix.BT601: 6}[matrix]
    colour = Colour(matrix, full_range, primaries=number, transfer=number)
    planes = _bars(640, 360, colour)
    clip = tmp_path / "clip.mp4"
    write_clip(clip, [(Fraction(n, 25), planes) for n in range(12)], colour=colour, crf=4)
    recording = record(tmp_path, clip, encoder={"bitrate": "8M"})
    facts = read_facts(recording)
    assert facts.matrix in ({Matrix.BT709: {1}, Matrix.BT601: {5, 6}}[matrix])
    assert facts.color_range == (2 if full_range else 1)
    picture = read_pictures(recording)[-1]
    for index, rgb in enumerate(BARS):
        got = _rgb(picture, (180, 40 + 80 * index), colour)
        assert np.abs(np.array(got) - rgb).max() <= 4, f"bar {index}: {got} for {rgb}"


def test_sound_is_copied_bit_by_bit(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    write_stamped_clip(clip, times=even_times(4), with_sound=True)
    recording = record(tmp_path, clip)
    sent, got = packet_hashes(clip), packet_hashes(recording)
    # The encoder's priming lies before the first picture, and so before the stream's beginning.
    missing = len(sent) - len(got)
    assert 0 <= missing <= 2
    assert got == sent[missing:]
    before, after = read_sound(clip), read_sound(recording)
    assert after.rate == before.rate
    assert after.blocks[-1][0] == pytest.approx(before.blocks[-1][0], abs=0.003)


def test_no_sound_when_it_is_not_wanted(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    write_stamped_clip(clip, times=even_times(1), with_sound=True)
    recording = record(tmp_path, clip, source={"url": str(clip), "realtime": False, "audio": False})
    assert not read_facts(recording).has_sound


def _has_times(recording: Path, times: Sequence[Fraction], numbers: range) -> None:
    pictures = read_pictures(recording)
    assert [read_stamp(picture.y) for picture in pictures] == list(numbers)
    zero_s = pictures[0].pts_s
    off = [abs(p.pts_s - zero_s - float(t - times[0])) for p, t in zip(pictures, times, strict=True)]
    assert max(off) <= 0.0015


def _bars(width: int, height: int, colour: Colour) -> Planes:
    planes = blank(width, height)
    for index, rgb in enumerate(BARS):
        for plane, value in zip(planes, yuv_of(rgb, colour), strict=True):
            step = plane.shape[1] // len(BARS)
            plane[:, index * step : (index + 1) * step] = value
    return planes


def _rgb(picture: Picture, at: tuple[int, int], colour: Colour) -> tuple[float, ...]:
    """The colour round a place (row, column), read as the tags say."""
    y, x = at
    yuv = [
        float(picture.y[y - 4 : y + 4, x - 4 : x + 4].mean()),
        *(float(plane[y // 2 - 2 : y // 2 + 2, x // 2 - 2 : x // 2 + 2].mean()) for plane in (picture.u, picture.v)),
    ]
    return tuple(rgb_from_yuv(colour.matrix, colour.full_range) @ np.array([*yuv, 1.0]))
