"""What every source has to keep to: a new one is one line in ``SOURCES``."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

from edgeseg.errors import SourceError
from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.sources.av_input import AvSource
from edgeseg.sources.decode_command import DecodeSettings
from edgeseg.sources.test_pattern import TestPatternSource
from edgeseg.sources.v4l2 import V4l2Source
from edgeseg.types import AudioPacket, Frame, Source, SourceFormat
from tests.clips import make_clip
from tests.fakes_source import FakeSource, pictures

ENOUGH = 120
CHILD = DecodeSettings(find_ffmpeg())


@dataclass(frozen=True)
class Case:
    """A source, and how many pictures it has (None: no end)."""

    make: Callable[[Path, str], Source]
    count: int | None
    size: tuple[int, int] = (64, 48)
    fps: Fraction = Fraction(25)
    sound: bool = False


SOURCES = {
    "file": Case(lambda folder, url: AvSource(str(folder / "clip.mp4")), 25, sound=True),
    "file url": Case(lambda folder, url: AvSource((folder / "clip.mp4").as_uri()), 25, sound=True),
    "file without its sound": Case(lambda folder, url: AvSource(str(folder / "clip.mp4"), audio=False), 25),
    "looped file": Case(lambda folder, url: AvSource(str(folder / "clip.mp4"), loop=True), None, sound=True),
    "looped, sound is longer": Case(
        lambda folder, url: AvSource(str(folder / "long_sound.mkv"), loop=True), None, sound=True
    ),
    "odd sides": Case(lambda folder, url: AvSource(str(folder / "odd.mkv")), 5, (65, 49)),
    "4:4:4, full range": Case(lambda folder, url: AvSource(str(folder / "yuv444.mkv")), 5),
    "rgb": Case(lambda folder, url: AvSource(str(folder / "rgb.mkv")), 5),
    "variable rate": Case(lambda folder, url: AvSource(str(folder / "vfr.mkv"), audio=False), 9),
    "http": Case(lambda folder, url: AvSource(f"{url}/clip.mp4"), 25, sound=True),
    "file, in a child": Case(lambda folder, url: AvSource(str(folder / "clip.mp4"), decode=CHILD), 25, sound=True),
    "looped, in a child": Case(
        lambda folder, url: AvSource(str(folder / "clip.mp4"), loop=True, decode=CHILD), None, sound=True
    ),
    "odd sides, in a child": Case(lambda folder, url: AvSource(str(folder / "odd.mkv"), decode=CHILD), 5, (65, 49)),
    "4:4:4, full range, in a child": Case(lambda folder, url: AvSource(str(folder / "yuv444.mkv"), decode=CHILD), 5),
    "rgb, in a child": Case(lambda folder, url: AvSource(str(folder / "rgb.mkv"), decode=CHILD), 5),
    "variable rate, in a child": Case(
        lambda folder, url: AvSource(str(folder / "vfr.mkv"), audio=False, decode=CHILD), 9
    ),
    "http, in a child": Case(lambda folder, url: AvSource(f"{url}/clip.mp4", decode=CHILD), 25, sound=True),
    "test pattern": Case(lambda folder, url: TestPatternSource(size=(64, 48), fps=Fraction(25)), None),
    "fake": Case(lambda folder, url: FakeSource(pictures(25)), 25),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("clips")
    make_clip(made / "clip.mp4", sound=True)
    make_clip(made / "odd.mkv", seconds=0.2, filters="scale=65:49", video="-c:v ffv1 -pix_fmt yuv420p")
    make_clip(made / "yuv444.mkv", seconds=0.2, video="-c:v ffv1 -pix_fmt yuv444p -color_range pc -colorspace bt709")
    make_clip(made / "rgb.mkv", seconds=0.2, video="-c:v ffv1 -pix_fmt bgr0")
    make_clip(made / "vfr.mkv", filters="select='not(mod(n\\,3))'", video="-c:v ffv1 -pix_fmt yuv420p -fps_mode vfr")
    make_clip(
        made / "long_sound.mkv",
        sound=True,
        filters="select='lt(n\\,10)'",
        video="-c:v libx264 -preset ultrafast -pix_fmt yuv420p -fps_mode vfr",
    )
    (made / "text.mp4").write_text("this is no video")
    (made / "empty.mp4").write_bytes(b"")
    return made


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join(5)


@pytest.fixture(params=SOURCES)
def case(request: pytest.FixtureRequest) -> Case:
    return SOURCES[request.param]


@pytest.fixture
def source(case: Case, folder: Path, url: str) -> Iterator[Source]:
    made = case.make(folder, url)
    yield made
    made.close()


def items(source: Source, limit: int = ENOUGH) -> list[Frame | AudioPacket]:
    return list(islice(iter(source.read, None), limit))


def frames_of(got: list[Frame | AudioPacket]) -> list[Frame]:
    return [item for item in got if isinstance(item, Frame)]


def test_says_what_it_is(source: Source, case: Case) -> None:
    said = source.open()
    assert isinstance(said, SourceFormat)
    assert (said.width, said.height) == case.size
    assert not said.live
    assert (said.audio is not None) == case.sound
    if case.count != 9:  # a variable rate is whatever the container makes of it
        assert said.fps == case.fps
    assert said.sample_aspect_ratio == 1


def test_pictures_are_read_only_planes_of_the_size_said(source: Source, case: Case) -> None:
    said = source.open()
    width, height = case.size
    for frame in frames_of(items(source)):
        assert frame.y.shape == (height, width)
        assert frame.u.shape == frame.v.shape == (-(-height // 2), -(-width // 2))
        assert frame.colour == said.colour
        for plane in frame.planes:
            assert plane.dtype == np.uint8
            assert not plane.flags.writeable
            with pytest.raises(ValueError, match="read-only"):
                plane[0, 0] = 0


def test_gives_every_picture_once_and_then_none(source: Source, case: Case) -> None:
    source.open()
    frames = frames_of(items(source, 500 if case.count is None else 1000))
    if case.count is None:
        assert len(frames) > 50
        return
    assert len(frames) == case.count
    assert source.read() is None
    assert source.read() is None


def test_timestamps_never_go_backwards(source: Source, case: Case) -> None:
    source.open()
    got = items(source, 400)
    times = [frame.pts * frame.time_base for frame in frames_of(got)]
    assert all(b > a for a, b in pairwise(times))
    sounds = [item.pts * item.time_base for item in got if isinstance(item, AudioPacket)]
    assert all(b >= a for a, b in pairwise(sounds))
    assert bool(sounds) == case.sound
    if case.count != 9:
        assert max(abs(b - a - 1 / case.fps) for a, b in pairwise(times)) < Fraction(1, 500) or case.count is None


def test_the_arrays_keep_their_memory(source: Source) -> None:
    """A frame may be looked at long after the decoder has gone on, and after the source was closed."""
    source.open()
    first = frames_of(items(source, 8))[0]
    before = [plane.copy() for plane in first.planes]
    items(source, 60)
    source.close()
    for plane, was in zip(first.planes, before):
        np.testing.assert_array_equal(plane, was)


def test_capture_times_grow(source: Source) -> None:
    source.open()
    at = [frame.captured_at for frame in frames_of(items(source, 40))]
    assert at == sorted(at)
    assert at[0] > 0


def test_the_first_thing_is_a_picture(source: Source) -> None:
    """The stream's clock starts with it: sound from before would be lost."""
    source.open()
    assert isinstance(source.read(), Frame)


