"""Times that cameras make hard: B-frames, a step of the clock, a rate that is doubled; from a clip to a recording."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseg.ffmpeg import find_ffmpeg
from tests.e2e.daemon import Daemon
from tests.e2e.test_own_mask import third_party, tinted_column
from tests.equipment.flash_beep_clip import offsets, write_flash_beep_clip
from tests.equipment.read_clip import Picture, read_pictures, read_sound
from tests.equipment.stamped_clip import even_times, write_stamped_clip
from tests.fakes_backend import BANDS, read_stamp

__all__ = ["third_party"]

pytestmark = pytest.mark.e2e

_BARE = {"effect": "passthrough", "allow_uncovered": True}
_LATEST_S = 0.040


def _record(folder: Path, clip: Path, env: dict[str, str] | None = None, **settings: Any) -> Path:
    stream = {
        "source": {"url": str(clip), "realtime": False},
        "record": {"directory": str(folder / "recordings"), "segment_s": 600, "container": "mkv"},
        **settings,
    }
    with Daemon(folder, {"s": stream}, env=env) as daemon:
        assert daemon.wait_end(60) == 0
    assert " error " not in daemon.log(), daemon.log()
    (recording,) = (folder / "recordings").glob("*.mkv")
    return recording


def _convert(clip: Path, name: str, *arguments: str) -> Path:
    target = clip.with_name(name)
    command = [find_ffmpeg(), "-v", "error", "-i", str(clip), *arguments, "-y", str(target)]
    subprocess.run(command, check=True, timeout=60, stdin=subprocess.DEVNULL)
    return target


_WITH_B_FRAMES = (
    "-c:v",
    "libx264",
    "-preset",
    "veryfast",
    "-crf",
    "12",
    "-bf",
    "3",
    "-b_strategy",
    "0",
    "-c:a",
    "copy",
)


@pytest.mark.parametrize("container", ["mp4", "ts", "flv"])
def test_b_frames_come_in_order_each_with_its_own_mask(
    container: str, third_party: dict[str, str], tmp_path: Path
) -> None:
    plain = tmp_path / "plain.mp4"
    write_stamped_clip(plain, times=even_times(4), width=640, height=512)
    clip = _convert(plain, f"clip.{container}", *_WITH_B_FRAMES)
    recording = _record(
        tmp_path,
        clip,
        env=third_party,
        model={"name": str(tmp_path / "model"), "backend": "stamp"},
        mask={"threshold": 0.5},
        effect={"type": "overlay", "color": "red", "opacity": 0.5},
    )
    pictures = read_pictures(recording)
    numbers = [read_stamp(picture.y) for picture in pictures]
    assert numbers == list(range(100))
    assert [tinted_column(picture) for picture in pictures] == [number % BANDS for number in numbers]
    _lie_at(pictures, [n / 25 for n in range(100)])


@pytest.mark.parametrize("container", ["mp4", "ts", "flv", "mkv"])
def test_sound_stays_with_pictures_that_come_out_of_order(container: str, tmp_path: Path) -> None:
    plain = tmp_path / "plain.mp4"
    write_flash_beep_clip(plain, seconds=6)
    clip = _convert(plain, f"clip.{container}", *_WITH_B_FRAMES)
    recording = _record(tmp_path, clip, **_BARE)
    found = offsets(read_pictures(recording), read_sound(recording))
    assert len(found) >= 5
    assert max(map(abs, found)) <= _LATEST_S, found


def test_sound_stays_with_a_variable_rate(tmp_path: Path) -> None:
    plain = tmp_path / "plain.mp4"
    write_flash_beep_clip(plain, seconds=6)
    # Dark pictures are left out where nothing changes: gaps of up to 0.44 s.
    select = "select='lt(mod(t,1),0.04)+gt(mod(t,1),0.39)*lt(mod(t,1),0.75)'"
    clip = _convert(plain, "clip.mkv", "-vf", select, "-fps_mode", "vfr", *_WITH_B_FRAMES)
    recording = _record(tmp_path, clip, **_BARE)
    pictures = read_pictures(recording)
    assert max(b.pts_s - a.pts_s for a, b in pairwise(pictures)) > 0.2
    found = offsets(pictures, read_sound(recording))
    assert len(found) >= 5
    assert max(map(abs, found)) <= _LATEST_S, found


def test_fifteen_become_thirty(tmp_path: Path) -> None:
    """Every picture twice, at even distances, and as long as before."""
    clip = tmp_path / "clip.mp4"
    write_stamped_clip(clip, times=even_times(4, Fraction(15)), rate=Fraction(15))
    pictures = read_pictures(_record(tmp_path, clip, **_BARE, video={"fps": 30, "timestamps": "constant"}))
    numbers = [read_stamp(picture.y) for picture in pictures]
    assert abs(len(numbers) - 120) <= 2
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(60))
    assert max(numbers.count(n) for n in range(60)) <= 3
    assert np.abs(np.diff([p.pts_s for p in pictures]) - 1 / 30).max() <= 0.0015


def _lie_at(pictures: list[Picture], times: list[float]) -> None:
    zero_s = pictures[0].pts_s
    assert max(abs(p.pts_s - zero_s - t) for p, t in zip(pictures, times, strict=True)) <= 0.0015
