"""A file goes through the daemon to a real RTMP server, and what arrives there is looked at picture by picture."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from edgeseg.colour import yuv_of
from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.ovruntime import ov
from edgeseg.recipes import find_model
from edgeseg.sources.av_input import AvSource
from edgeseg.types import U8, Frame, Matrix
from tests.e2e.daemon import Daemon
from tests.equipment.nginx_rtmp import NginxRtmp
from tests.equipment.read_clip import Picture, read_facts, read_pictures
from tests.equipment.receiver import Receiver
from tests.equipment.stamped_clip import even_times, write_stamped_clip
from tests.fakes_backend import read_stamp
from tests.shared import shared
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

DEMO_CLIP = Path(__file__).parents[2] / "demo" / "clip.mp4"
MAGENTA = (255, 0, 255)
_SECONDS = 30
# Half the width of the band along the mask's edge that is not judged, in pixels of the mask.
_EDGE = 3


def walkers(folder: Path) -> Path:
    """The first 30 s of people who walk in."""
    whole = shared("video", "one-by-one-person-detection.mp4")
    clip = folder / "walkers.mp4"
    command = [find_ffmpeg(), "-v", "error", "-i", str(whole), "-t", str(_SECONDS), "-c", "copy", str(clip)]
    subprocess.run(command, check=True, timeout=60)
    return clip


@pytest.mark.timeout(180)
@pytest.mark.parametrize("material", [walkers, lambda _: DEMO_CLIP], ids=["walkers", "demo clip"])
def test_what_a_player_gets_from_the_server(material: Callable[[Path], Path], tmp_path: Path) -> None:
    clip = material(tmp_path)
    source = _frames(clip)
    stream = {
        "source": str(clip),
        "effect": {"type": "replace", "color": "magenta"},
        "record": {"directory": str(tmp_path / "recordings"), "segment_s": 600},
    }
    with NginxRtmp() as server, Receiver(server.url("segme"), tmp_path / "received.mkv") as receiver:
        wait_until(lambda: server.clients("segme") == 1, 10, "the receiver's connection")
        with Daemon(tmp_path, {"walk": {**stream, "publish": server.url("segme")}}) as daemon:
            assert daemon.wait_end(120) == 0
        received = receiver.wait(20)

    assert "error" not in daemon.log(), daemon.log()
    facts = read_facts(received)
    assert facts.codec == "h264"
    assert (facts.width, facts.height) == (source[0].width, source[0].height)
    pictures = read_pictures(received)
    _has_rate_of(source, pictures)

    # Every picture once, in order, at its time: to the millisecond that FLV counts in.
    assert len(pictures) == len(source)
    start_s = source[0].time_s
    errors = [abs((p.pts_s - pictures[0].pts_s) - (f.time_s - start_s)) for p, f in zip(pictures, source, strict=True)]
    assert max(errors) <= 0.0015
    _judge(source, pictures)

    (recording,) = (tmp_path / "recordings").glob("*.mp4")
    recorded = read_pictures(recording)
    assert [_rounded(p) for p in recorded] == [_rounded(p) for p in pictures]
    # One encode for all outputs: the same bits, hence the same pixels.
    assert all(np.array_equal(a.y, b.y) for a, b in zip(recorded[::25], pictures[::25], strict=True))


def test_every_picture_comes_once_and_in_order(tmp_path: Path) -> None:
    times = even_times(8, Fraction(30000, 1001))
    clip = tmp_path / "stamped.mp4"
    write_stamped_clip(clip, times=times, width=640, height=360, rate=Fraction(30000, 1001))
    stream = {
        "source": str(clip),
        "effect": "passthrough",
        "allow_uncovered": True,
        "record": str(tmp_path / "recordings"),
    }
    with NginxRtmp() as server, Receiver(server.url("s"), tmp_path / "received.mkv") as receiver:
        wait_until(lambda: server.clients("s") == 1, 10, "the receiver's connection")
        with Daemon(tmp_path, {"stamped": {**stream, "publish": server.url("s")}}) as daemon:
            assert daemon.wait_end(60) == 0
        received = receiver.wait(20)
    (recording,) = (tmp_path / "recordings").glob("*.mp4")
    for file in (received, recording):
        pictures = read_pictures(file)
        assert [read_stamp(picture.y) for picture in pictures] == list(range(len(times)))
        zero_s = pictures[0].pts_s
        assert max(abs(p.pts_s - zero_s - float(t)) for p, t in zip(pictures, times, strict=True)) <= 0.0015


def test_a_server_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    times = even_times(14)
    clip = tmp_path / "stamped.mp4"
    write_stamped_clip(clip, times=times, width=640, height=360)
    recordings = tmp_path / "recordings"
    with NginxRtmp() as server:
        stream = {"source": str(clip), "effect": "passthrough", "allow_uncovered": True}
        stream |= {"publish": server.url("s"), "record": str(recordings)}
        with Daemon(tmp_path, {"s": stream}) as daemon:

            def publishing(state: str) -> bool:
                return daemon.metric("edgeseg_output_state", kind="publish", state=state) == 1

            wait_until(lambda: server.is_published("s"), 15, "the first connection")
            server.stop()
            wait_until(lambda: publishing("backing_off"), 10, "the loss of the server")
            assert daemon.state("s") == "running"
            server.start()
            with Receiver(server.url("s"), tmp_path / "received.mkv") as receiver:
                wait_until(lambda: publishing("running"), 15, "the second connection")
                assert daemon.metric("edgeseg_output_reconnects_total", kind="publish") == 1
                assert daemon.wait_end(60) == 0
                received = receiver.wait(20)
    # The disk has not noticed.
    (recording,) = recordings.glob("*.mp4")
    assert [read_stamp(picture.y) for picture in read_pictures(recording)] == list(range(len(times)))
    # Who watches afterwards sees the rest, to the last picture.
    seen = [read_stamp(picture.y) for picture in read_pictures(received)]
    assert seen == list(range(seen[0], len(times)))
    errors = [line for line in daemon.log().splitlines() if " error " in line]
    assert 1 <= len(errors) == len({line.split(" ", 1)[1] for line in errors}) <= 2, daemon.log()


def _frames(clip: Path) -> list[Frame]:
    source = AvSource(str(clip), audio=False)
    source.open()
    try:
        frames = []
        while (item := source.read()) is not None:
            assert isinstance(item, Frame)
            frames.append(item)
        return frames
    finally:
        source.close()


def _has_rate_of(source: list[Frame], pictures: list[Picture]) -> None:
    wanted = (len(source) - 1) / (source[-1].time_s - source[0].time_s)
    got = (len(pictures) - 1) / (pictures[-1].pts_s - pictures[0].pts_s)
    assert got == pytest.approx(wanted, rel=1e-3)


def _judge(source: list[Frame], pictures: list[Picture]) -> None:
    """Compare every tenth picture with the source and with magenta, by a mask of another make than the daemon's."""
    magenta = np.array(yuv_of(MAGENTA, source[0].colour), float)
    segment = _plain_model()
    shares = []
    for frame, picture in list(zip(source, pictures, strict=True))[::10]:
        kept, other = _certain(segment(frame), frame.width, frame.height)
        shown = [_full(plane, frame) for plane in (picture.y, picture.u, picture.v)]
        real = [_full(plane, frame) for plane in frame.planes]
        # Flat colour: the codec has nothing to lose but at the edge.
        for plane, wanted in zip(shown, magenta, strict=True):
            off = np.abs(plane[other].astype(float) - wanted)
            assert off.mean() < 2, f"background at {frame.time_s:.2f} s: {off.mean():.1f} off"
            assert np.mean(off < 12) > 0.99
        shares.append(kept.mean())
        if kept.sum() < 500:
            continue
        for plane, wanted_plane in zip(shown, real, strict=True):
            off = np.abs(plane[kept].astype(float) - wanted_plane[kept])
            assert off.mean() < 6, f"person at {frame.time_s:.2f} s: {off.mean():.1f} off"
            assert np.mean(off < 25) > 0.97
    # Somebody was there to be looked at, and there was a background.
    assert 0.02 < max(shares) < 0.9


