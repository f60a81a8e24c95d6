"""The encoder dies, hangs, is missing or leaves: it is started again, and viewers stay where they are."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from edgeseg.ffmpeg import find_ffmpeg
from tests.equipment.live_camera import Film, LiveCamera
from tests.equipment.onlooker import Onlooker
from tests.equipment.stamped_clip import even_times, write_stamped_clip
from tests.faults.house import FPS, RICH, House, house, longest_step, stopped
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

# What may be missing in the recording: one group of pictures.
_GROUP_S = 2.0
_SECONDS = 60.0


@pytest.fixture
def ffmpeg(tmp_path: Path) -> Path:
    """An ffmpeg that can be taken away, and that leaves at once with 0 while there is a file ``leave`` beside it."""
    script = tmp_path / "bin" / "ffmpeg"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\n[ -e "{script.parent}/leave" ] && exit 0\nexec "{find_ffmpeg()}" "$@"\n')
    script.chmod(0o755)
    return script


@pytest.fixture(params=["a file", "a camera"])
def stream(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, object]]:
    """Of a source that waits while the encoder is away, and of one that does not."""
    if request.param == "a file":
        yield _stream(tmp_path)
        return
    path = tmp_path / "film.flv"
    write_stamped_clip(path, times=even_times(_SECONDS, Fraction(FPS)), width=320, height=256)
    with LiveCamera(Film.read(path)) as camera:
        source = {"url": camera.url, "options": {"analyzeduration": "100000", "fpsprobesize": "0"}}
        yield {**_stream(tmp_path), "source": source}


def test_killed(stream: dict[str, object], tmp_path: Path) -> None:
    with house(tmp_path, stream) as daemon, daemon.watch() as viewer:
        daemon.wait_for_frames(60)
        os.kill(daemon.encoder(), signal.SIGKILL)
        _comes_back(daemon, viewer)
        assert daemon.output("record", "reconnects") == 0
    _lost_one_group_at_most(tmp_path / "victim")


def test_hung(stream: dict[str, object], tmp_path: Path) -> None:
    with house(tmp_path, stream) as daemon, daemon.watch() as viewer:
        daemon.wait_for_frames(60)
        with stopped(daemon.encoder()):
            _comes_back(daemon, viewer)
        assert daemon.output("record", "reconnects") == 0
        assert daemon.metric("edgeseg_source_reconnects_total", stream="victim") == 0
    _lost_one_group_at_most(tmp_path / "victim")


def test_missing_for_a_while(ffmpeg: Path, tmp_path: Path) -> None:
    with house(tmp_path, _stream(tmp_path), ffmpeg=str(ffmpeg)) as daemon, daemon.watch() as viewer:
        daemon.wait_for_frames(60)
        away = ffmpeg.rename(ffmpeg.with_name("away"))
        os.kill(daemon.encoder(), signal.SIGKILL)
        wait_until(lambda: "No such file" in " ".join(daemon.errors()), 15, "the log to say what is missing")
        assert daemon.state("victim") == "backing_off"
        away.rename(ffmpeg)
        _comes_back(daemon, viewer)
        assert len(daemon.errors()) == 2, daemon.errors()
        assert daemon.output("record", "reconnects") == 0


def test_leaves_with_zero(ffmpeg: Path, tmp_path: Path) -> None:
    with house(tmp_path, _stream(tmp_path), ffmpeg=str(ffmpeg)) as daemon, daemon.watch() as viewer:
        daemon.wait_for_frames(60)
        leave = ffmpeg.with_name("leave")
        leave.touch()
        os.kill(daemon.encoder(), signal.SIGKILL)
        wait_until(lambda: daemon.metric("edgeseg_encoder_restarts_total", stream="victim") >= 2, 15, "two attempts")
        assert daemon.state("victim") == "backing_off"
        leave.unlink()
        _comes_back(daemon, viewer)
        assert daemon.output("record", "reconnects") == 0


def _lost_one_group_at_most(folder: Path) -> None:
    step = longest_step(folder)
    print(f"longest gap in the recording: {step:.2f} s")
    assert step <= _GROUP_S


def _stream(folder: Path) -> dict[str, object]:
    return {**RICH, "record": {"directory": str(folder / "victim"), "segment_s": 600}}


def _comes_back(daemon: House, viewer: Onlooker) -> None:
    """The viewer, who has never left, gets new pictures, and time never goes back for it."""
    starts = daemon.metric("edgeseg_encoder_restarts_total", stream="victim")
    seen = len(viewer.arrivals)
    wait_until(
        lambda: (
            daemon.metric("edgeseg_encoder_restarts_total", stream="victim") > max(0, starts - 1)
            and daemon.state("victim") == "running"
            and len(viewer.arrivals) >= seen + 75
        ),
        40,
        "the viewer's pictures",
    )
    assert not viewer.ended
    assert all(b > a for a, b in pairwise(viewer.times_ms))
