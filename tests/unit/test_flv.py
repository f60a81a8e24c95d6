"""FLV tags: read, marked, moved in time."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.errors import EncoderError
from edgeseg.flv import WRAP_MS, FlvReader, file_header, make_tag, payload, retime
from edgeseg.retiming import Rebase, ViewerTimeline
from edgeseg.types import Tag, TagKind
from tests.fakes_output import audio_config, group, make_flv, metadata, picture, read_tags, sound, video_config


def read(wire: bytes, **options: int) -> list[Tag]:
    return list(FlvReader(io.BytesIO(wire), **options))


class Dribble(io.RawIOBase):
    """A pipe that gives at most ``size`` bytes at a time."""

    def __init__(self, wire: bytes, size: int) -> None:
        self._wire, self._size = io.BytesIO(wire), size

    def read(self, size: int = -1) -> bytes:
        return self._wire.read(min(size, self._size))


TAGS = [metadata(), video_config(), audio_config(), *group(0), sound(7), sound(30)]
WIRE = file_header(has_audio=True) + b"".join(tag.wire for tag in TAGS)


def test_what_is_written_is_read() -> None:
    assert read(WIRE) == TAGS


@pytest.mark.parametrize("size", [1, 3, 64])
def test_a_pipe_that_gives_less_than_asked_for(size: int) -> None:
    assert list(FlvReader(Dribble(WIRE, size))) == TAGS  # type: ignore[arg-type]


def test_any_cut_ends_cleanly_with_the_whole_tags_before_it() -> None:
    for cut in range(len(WIRE)):
        tags = read(WIRE[:cut])
        assert tags == TAGS[: len(tags)]
        assert 13 + sum(len(tag.wire) for tag in tags) <= max(cut, 13)


@pytest.mark.parametrize(
    ("kind", "body", "keyframe", "config"),
    [
        (TagKind.VIDEO, b"\x17\x00", False, True),  # AVC sequence header
        (TagKind.VIDEO, b"\x17\x01", True, False),
        (TagKind.VIDEO, b"\x27\x01", False, False),
        (TagKind.VIDEO, b"\x12\x00", True, False),  # Sorenson H.263 has no configuration
        (TagKind.VIDEO, b"\x22\x00", False, False),
        (TagKind.VIDEO, b"\x90hvc1", False, True),  # enhanced RTMP, HEVC
        (TagKind.VIDEO, b"\x91hvc1", True, False),
        (TagKind.VIDEO, b"\xa3hvc1", False, False),
        (TagKind.AUDIO, b"\xaf\x00", False, True),
        (TagKind.AUDIO, b"\xaf\x01", False, False),
        (TagKind.AUDIO, b"\x2f\x00", False, False),  # MP3 has no configuration
        (TagKind.AUDIO, b"\x90Opus", False, True),
        (TagKind.AUDIO, b"\x91Opus", False, False),
        (TagKind.VIDEO, b"", False, False),
        (TagKind.SCRIPT, b"\x02\x00", False, False),
    ],
)
def test_flags(kind: TagKind, body: bytes, keyframe: bool, config: bool) -> None:
    (tag,) = read(file_header(has_audio=True) + make_tag(kind, 5, body).wire)
    assert (tag.keyframe, tag.config) == (keyframe, config)


def test_the_end_of_a_sequence_is_not_a_picture() -> None:
    marker = make_tag(TagKind.VIDEO, 9, b"\x17\x02\x00\x00\x00")
    assert read(file_header(has_audio=False) + marker.wire + picture(9).wire) == [picture(9)]


@pytest.mark.parametrize(
    "wire",
    [
        b"RIFF1234AVI LIST1234",
        b"FLV\x01\x05\x00\x00\x00\x01" + bytes(20),
        file_header(has_audio=True) + b"\x07" + bytes(30),
        file_header(has_audio=True) + picture(0).wire[:-1] + b"\xff",
    ],
)
def test_garbage_is_an_encoder_error(wire: bytes) -> None:
    with pytest.raises(EncoderError, match="not FLV"):
        read(wire)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.booleans(), st.integers(0, len(WIRE)))
def test_nothing_but_encoder_error_comes_of_noise(noise: bytes, with_header: bool, at: int) -> None:
    wire = (WIRE[:at] + noise + WIRE[at:]) if with_header else noise
    try:
        for tag in read(wire):
            assert 15 <= len(tag.wire) <= len(wire)
    except EncoderError:
        pass


@given(st.integers(0, 1 << 40))
def test_retime_moves_only_the_time(ms: int) -> None:
    tag = picture(40, key=True)
    moved = retime(tag, ms)
    assert (moved.timestamp_ms, moved.keyframe, payload(moved)) == (ms, True, payload(tag))
    (again,) = read(file_header(has_audio=False) + moved.wire, near_ms=ms)
    assert again == moved


def test_time_goes_on_where_the_wire_starts_over() -> None:
    times = [WRAP_MS - 40, WRAP_MS, WRAP_MS + 40, WRAP_MS + 7]
    wire = file_header(has_audio=False) + b"".join(picture(ms).wire for ms in times)
    assert [tag.timestamp_ms for tag in read(wire, near_ms=WRAP_MS - 80)] == times


def test_a_session_starts_at_zero() -> None:
    rebase = Rebase()
    tags = [picture(90_000, key=True), sound(89_990), sound(90_013), picture(90_040)]
    assert [rebase.next(tag).timestamp_ms for tag in tags] == [0, 0, 13, 40]


def test_a_viewer_gets_the_cached_group_in_a_burst_and_stays_at_the_live_edge() -> None:
    cached = [*group(50_000, 4), sound(50_020), sound(50_130)]
    timeline = ViewerTimeline()
    burst = timeline.start(cached)
    assert [(tag.timestamp_ms, tag.keyframe) for tag in burst] == [(0, True), (1, False), (2, False), (3, False)]
    live = [timeline.next(tag) for tag in (sound(50_110), picture(50_160), sound(50_165), picture(50_200))]
    assert [tag.timestamp_ms for tag in live] == [3, 43, 48, 83]
    assert live[1].wire == retime(picture(50_160), 43).wire


def test_a_viewer_of_a_stream_without_cache_starts_at_zero() -> None:
    timeline = ViewerTimeline()
    assert timeline.start([]) == []
    assert [timeline.next(tag).timestamp_ms for tag in (picture(700, key=True), sound(690), picture(740))] == [0, 0, 40]


def test_a_real_encoder(tmp_path) -> None:  # type: ignore[no-untyped-def]
    tags = read_tags(make_flv(tmp_path / "clip.flv", seconds=1))
    videos = [tag for tag in tags if tag.kind is TagKind.VIDEO and not tag.config]
    assert [tag.config for tag in tags[:3]] == [False, True, True]
    assert [tag.keyframe for tag in videos] == [i % 15 == 0 for i in range(30)]
    times = [tag.timestamp_ms for tag in videos]
    assert all(abs(ms - times[0] - i * 1000 / 30) <= 1 for i, ms in enumerate(times))