def _plain_model() -> Callable[[Frame], U8]:
    """The model run by OpenVINO alone on a picture that swscale converted: nothing of our sampling in it."""
    folder = find_model("selfie")
    core = ov.Core()
    model = core.compile_model(str(folder / "model.xml"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def segment(frame: Frame) -> U8:
        planes = np.concatenate([np.ascontiguousarray(plane).ravel() for plane in frame.planes])
        picture = av.VideoFrame.from_ndarray(planes.reshape(-1, frame.width), format="yuv420p")
        space = "itu709" if frame.colour.matrix is Matrix.BT709 else "itu601"
        rgb = picture.reformat(format="rgb24", src_colorspace=space).to_ndarray()
        small = cv2.resize(rgb, (256, 256), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        answer = model([small[None]])[0].reshape(256, 256)
        return np.rint(np.clip(answer, 0, 1) * 255).astype(np.uint8)

    return segment


def _certain(probability: U8, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the model is sure of the person, and of the background, away from any edge: bool [height, width]."""
    kernel = np.ones((2 * _EDGE + 1, 2 * _EDGE + 1), np.uint8)
    regions = []
    for sure in (probability > 240, probability < 15):
        inner = cv2.erode(sure.astype(np.uint8), kernel, borderValue=1)
        regions.append(cv2.resize(inner, (width, height), interpolation=cv2.INTER_NEAREST).astype(bool))
    return regions[0], regions[1]


def _full(plane: U8, frame: Frame) -> U8:
    if plane.shape == frame.y.shape:
        return plane
    full: U8 = cv2.resize(plane, (frame.width, frame.height), interpolation=cv2.INTER_NEAREST)
    return full


def _rounded(picture: Picture) -> int:
    return round(picture.pts_s * 1000)
