"""Cameras that fail: told once, opened again, on a time axis that never goes back; the daemon is never restarted."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from tests.equipment.live_camera import Film, LiveCamera
from tests.equipment.read_clip import read_facts, read_pictures
from tests.equipment.stamped_clip import even_times, write_stamped_clip
from tests.fakes_backend import read_stamp
from tests.faults.house import BARE, House, house, recordings
from tests.ports import free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

_SECONDS = 60.0


def _film(path: Path, *, rate: int = 25, width: int = 320, height: int = 256, codec: str = "libx264") -> Film:
    times = even_times(_SECONDS, Fraction(rate))
    write_stamped_clip(path, times=times, width=width, height=height, rate=Fraction(rate), codec=codec)
    return Film.read(path)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Film]:
    """A minute of numbered pictures, as different cameras would send it."""
    folder = tmp_path_factory.mktemp("films")
    return {
        "usual": _film(folder / "usual.flv"),
        "larger": _film(folder / "larger.flv", width=512, height=384),
        "slower": _film(folder / "slower.flv", rate=10),
        "other codec": _film(folder / "codec.flv", codec="flv"),
    }


def _refuses(camera: LiveCamera) -> None:
    camera.disappear()


def _says_nothing(camera: LiveCamera) -> None:
    camera.disappear()
    camera.appear()
    camera.fall_silent()


def _stalls(camera: LiveCamera) -> None:
    camera.fall_silent()


@pytest.mark.parametrize("fail", [_refuses, _says_nothing, _stalls], ids=["disappears", "says nothing", "stalls"])
def test_it_goes_away_and_comes_back(
    fail: Callable[[LiveCamera], None], films: dict[str, Film], tmp_path: Path
) -> None:
    with LiveCamera(films["usual"]) as camera, house(tmp_path, _stream(camera, tmp_path)) as daemon:
        _runs(daemon)
        with daemon.watch() as viewer:
            fail(camera)
            daemon.wait_for_state("victim", "backing_off", 15)
            assert daemon.api("victim")["reason"]
            assert daemon.get("/healthz")[0] == 200
            daemon.let_pass(2)
            camera.appear()
            _runs(daemon)
            assert not viewer.ended
            assert all(b > a for a, b in pairwise(viewer.times_ms))
        assert len(daemon.errors()) == len(set(daemon.errors())) <= 2, daemon.log()
        assert daemon.metric("edgeseg_source_reconnects_total", stream="victim") >= 1
        assert daemon.output("record", "reconnects") == 0
    _is_in_order(tmp_path)


def test_it_is_not_there_at_the_start(films: dict[str, Film], tmp_path: Path) -> None:
    with LiveCamera(films["usual"]) as camera:
        camera.disappear()
        with house(tmp_path, _stream(camera, tmp_path)) as daemon:
            daemon.wait_for_state("victim", "backing_off")
            # Long enough for several attempts, which are told once.
            daemon.let_pass(4)
            camera.appear()
            _runs(daemon)
            assert len(daemon.errors()) == 1, daemon.log()
    _is_in_order(tmp_path)


def test_who_comes_while_it_is_away_sees_the_slate_soon(tmp_path: Path) -> None:
    """FFmpeg's players look at forty pictures before they show the first."""
    stream = {
        "source": f"rtsp://127.0.0.1:{free_port()}/nothing",
        "video": {"size": "320x256"},
        "slate": {"after_s": 0.5},
    }
    with house(tmp_path, stream) as daemon:
        wait_until(lambda: daemon.metric("edgeseg_frames_total", stream="victim", stage="slate") > 0, 20, "a slate")
        began = time.monotonic()
        facts = read_facts(f"{daemon.base}/streams/victim/live.flv")
        assert facts is not None
        assert (facts.width, facts.height) == (320, 256)
        assert time.monotonic() - began < 10
        assert daemon.state("victim") == "backing_off"


