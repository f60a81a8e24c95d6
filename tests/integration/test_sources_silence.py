"""A camera that goes on sending, but no pictures that can be shown, is lost like one that says nothing."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeseg.errors import SourceError
from edgeseg.flv import FlvReader, file_header, make_tag, retime
from edgeseg.sources import _container
from edgeseg.sources._decode import ToFrame
from edgeseg.sources.av_input import AvSource
from edgeseg.types import AudioPacket, Frame, Tag, TagKind
from tests.clips import make_clip
from tests.equipment.http_feed import HttpFeed

_READ_TIMEOUT_S = 0.5
_EARLY_END_S = _READ_TIMEOUT_S + 3
Wait = Callable[[float], None]


@pytest.fixture(scope="module")
def tags(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Tag]]:
    """A second of H.264 with sound, and one of Sorenson H.263."""
    folder = tmp_path_factory.mktemp("clips")
    clips = {
        "usual": make_clip(folder / "usual.flv", sound=True),
        "other": make_clip(folder / "other.flv", video="-c:v flv"),
    }
    found = {}
    for name, path in clips.items():
        with path.open("rb") as file:
            found[name] = list(FlvReader(file))
    return found


def _endless(tags: list[Tag], wait: Wait, first_ms: int = 1000) -> Iterator[bytes]:
    """The tags again and again, in time."""
    for turn in range(20):
        for before, tag in zip([tags[0], *tags], tags, strict=False):
            wait(max(0, tag.timestamp_ms - before.timestamp_ms) / 1000)
            yield retime(tag, first_ms + turn * 1000 + tag.timestamp_ms).wire


def _source(url: str) -> AvSource:
    # A long wait for streams that do not come is FFmpeg's, and not what is tested.
    options = {"analyzeduration": "200000", "fpsprobesize": "0"}
    return AvSource(url, open_timeout_s=3, read_timeout_s=_READ_TIMEOUT_S, options=options)


def _read_until_lost(source: AvSource) -> tuple[list[Frame | AudioPacket], SourceError, float]:
    """What came, what it ended with, and how long that took after the last picture."""
    source.open()
    got: list[Frame | AudioPacket] = []
    last = time.monotonic()
    try:
        while (item := source.read()) is not None:
            got.append(item)
            last = time.monotonic() if isinstance(item, Frame) else last
    except SourceError as exc:
        return got, exc, time.monotonic() - last
    finally:
        source.close()
    raise AssertionError("the camera came to an end")


@pytest.mark.parametrize("with_sound", [False, True], ids=["pictures alone", "with sound"])
def test_another_codec_on_the_same_connection(tags: dict[str, list[Tag]], with_sound: bool) -> None:
    """FFmpeg makes a stream of it that nobody asked for; sound that goes on is no sign of life."""
    usual = [tag for tag in tags["usual"] if with_sound or tag.kind is not TagKind.AUDIO]
    sounds = [tag for tag in usual if tag.kind is TagKind.AUDIO and not tag.config]
    others = [tag for tag in tags["other"] if tag.kind is TagKind.VIDEO]
    after = sorted([*sounds, *others], key=lambda tag: tag.timestamp_ms)

    def answer(number: int, wait: Wait) -> Iterator[bytes]:
        yield file_header(has_audio=with_sound)
        yield from (tag.wire for tag in usual)
        yield from _endless(after, wait)

    with HttpFeed(answer) as feed:
        got, lost, took_s = _read_until_lost(_source(feed.url))
    assert "has sent no picture for 1 s, though other things came" in str(lost)
    assert not lost.permanent
    assert _READ_TIMEOUT_S <= took_s <= _EARLY_END_S
    assert sum(isinstance(item, Frame) for item in got) >= 20
    assert with_sound == any(isinstance(item, AudioPacket) for item in got[-10:])


def test_pictures_that_cannot_be_decoded(tags: dict[str, list[Tag]]) -> None:
    usual = [tag for tag in tags["usual"] if tag.kind is not TagKind.AUDIO]
    body = b"\x27\x01\x00\x00\x00" + b"\x00\x00\x00\x10" + b"\xff" * 16
    noise = [make_tag(TagKind.VIDEO, 40 * n, body) for n in range(25)]

    def answer(number: int, wait: Wait) -> Iterator[bytes]:
        yield file_header(has_audio=False)
        yield from (tag.wire for tag in usual)
        yield from _endless(noise, wait)

    with HttpFeed(answer) as feed:
        _, lost, took_s = _read_until_lost(_source(feed.url))
    assert "has sent no picture for 1 s" in str(lost)
    assert took_s <= _EARLY_END_S


def test_nothing_at_all(tags: dict[str, list[Tag]]) -> None:
    """FFmpeg notices that itself, and says it in other words."""

    def answer(number: int, wait: Wait) -> Iterator[bytes]:
        yield file_header(has_audio=True)
        yield from (tag.wire for tag in tags["usual"])

    with HttpFeed(answer, holds=True) as feed:
        _, lost, took_s = _read_until_lost(_source(feed.url))
    assert "no answer in time" in str(lost)
    assert took_s <= _EARLY_END_S


def test_a_slow_reader_is_no_silent_camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is played at its own pace is read seldom: only waiting inside a read counts."""
    clip = make_clip(tmp_path / "clip.mp4", sound=True)
    source = AvSource(str(clip), read_timeout_s=_READ_TIMEOUT_S)
    source.open()
    now = time.monotonic()
    for turn in range(20):
        monkeypatch.setattr(time, "monotonic", lambda turn=turn: now + 3600 * turn)
        assert source.read() is not None
    source.close()


