"""The encoder's input: FFmpeg's own reader is the judge of every byte."""

from __future__ import annotations

import io
import subprocess
from fractions import Fraction

import av
import imageio_ffmpeg
import numpy as np
import pytest

from edgeseg.encoding.matroska import AUDIO_TRACK, VIDEO_TRACK, RawFormat, block_head, can_carry, header
from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.frames import Canvas, copy
from edgeseg.types import AudioFormat, Colour, Matrix
from tests.fakes_source import picture

TIMES = [0, 1, 40, 33_000, 33_001, 86_400_000, 2**31 + 5]
TONES = {
    "aac": ("aac", "flv"),
    "mp3": ("libmp3lame", "mp3"),
    "mp2": ("mp2", "mp2"),
    "ac3": ("ac3", "ac3"),
    "opus": ("libopus", "ogg"),
    "vorbis": ("libvorbis", "ogg"),
    "flac": ("flac", "flac"),
    "pcm_s16le": ("pcm_s16le", "wav"),
    "pcm_alaw": ("pcm_alaw", "wav"),
    "pcm_mulaw": ("pcm_mulaw", "wav"),
}


def planes(number: int, width: int, height: int) -> bytes:
    canvas = Canvas(width, height, Colour())
    copy(picture(number, (width, height)), canvas.frame)
    return canvas.buffer.tobytes()


def written(raw: RawFormat, times: list[int]) -> bytes:
    size = raw.width * raw.height * 3 // 2
    blocks = [
        block_head(VIDEO_TRACK, ms, size) + planes(number, raw.width, raw.height) for number, ms in enumerate(times)
    ]
    return header(raw) + b"".join(blocks)


def test_pictures_and_times_come_back() -> None:
    stream = written(RawFormat(64, 48, Fraction(25), Colour()), TIMES)
    with av.open(io.BytesIO(stream), format="matroska") as container:
        track = container.streams.video[0]
        assert (track.codec_context.name, track.codec_context.width, track.codec_context.height) == ("rawvideo", 64, 48)
        packets = [packet for packet in container.demux(track) if packet.size]
    assert [round(packet.pts * packet.time_base * 1000) for packet in packets] == TIMES
    assert [bytes(packet) for packet in packets] == [planes(number, 64, 48) for number in range(len(TIMES))]


@pytest.mark.parametrize("size", [(2, 2), (34, 18), (130, 98), (1920, 1080)], ids=str)
def test_any_even_size_decodes_to_the_same_planes(size: tuple[int, int]) -> None:
    with av.open(io.BytesIO(written(RawFormat(*size, Fraction(25), Colour()), [0]))) as container:
        frame = next(container.decode(video=0))
    assert frame.format.name == "yuv420p"
    assert frame.to_ndarray().tobytes() == planes(0, *size)


@pytest.mark.parametrize("matrix", Matrix)
@pytest.mark.parametrize("full", [False, True])
def test_colour_tags_are_read(matrix: Matrix, full: bool) -> None:
    colour = Colour(matrix, full, primaries=5, transfer=13)
    with av.open(io.BytesIO(written(RawFormat(16, 16, Fraction(25), colour), [0]))) as container:
        context = container.streams.video[0].codec_context
        assert int(context.colorspace) == {Matrix.BT709: 1, Matrix.BT601: 6}[matrix]
        assert int(context.color_range) == (2 if full else 1)
        assert (int(context.color_primaries), int(context.color_trc)) == (5, 13)


@pytest.mark.parametrize("ratio", [Fraction(1), Fraction(16, 15), Fraction(64, 45), Fraction(8, 9), Fraction(40, 33)])
def test_the_shape_of_pixels_is_exact(ratio: Fraction) -> None:
    raw = RawFormat(722, 576, Fraction(25), Colour(), ratio)
    with av.open(io.BytesIO(written(raw, [0]))) as container:
        assert container.streams.video[0].sample_aspect_ratio == ratio


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30_000, 1001), Fraction(1, 3)])
def test_the_nominal_rate_is_a_hint(fps: Fraction) -> None:
    with av.open(io.BytesIO(written(RawFormat(16, 16, fps, Colour()), [0, 7]))) as container:
        assert float(container.streams.video[0].average_rate) == pytest.approx(float(fps), rel=1e-4)


def tone(codec: str) -> tuple[AudioFormat, list[tuple[int, bytes]]]:
    """A second of a tone as packets with their times, made and packed by ffmpeg."""
    encoder, container_format = TONES[codec]
    rate = "8000" if codec in ("pcm_alaw", "pcm_mulaw") else "48000"
    made = subprocess.run(
        [
            find_ffmpeg(),
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            f"sine=440:r={rate}:d=0.4",
            "-ac",
            "2",
            "-c:a",
            encoder,
            "-f",
            container_format,
            "pipe:1",
        ],
        check=True,
        capture_output=True,
    ).stdout
    with av.open(io.BytesIO(made)) as opened:
        track = opened.streams.audio[0]
        packets = [packet for packet in opened.demux(track) if packet.size]
        context = track.codec_context
        format_ = AudioFormat(codec, context.sample_rate, context.channels, bytes(context.extradata or b""))
    return format_, [(max(0, round(packet.pts * packet.time_base * 1000)), bytes(packet)) for packet in packets]


@pytest.mark.parametrize("codec", TONES)
def test_sound_comes_back_bit_for_bit_and_decodes(codec: str) -> None:
    assert can_carry(codec)
    format_, sent = tone(codec)
    raw = RawFormat(16, 16, Fraction(25), Colour(), audio=format_)
    stream = header(raw) + block_head(VIDEO_TRACK, 0, 384) + planes(0, 16, 16)
    for ms, payload in sent:
        stream += block_head(AUDIO_TRACK, ms, len(payload)) + payload
    with av.open(io.BytesIO(stream)) as container:
        track = container.streams.audio[0]
        context = track.codec_context
        assert context.name.removesuffix("float") == codec
        assert (context.sample_rate, context.channels) == (format_.sample_rate, format_.channels)
        got = [packet for packet in container.demux(track) if packet.size]
        assert b"".join(bytes(packet) for packet in got) == b"".join(payload for _, payload in sent)
        assert round(got[0].pts * got[0].time_base * 1000) == sent[0][0]
    with av.open(io.BytesIO(stream)) as container:
        sound = np.concatenate([frame.to_ndarray().ravel() for frame in container.decode(audio=0)]).astype(float)
        assert np.abs(sound).max() > 0
        assert len(sound) / format_.channels / format_.sample_rate == pytest.approx(0.4, abs=0.1)


def test_what_matroska_has_no_name_for_is_refused_beforehand() -> None:
    assert not can_carry("adpcm_g726")
    assert not can_carry("")


@pytest.mark.parametrize("find", [find_ffmpeg, imageio_ffmpeg.get_ffmpeg_exe], ids=["system", "bundled"])
def test_both_ffmpegs_read_it_from_a_pipe(find) -> None:
    stream = written(RawFormat(34, 18, Fraction(25), Colour()), TIMES[:4])
    command = [find(), "-v", "error", "-f", "matroska", "-probesize", "32", "-analyzeduration", "0", "-i", "pipe:0"]
    done = subprocess.run(
        [*command, "-f", "framemd5", "-fps_mode", "passthrough", "-"], input=stream, capture_output=True
    )
    assert done.stderr == b""
    lines = [line.split(b",") for line in done.stdout.splitlines() if not line.startswith(b"#")]
    assert [int(line[2]) for line in lines] == [0, 1, 40, 33_000] or len(lines) == 4
    assert [int(line[4]) for line in lines] == [34 * 18 * 3 // 2] * 4
