"""Writes raw pictures and untouched audio packets as live Matroska, the encoder's input.

Raw video in a bare pipe has neither timestamps nor colour tags. Matroska has both, and a block is a short head followed
by the bytes of the picture, so a frame goes from the compositor's buffer to the pipe without another copy
(0.7 ms of CPU per 720p frame; 1.5 ms through a muxer that wants to own the bytes: docs/decisions/0002).
Element numbers are those of RFC 9559.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction

from edgeseg.types import AudioFormat, Colour, Matrix

VIDEO_TRACK, AUDIO_TRACK = 1, 2
_UNKNOWN_SIZE = b"\x01" + b"\xff" * 7
_NS_PER_MS = 1_000_000
# A size of seven bytes behind one that says so.
_EIGHT_BYTES = 1 << 56
_CLUSTER, _TIMESTAMP, _SIMPLE_BLOCK = 0x1F43B675, 0xE7, 0xA3
# A cluster's id and size; its time, a number of eight bytes; a block's id and size, its track, its time within the
# cluster, and that it is a keyframe. All of fixed length, so that it is one call for each picture.
_BLOCK_HEAD = struct.Struct(">IQ BBQ BQ BhB")
_CLUSTER_BYTES = 4 + 8
_MATRIX_CODE = {Matrix.BT709: 1, Matrix.BT601: 6}
_WAVE_TAGS = {"pcm_alaw": 0x0006, "pcm_mulaw": 0x0007}
_AUDIO_IDS = {
    "aac": b"A_AAC",
    "mp3": b"A_MPEG/L3",
    "mp2": b"A_MPEG/L2",
    "ac3": b"A_AC3",
    "opus": b"A_OPUS",
    "vorbis": b"A_VORBIS",
    "flac": b"A_FLAC",
    "pcm_s16le": b"A_PCM/INT/LIT",
    "pcm_alaw": b"A_MS/ACM",
    "pcm_mulaw": b"A_MS/ACM",
}


@dataclass(frozen=True, slots=True)
class RawFormat:
    """What the encoder is fed with. Width and height are even; ``fps`` is nominal, the timestamps decide."""

    width: int
    height: int
    fps: Fraction
    colour: Colour
    sample_aspect_ratio: Fraction = Fraction(1)
    audio: AudioFormat | None = None


def can_carry(codec: str) -> bool:
    """Whether audio of this codec (FFmpeg's name) can be handed to the encoder."""
    return codec in _AUDIO_IDS


def header(raw: RawFormat) -> bytes:
    """Everything before the first block: EBML head, an endless segment, one or two tracks."""
    ebml = _element(
        0x1A45DFA3,
        _uint(0x4286, 1)
        + _uint(0x42F7, 1)
        + _uint(0x42F2, 4)
        + _uint(0x42F3, 8)
        + _element(0x4282, b"matroska")
        + _uint(0x4287, 4)
        + _uint(0x4285, 2),
    )
    info = _element(
        0x1549A966, _uint(0x2AD7B1, _NS_PER_MS) + _element(0x4D80, b"edgeseg") + _element(0x5741, b"edgeseg")
    )
    tracks = _video_track(raw) + (_audio_track(raw.audio) if raw.audio else b"")
    return ebml + _id(0x18538067) + _UNKNOWN_SIZE + info + _element(0x1654AE6B, tracks)


def block_head(track: int, timestamp_ms: int, payload_size: int) -> bytes:
    """The bytes before a payload of ``payload_size``: a cluster of its own with one key block."""
    return _BLOCK_HEAD.pack(
        *(_CLUSTER, _EIGHT_BYTES | payload_size + _BLOCK_HEAD.size - _CLUSTER_BYTES),
        *(_TIMESTAMP, 0x80 | 8, timestamp_ms),
        *(_SIMPLE_BLOCK, _EIGHT_BYTES | payload_size + 4, 0x80 | track, 0, 0x80),
    )


def _video_track(raw: RawFormat) -> bytes:
    colour = (
        _uint(0x55B1, _MATRIX_CODE[raw.colour.matrix])
        + _uint(0x55B9, 2 if raw.colour.full_range else 1)
        + _uint(0x55BA, raw.colour.transfer)
        + _uint(0x55BB, raw.colour.primaries)
    )
    display = b""
    if raw.sample_aspect_ratio != 1:
        # Only the proportion counts, and multiplied out it is exact.
        shape = raw.sample_aspect_ratio
        display = _uint(0x54B0, raw.width * shape.numerator) + _uint(0x54BA, raw.height * shape.denominator)
    video = (
        _uint(0x9A, 2)
        + _uint(0xB0, raw.width)
        + _uint(0xBA, raw.height)
        + display
        + _element(0x2EB524, b"I420")
        + _element(0x55B0, colour)
    )
    return _track(
        VIDEO_TRACK, 1, b"V_UNCOMPRESSED", _uint(0x23E383, round(1_000_000_000 / raw.fps)) + _element(0xE0, video)
    )


def _audio_track(audio: AudioFormat) -> bytes:
    private = audio.extradata
    if audio.codec in _WAVE_TAGS:
        rate, channels = audio.sample_rate, audio.channels
        private = struct.pack("<HHIIHHH", _WAVE_TAGS[audio.codec], channels, rate, rate * channels, channels, 8, 0)
    settings = _element(0xB5, struct.pack(">d", audio.sample_rate)) + _uint(0x9F, audio.channels)
    if audio.codec == "pcm_s16le":
        settings += _uint(0x6264, 16)
    body = (_element(0x63A2, private) if private else b"") + _element(0xE1, settings)
    return _track(AUDIO_TRACK, 2, _AUDIO_IDS[audio.codec], body)


def _track(number: int, kind: int, codec: bytes, rest: bytes) -> bytes:
    head = _uint(0xD7, number) + _uint(0x73C5, number) + _uint(0x83, kind) + _uint(0x9C, 0) + _element(0x86, codec)
    return _element(0xAE, head + rest)


def _id(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _size(size: int) -> bytes:
    return (size | 1 << 56).to_bytes(8, "big")


def _element(number: int, payload: bytes) -> bytes:
    return _id(number) + _size(len(payload)) + payload


def _uint(number: int, value: int) -> bytes:
    return _element(number, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))
