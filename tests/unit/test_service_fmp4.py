"""FLV tags to fragmented MP4, judged by FFmpeg's own reader."""

from __future__ import annotations

import io
import subprocess
from fractions import Fraction
from itertools import pairwise

import av
import pytest

from edgeseg.encoding.hub import Hub
from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.flv import FlvReader, make_tag
from edgeseg.service.fmp4 import Fmp4Muxer, UnplayableError
from edgeseg.types import StreamHeader, Tag, TagKind


@pytest.fixture(scope="module")
def encoded() -> tuple[StreamHeader, list[Tag]]:
    """One second of picture and sound, with pictures that are shown in another order than they are decoded."""
    pictures = "-f lavfi -i testsrc2=s=322x182:r=25 -f lavfi -i sine=r=44100 -t 1 -c:v libx264 -bf 2 -pix_fmt yuv420p"
    sound = "-c:a aac -ac 2 -flags +global_header -f flv pipe:1"
    command = [find_ffmpeg(), "-loglevel", "error", *pictures.split(), *sound.split()]
    flv = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout
    tags = list(FlvReader(io.BytesIO(flv)))
    hub = Hub(expects_audio=True)
    for tag in tags:
        hub.tag(tag)
    assert hub.header
    return hub.header, [tag for tag in tags if not tag.config and tag.kind is not TagKind.SCRIPT]


def mux(header: StreamHeader, tags: list[Tag], *, sound: bool = True) -> tuple[Fmp4Muxer, bytes]:
    muxer = Fmp4Muxer(header, sound=sound)
    return muxer, muxer.init + b"".join(muxer.mux(tag) for tag in tags)


def test_pictures_and_times_survive(encoded: tuple[StreamHeader, list[Tag]]) -> None:
    header, tags = encoded
    muxer, mp4 = mux(header, tags)
    assert muxer.mime.startswith('video/mp4; codecs="avc1.')
    assert muxer.mime.endswith(',mp4a.40.2"')
    with av.open(io.BytesIO(mp4)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.width, video.height) == (322, 182)
        assert (audio.sample_rate, audio.channels) == (44100, 2)
        times = [float(frame.time) for frame in container.decode(video)]
    # All but the last in the order of decoding, which waits for its successor and is shown before another one.
    assert len(times) == 24
    steps = [round((later - earlier) * 1000) for earlier, later in pairwise(times)]
    assert steps[:-1] == [40] * 22


def test_sound_is_continuous_to_the_sample(encoded: tuple[StreamHeader, list[Tag]]) -> None:
    _, mp4 = mux(*encoded)
    with av.open(io.BytesIO(mp4)) as container:
        packets = [packet for packet in container.demux(container.streams.audio[0]) if packet.size]
        starts = [(packet.pts or 0) * Fraction(packet.time_base) for packet in packets]
    assert len(starts) > 40
    assert {later - earlier for earlier, later in pairwise(starts)} == {Fraction(1024, 44100)}


def test_without_sound_there_is_only_the_picture(encoded: tuple[StreamHeader, list[Tag]]) -> None:
    muxer, mp4 = mux(*encoded, sound=False)
    assert "mp4a" not in muxer.mime
    with av.open(io.BytesIO(mp4)) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_each_picture_is_a_fragment_that_is_ready_when_the_next_one_comes(
    encoded: tuple[StreamHeader, list[Tag]],
) -> None:
    header, tags = encoded
    muxer = Fmp4Muxer(header)
    first, second = [tag for tag in tags if tag.kind is TagKind.VIDEO][:2]
    assert muxer.mux(first) == b""
    assert muxer.mux(second).count(b"moof") == 1


def test_another_codec_is_refused_in_words() -> None:
    hevc = make_tag(TagKind.VIDEO, 0, b"\x90hvc1" + bytes(30))
    header = StreamHeader(1, b"", (hevc,), has_audio=False)
    with pytest.raises(UnplayableError, match=r"H\.264"):
        Fmp4Muxer(header)