def test_another_layout_of_the_same_colours_goes_on(tmp_path: Path) -> None:
    """4:2:0, then 4:2:2, then 10 bits: all are shown as 4:2:0."""
    joined = _joined(tmp_path, ["yuv420p", "yuv422p", "yuv420p10le"])
    source = AvSource(str(joined), input_format="h264")
    said = source.open()
    frames = [item for item in iter(source.read, None) if isinstance(item, Frame)]
    source.close()
    assert len(frames) == 30
    assert {frame.colour for frame in frames} == {said.colour}
    assert {(frame.y.shape, frame.u.shape, frame.y.dtype.name) for frame in frames} == {((48, 64), (24, 32), "uint8")}
    # Ten bits of the same picture have the same brightness.
    assert abs(float(frames[4].y.mean()) - float(frames[24].y.mean())) < 3


def test_another_range_ends_it_with_a_sentence(tmp_path: Path) -> None:
    """Viewers were told once how to read the planes: the source is opened again, and they are told anew."""
    joined = _joined(tmp_path, ["yuv420p", "yuvj420p"])
    source = AvSource(str(joined), input_format="h264")
    source.open()
    said = r"changed its colours from smpte170m, limited range to smpte170m, full range"
    with pytest.raises(SourceError, match=said) as caught:
        list(iter(source.read, None))
    source.close()
    # A file is the same the next time.
    assert caught.value.permanent


@pytest.mark.parametrize("loop", [False, True], ids=["once", "looped"])
def test_a_file_that_changes_its_size_is_not_tried_again(loop: bool, tmp_path: Path) -> None:
    sizes = ["64x48", "96x64"]
    parts = [make_clip(tmp_path / f"{size}.ts", size=size, seconds=0.4).read_bytes() for size in sizes]
    clip = tmp_path / "clip.ts"
    clip.write_bytes(b"".join(parts))
    source = AvSource(str(clip), loop=loop)
    source.open()
    with pytest.raises(SourceError, match="changed its picture from 64x48 to 96x64") as caught:
        list(iter(source.read, None))
    source.close()
    assert caught.value.permanent


def test_a_camera_that_changes_its_size_is_tried_again(tmp_path: Path) -> None:
    sizes = ["64x48", "96x64"]
    parts = [make_clip(tmp_path / f"{size}.ts", size=size, seconds=0.4).read_bytes() for size in sizes]

    def answer(number: int, wait: Wait) -> Iterator[bytes]:
        yield from parts

    with HttpFeed(answer) as feed:
        _, lost, _ = _read_until_lost(_source(feed.url))
    assert "changed its picture from 64x48 to 96x64" in str(lost)
    assert not lost.permanent


def test_other_primaries_and_another_transfer_end_nothing(tmp_path: Path) -> None:
    """They change nothing in the planes; viewers keep what they were told first."""
    parts = []
    for primaries, transfer in (("bt709", "bt709"), ("smpte170m", "smpte170m")):
        tags = f"colorprim={primaries}:transfer={transfer}:colormatrix=bt709"
        video = f"-c:v libx264 -preset ultrafast -g 5 -pix_fmt yuv420p -x264-params {tags}"
        parts.append(make_clip(tmp_path / f"{primaries}.ts", seconds=0.4, video=video).read_bytes())
    clip = tmp_path / "clip.ts"
    clip.write_bytes(b"".join(parts))
    source = AvSource(str(clip))
    said = source.open()
    frames = [item for item in iter(source.read, None) if isinstance(item, Frame)]
    source.close()
    assert len(frames) == 20
    assert said.colour.primaries == 1
    assert {frame.colour for frame in frames} == {said.colour}


def _with_silent_track(folder: Path) -> Path:
    """Two seconds of pictures beside AAC that is announced in the tables of the TS, and never comes."""
    wire = make_clip(folder / "sound.ts", seconds=2, sound=True).read_bytes()
    packets = [wire[at : at + 188] for at in range(0, len(wire), 188)]
    clip = folder / "silent.ts"
    clip.write_bytes(b"".join(packet for packet in packets if packet[1] & 31 != 1 or packet[2] != 1))
    return clip


