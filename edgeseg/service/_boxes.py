"""The boxes of a fragmented MP4 file (ISO/IEC 14496-12, -14, -15) that Media Source Extensions ask for."""

from __future__ import annotations

import struct
from dataclasses import dataclass

VIDEO_TRACK = 1
AUDIO_TRACK = 2
VIDEO_TIMESCALE = 1000  # FLV counts in milliseconds

_IDENTITY = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_SYNC, _DEPENDS = 0x02000000, 0x01010000  # sample flags: starts anew; builds on others


@dataclass(frozen=True, slots=True)
class Video:
    """An H.264 track: its AVCDecoderConfigurationRecord and the size of the picture."""

    avcc: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Audio:
    """An AAC track: its AudioSpecificConfig and what that says."""

    asc: bytes
    sample_rate: int
    channels: int


def init_segment(video: Video, audio: Audio | None) -> bytes:
    """``ftyp`` and ``moov``: what a player needs before the first fragment."""
    tracks = [_video_track(video)]
    extends = [_trex(VIDEO_TRACK)]
    if audio is not None:
        tracks.append(_audio_track(audio))
        extends.append(_trex(AUDIO_TRACK))
    mvhd = _full(
        "mvhd",
        struct.pack(">IIII", 0, 0, 1000, 0),
        struct.pack(">IHxx8x", 0x10000, 0x100),
        _IDENTITY,
        bytes(24),
        struct.pack(">I", 3),
    )
    return _box("ftyp", b"isom\0\0\2\0iso5iso6mp41avc1") + _box("moov", mvhd, *tracks, _box("mvex", *extends))


def fragment(
    number: int, track: int, decode_time: int, duration: int, payload: bytes, *, key: bool = True, offset: int = 0
) -> bytes:
    """``moof`` and ``mdat`` with one sample. Times in the track's scale; ``offset``: shown minus decoded."""
    tfhd = _full("tfhd", struct.pack(">I", track), flags=0x020000)  # default-base-is-moof
    tfdt = _full("tfdt", struct.pack(">Q", decode_time), version=1)
    sample = struct.pack(">IIIi", duration, len(payload), _SYNC if key else _DEPENDS, offset)
    # The offset of the media data from the start of moof: moof is 8 + mfhd 16 + traf 8 + … and ends before mdat's head.
    size = 8 + 16 + 8 + len(tfhd) + len(tfdt) + 20 + len(sample)
    trun = _full("trun", struct.pack(">II", 1, size + 8), sample, version=1, flags=0x000F01)
    moof = _box("moof", _full("mfhd", struct.pack(">I", number)), _box("traf", tfhd, tfdt, trun))
    return moof + struct.pack(">I", len(payload) + 8) + b"mdat" + payload


def _video_track(video: Video) -> bytes:
    size = struct.pack(">HH", video.width, video.height)
    entry = _box(
        "avc1",
        bytes(6),
        b"\0\1",
        bytes(16),
        size,
        struct.pack(">III", 0x480000, 0x480000, 0),
        b"\0\1",
        bytes(32),
        b"\0\x18\xff\xff",
        _box("avcC", video.avcc),
    )
    tkhd = _tkhd(VIDEO_TRACK, 0, video.width, video.height)
    return _track(tkhd, "vide", VIDEO_TIMESCALE, _full("vmhd", bytes(8), flags=1), entry)


def _audio_track(audio: Audio) -> bytes:
    decoder = _descriptor(4, b"\x40\x15" + bytes(11) + _descriptor(5, audio.asc))  # 0x40: MPEG-4 audio
    esds = _full("esds", _descriptor(3, b"\0\2\0" + decoder + _descriptor(6, b"\2")))
    rate = min(audio.sample_rate, 0xFFFF) << 16
    entry = _box("mp4a", bytes(6), b"\0\1", bytes(8), struct.pack(">HHII", audio.channels, 16, 0, rate), esds)
    return _track(_tkhd(AUDIO_TRACK, 0x100, 0, 0), "soun", audio.sample_rate, _full("smhd", bytes(4)), entry)


def _tkhd(track: int, volume: int, width: int, height: int) -> bytes:
    times = struct.pack(">IIIII", 0, 0, track, 0, 0)
    return _full(
        "tkhd",
        times,
        bytes(8),
        struct.pack(">HHHxx", 0, 0, volume),
        _IDENTITY,
        struct.pack(">II", width << 16, height << 16),
        flags=3,
    )


def _track(tkhd: bytes, handler: str, timescale: int, media_header: bytes, entry: bytes) -> bytes:
    mdhd = _full("mdhd", struct.pack(">IIIIHH", 0, 0, timescale, 0, 0x55C4, 0))  # language "und"
    hdlr = _full("hdlr", bytes(4), handler.encode(), bytes(13))
    dinf = _box("dinf", _full("dref", struct.pack(">I", 1), _full("url ", flags=1)))
    tables = (_full("stts", bytes(4)), _full("stsc", bytes(4)), _full("stsz", bytes(8)), _full("stco", bytes(4)))
    stbl = _box("stbl", _full("stsd", struct.pack(">I", 1), entry), *tables)
    return _box("trak", tkhd, _box("mdia", mdhd, hdlr, _box("minf", media_header, dinf, stbl)))


def _trex(track: int) -> bytes:
    return _full("trex", struct.pack(">IIIII", track, 1, 0, 0, 0))


def _descriptor(tag: int, content: bytes) -> bytes:
    return bytes((tag, len(content))) + content


def _full(kind: str, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags), *parts)


def _box(kind: str, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I", len(content) + 8) + kind.encode() + content
