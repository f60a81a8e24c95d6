"""AAC with a head on each packet: taken off, and its configuration told at the beginning."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeseg.sources import _adts
from edgeseg.sources.av_input import AvSource
from edgeseg.types import AudioPacket
from tests.clips import make_clip


def packets(path: Path) -> tuple[list[bytes], bytes]:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        found = [bytes(packet) for packet in container.demux(stream) if packet.size]
        return found, bytes(stream.codec_context.extradata or b"")


@pytest.mark.parametrize("sound_first", [True, False], ids=["sound first", "pictures first"])
def test_a_transport_stream_sounds_like_the_file_it_was_made_of(tmp_path: Path, sound_first: bool) -> None:
    """The same packets and the same configuration as in MP4, where there are no heads."""
    clip = make_clip(tmp_path / "clip.mp4", sound=True)
    wanted, config = packets(clip)
    ts = tmp_path / "clip.ts"
    _copy(clip, ts, delay_s=0.0 if sound_first else 0.4)
    assert _adts.has_head(packets(ts)[0][0])
    source = AvSource(str(ts))
    said = source.open()
    got = [item.payload for item in iter(source.read, None) if isinstance(item, AudioPacket)]
    source.close()
    assert said.audio is not None
    assert (said.audio.codec, said.audio.sample_rate, said.audio.extradata) == ("aac", 48_000, config[:2])
    assert got == wanted


def _copy(clip: Path, ts: Path, delay_s: float) -> None:
    with av.open(str(clip)) as source, av.open(str(ts), "w") as target:
        streams = {s.index: target.add_stream_from_template(s) for s in (*source.streams.video, *source.streams.audio)}
        for packet in source.demux():
            if packet.dts is None:
                continue
            shift = round(delay_s / packet.time_base) if packet.stream.type == "audio" else 0
            packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
            packet.stream = streams[packet.stream.index]
            target.mux(packet)


@pytest.mark.parametrize(("rate", "channels"), [(48_000, 2), (44_100, 1), (8_000, 1), (96_000, 6)])
def test_a_head_stands_for_the_configuration_of_rate_and_channels(rate: int, channels: int) -> None:
    index = _adts._RATES.index(rate)
    length = 7 + 50
    head = bytes(
        (
            *(0xFF, 0xF1, 1 << 6 | index << 2 | channels >> 2),
            *((channels & 3) << 6 | length >> 11, length >> 3 & 255, (length & 7) << 5 | 0x1F, 0xFC),
        )
    )
    assert _adts.config_from_head(head + bytes(50)) == _adts.config_of(rate, channels)
    assert _adts.without_head(head + bytes(50)) == bytes(50)


def test_what_is_no_usual_sound_has_no_configuration() -> None:
    assert _adts.config_of(12_345, 2) == b""
    assert _adts.config_of(48_000, 0) == b""


@given(st.binary(max_size=64))
def test_noise_is_left_as_it_is_unless_it_has_a_head(noise: bytes) -> None:
    bare = _adts.without_head(noise)
    assert noise.endswith(bare)
    assert (bare == noise) != _adts.has_head(noise)


def test_sound_that_ffmpeg_has_not_seen_says_its_rate_itself(tmp_path: Path) -> None:
    """No encoder starts without a rate."""
    clip = make_clip(tmp_path / "clip.ts", sound=True)
    source = AvSource(str(clip), options={"probesize": "2000"})
    said = source.open()
    source.close()
    assert said.audio is not None
    assert (said.audio.sample_rate, said.audio.channels) == (48_000, 1)


@pytest.mark.parametrize(("rate", "channels"), [(48_000, 2), (7350, 6), (96_000, 1)])
def test_rate_and_channels_come_back(rate: int, channels: int) -> None:
    assert _adts.rate_and_channels(_adts.config_of(rate, channels)) == (rate, channels)


@pytest.mark.parametrize("config", [b"", b"\x17\xff"], ids=["none", "neither"])
def test_a_configuration_that_does_not_say_them(config: bytes) -> None:
    assert _adts.rate_and_channels(config) == (0, 0)