def test_a_track_that_is_announced_and_silent_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clip = str(_with_silent_track(tmp_path))
    pictures = []
    to_frame = ToFrame.__call__
    monkeypatch.setattr(ToFrame, "__call__", lambda *args: pictures.append(1) or to_frame(*args))
    source = AvSource(clip)
    assert source.open().audio is None
    # The first one, and those that were looked through.
    assert len(pictures) == 9
    assert [record.getMessage() for record in caplog.records] == [
        f"{clip}: the sound is left out: it is announced, but none has come"
    ]
    assert sum(isinstance(item, Frame) for item in iter(source.read, None)) == 50
    source.close()


def test_a_slow_camera_does_not_wait_for_a_silent_track(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second is over for it with the first picture."""
    clip = _with_silent_track(tmp_path)
    pictures = []
    to_frame = ToFrame.__call__
    monkeypatch.setattr(ToFrame, "__call__", lambda *args: pictures.append(1) or to_frame(*args))
    monkeypatch.setattr(_container, "_AHEAD_S", 0.0)
    source = AvSource(str(clip))
    assert source.open().audio is None
    source.close()
    assert len(pictures) == 1


def test_our_own_mistakes_are_not_taken_for_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = make_clip(tmp_path / "clip.mp4")
    source = AvSource(str(clip))
    source.open()

    def broken(*_: object) -> Frame:
        raise IndexError("ours")

    monkeypatch.setattr(ToFrame, "__call__", broken)
    with pytest.raises(IndexError, match="ours"):
        list(iter(source.read, None))
    source.close()


def test_a_stream_that_came_later_ends_like_any_other(tags: dict[str, list[Tag]], tmp_path: Path) -> None:
    """PyAV trips over it at the end of the file."""
    usual = [tag for tag in tags["usual"] if tag.kind is not TagKind.AUDIO]
    others = [retime(tag, 1000 + tag.timestamp_ms) for tag in tags["other"] if tag.kind is TagKind.VIDEO]
    clip = tmp_path / "clip.flv"
    clip.write_bytes(file_header(has_audio=False) + b"".join(tag.wire for tag in [*usual, *others]))
    source = AvSource(str(clip), options={"analyzeduration": "200000", "fpsprobesize": "0"})
    source.open()
    assert sum(isinstance(item, Frame) for item in iter(source.read, None)) >= 20
    source.close()


def test_before_the_first_picture_a_keyframe_is_waited_for(
    tags: dict[str, list[Tag]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_container, "_FIRST_PICTURE_S", 1.0)
    usual = tags["usual"]
    heads = [tag for tag in usual if tag.config]
    sounds = [tag for tag in usual if tag.kind is TagKind.AUDIO and not tag.config]

    def answer(number: int, wait: Wait) -> Iterator[bytes]:
        yield file_header(has_audio=True)
        yield from (tag.wire for tag in heads)
        yield from _endless(sounds, wait, first_ms=0)

    options = {"analyzeduration": "200000", "fpsprobesize": "0"}
    with HttpFeed(answer) as feed:
        source = AvSource(feed.url, open_timeout_s=1.5, read_timeout_s=_READ_TIMEOUT_S, options=options)
        with pytest.raises(SourceError) as caught:
            source.open()
        source.close()
    assert "has sent no picture for 1.5 s, though other things came" in caught.value.message
    assert caught.value.hint == "pictures begin with a keyframe; if it comes later, raise open_timeout_s above 1.5"


def test_another_error_says_what_it_is_however_long_it_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = AvSource(str(make_clip(tmp_path / "clip.mp4")), read_timeout_s=_READ_TIMEOUT_S)
    source.open()
    now = time.monotonic()

    def reset(*_: object) -> Frame:
        monkeypatch.setattr(time, "monotonic", lambda: now + 60)
        raise ConnectionResetError(errno.ECONNRESET, "reset")

    monkeypatch.setattr(ToFrame, "__call__", reset)
    with pytest.raises(SourceError, match="the other side closed the connection"):
        list(iter(source.read, None))
    monkeypatch.undo()
    source.close()


def _joined(folder: Path, formats: list[str]) -> Path:
    """Bare H.264, ten pictures in each format, one after the other."""
    parts = []
    for pix_fmt in formats:
        video = f"-c:v libx264 -preset ultrafast -g 5 -pix_fmt {pix_fmt}"
        parts.append(make_clip(folder / f"{pix_fmt}.h264", seconds=0.4, video=video).read_bytes())
    joined = folder / "joined.h264"
    joined.write_bytes(b"".join(parts))
    return joined