def test_may_be_closed_twice_and_opened_again(source: Source) -> None:
    source.close()
    source.open()
    first = frames_of(items(source, 4))[0]
    source.close()
    source.close()
    source.open()
    again = frames_of(items(source, 4))[0]
    assert again.pts == first.pts
    np.testing.assert_array_equal(again.y, first.y)


def test_read_without_open_is_an_error(source: Source) -> None:
    with pytest.raises(SourceError, match="is not open"):
        source.read()
    source.open()
    source.close()
    with pytest.raises(SourceError, match="is not open"):
        source.read()


FAILURES: dict[str, tuple[Callable[[Path, str], Source], str]] = {
    "no file": (lambda folder, url: AvSource(str(folder / "absent.mp4")), r"cannot open .*absent\.mp4: no such file"),
    "no video": (lambda folder, url: AvSource(str(folder / "text.mp4")), r"cannot open .*text\.mp4: it is not video"),
    "empty": (lambda folder, url: AvSource(str(folder / "empty.mp4")), r"cannot open .*empty\.mp4: "),
    "folder": (lambda folder, url: AvSource(str(folder)), "cannot open .*: "),
    "404": (lambda folder, url: AvSource(f"{url}/absent.mp4"), "the server does not know this path"),
    "refused": (lambda folder, url: AvSource("http://127.0.0.1:9/clip.mp4"), "connection refused"),
    "protocol": (lambda folder, url: AvSource("gopherx://127.0.0.1/x"), "does not know this kind of URL"),
    "camera": (lambda folder, url: V4l2Source("/dev/video97"), r"cannot open /dev/video97: no such file or device"),
    "camera, prefixed": (lambda folder, url: V4l2Source("v4l2:/dev/video97"), r"cannot open /dev/video97: "),
    "fake": (lambda folder, url: FakeSource([]), "ended before the first picture"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_failures_are_one_sentence(failure: str, folder: Path, url: str) -> None:
    make, words = FAILURES[failure]
    source = make(folder, url)
    with pytest.raises(SourceError, match=words) as caught:
        source.open()
    assert "\n" not in str(caught.value)
    assert str(caught.value)[0].islower() or str(caught.value).startswith("/")
    source.close()


def test_an_unknown_pattern_is_refused_with_the_list() -> None:
    with pytest.raises(SourceError, match=r"no test pattern 'snow' \(choose from testsrc2, ") as caught:
        TestPatternSource("test:snow")
    assert caught.value.permanent


def test_a_password_is_not_in_the_sentence() -> None:
    with pytest.raises(SourceError) as caught:
        AvSource("http://somebody:geheim@127.0.0.1:9/clip.mp4?token=geheim").open()
    assert "geheim" not in str(caught.value)