def test_it_sends_garbage(films: dict[str, Film], tmp_path: Path) -> None:
    """Noise in the frames of the format: the camera is read on, and its good pictures are shown again."""
    with LiveCamera(films["usual"]) as camera, house(tmp_path, _stream(camera, tmp_path)) as daemon:
        _runs(daemon)
        camera.send_garbage()
        daemon.let_pass(3)
        assert daemon.get("/healthz")[0] == 200
        camera.appear()
        _runs(daemon)
        assert daemon.output("record", "reconnects") == 0
    _is_in_order(tmp_path, damaged=True)


def test_it_starts_again_with_earlier_timestamps(films: dict[str, Film], tmp_path: Path) -> None:
    """On the same connection, as cameras do that set their clock."""
    film = films["usual"]
    with LiveCamera(film) as camera, house(tmp_path, _stream(camera, tmp_path)) as daemon:
        camera.show(film, from_ms=20_000, shift_ms=3_600_000)
        _runs(daemon)
        with daemon.watch() as viewer:
            camera.show(film, from_ms=30_000, shift_ms=-30_000)
            _runs(daemon)
            assert not viewer.ended
            assert all(b > a for a, b in pairwise(viewer.times_ms))
            assert viewer.longest_gap_s < 2
        assert daemon.output("record", "reconnects") == 0
    _is_in_order(tmp_path)


@pytest.mark.parametrize("kind", ["larger", "slower", "other codec"])
def test_it_changes_what_it_sends(kind: str, films: dict[str, Film], tmp_path: Path) -> None:
    """Size, rate or codec, on the same connection; the output's size is configured, so that viewers stay."""
    with (
        LiveCamera(films["usual"]) as camera,
        house(tmp_path, {**_stream(camera, tmp_path), "video": {"size": "320x256"}}) as daemon,
    ):
        _runs(daemon)
        with daemon.watch() as viewer:
            camera.show(films[kind], from_ms=30_000)
            _runs(daemon)
            assert not viewer.ended
            assert all(b > a for a, b in pairwise(viewer.times_ms))
    pictures = [p for file in recordings(tmp_path / "victim") for p in read_pictures(file)]
    assert {picture.y.shape for picture in pictures} == {(256, 320)}
    numbers = [number for picture in pictures if (number := _number(picture.y)) is not None]
    assert numbers[-1] >= (300 if kind == "slower" else 750)


def test_another_size_without_a_configured_one(films: dict[str, Film], tmp_path: Path) -> None:
    """The recording goes on in a file of the new size."""
    with LiveCamera(films["usual"]) as camera, house(tmp_path, _stream(camera, tmp_path)) as daemon:
        _runs(daemon)
        camera.show(films["larger"], from_ms=30_000)
        wait_until(lambda: daemon.api("victim")["width"] == 512, 20, "the new size")
        _runs(daemon)
    sizes = [(facts.width, facts.height) for f in recordings(tmp_path / "victim") if (facts := read_facts(f))]
    assert sizes == [(320, 256), (512, 384)]


def _stream(camera: LiveCamera, folder: Path) -> dict[str, object]:
    source = {
        "url": camera.url,
        "read_timeout_s": 2,
        "open_timeout_s": 3,
        # A camera tells what it sends with its first picture; nothing has to be watched for that.
        "options": {"analyzeduration": "100000", "fpsprobesize": "0"},
    }
    return {"source": source, **BARE, "record": {"directory": str(folder / "victim"), "segment_s": 600}}


def _runs(daemon: House) -> None:
    """It shows new pictures: two seconds of them."""
    daemon.wait_for_frames(20, timeout_s=30)
    daemon.wait_for_state("victim", "running")
    daemon.wait_for_frames(30)


def _number(y: object) -> int | None:
    """The picture's number; None for what is not a picture of the camera, or a damaged one."""
    try:
        return read_stamp(y)  # type: ignore[arg-type]
    except ValueError:
        return None


def _is_in_order(folder: Path, *, damaged: bool = False) -> None:
    """The one recording has the camera's pictures from before and after, in order, at times that only grow."""
    (file,) = recordings(folder / "victim")
    pictures = read_pictures(file)
    assert all(b.pts_s > a.pts_s for a, b in pairwise(pictures))
    numbers = [number for picture in pictures if (number := _number(picture.y)) is not None]
    assert len(numbers) >= 50
    if not damaged:
        assert numbers == sorted(set(numbers))
