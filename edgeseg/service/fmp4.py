"""FLV tags to fragmented MP4, one fragment per picture: what the page's player takes.

Done in the process: an ffmpeg child per viewer would cost its memory and the time it takes to start.
"""

from __future__ import annotations

import struct

from edgeseg.service._boxes import AUDIO_TRACK, VIDEO_TIMESCALE, VIDEO_TRACK, Audio, Video, fragment, init_segment
from edgeseg.types import StreamHeader, Tag, TagKind

_FLV_HEAD, _FLV_TAIL = 11, 4  # bytes of a tag around its payload
_AVC, _AAC = 7, 10  # FLV's numbers of the codecs
_AAC_FRAME = 1024  # samples in a packet
_SAMPLE_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
# A sound clock that is further than this from FLV's rounded timestamps has really jumped.
_AUDIO_JUMP_S = 0.05


class UnplayableError(Exception):
    """The stream's codec is none that browsers take in MP4; the text says which."""


class Fmp4Muxer:
    """Turns the tags of one stream header into ``init`` and fragments.

    A picture is given out when the next one is there, because players want its exact duration: with a guessed one,
    Chromium drops pictures up to the next keyframe as soon as the rate changes.

    ``has_sound`` tells whether the stream has sound that could be taken.

    Args:
        header: what the stream begins with.
        sound: take the sound too, if it is AAC. A player waits for sound that does not come, so a muted one
            does better without.

    Raises:
        UnplayableError: there is no H.264 video in it.
    """

    def __init__(self, header: StreamHeader, *, sound: bool = True) -> None:
        self._video = _video(header)
        audio = _audio(header)
        self._audio = audio if sound else None
        self.has_sound = audio is not None
        self._number = 0
        self._held: Tag | None = None
        self._audio_clock: int | None = None
        self.init = init_segment(self._video, self._audio)

    @property
    def mime(self) -> str:
        """The media type with RFC 6381 codecs, as ``MediaSource.addSourceBuffer`` wants it."""
        codecs = f"avc1.{self._video.avcc[1:4].hex()}"
        if self._audio is not None:
            codecs += f",mp4a.40.{_object_type(self._audio.asc)}"
        return f'video/mp4; codecs="{codecs}"'

    def mux(self, tag: Tag) -> bytes:
        """The bytes that ``tag`` makes ready: none, one fragment, rarely more."""
        if tag.config or len(tag.wire) <= _FLV_HEAD + _FLV_TAIL + 2:
            return b""
        if tag.kind is TagKind.VIDEO:
            held, self._held = self._held, tag
            return self._picture(held, tag.timestamp_ms) if held else b""
        if tag.kind is TagKind.AUDIO and self._audio is not None:
            return self._packet(tag, self._audio)
        return b""

    def _picture(self, tag: Tag, next_ms: int) -> bytes:
        payload = _payload(tag)
        if payload[0] & 0x0F != _AVC or payload[1] != 1:
            return b""
        # 24 bits, signed: how much later than decoded it is shown.
        offset = struct.unpack(">i", payload[2:5] + b"\0")[0] >> 8
        duration = max(1, next_ms - tag.timestamp_ms)
        self._number += 1
        return fragment(
            self._number, VIDEO_TRACK, tag.timestamp_ms, duration, payload[5:], key=tag.keyframe, offset=offset
        )

    def _packet(self, tag: Tag, audio: Audio) -> bytes:
        payload = _payload(tag)
        if payload[0] >> 4 != _AAC or payload[1] != 1:
            return b""
        # Counted in samples: milliseconds are too coarse and would leave gaps that can be heard.
        stamped = tag.timestamp_ms * audio.sample_rate // VIDEO_TIMESCALE
        if self._audio_clock is None or abs(stamped - self._audio_clock) > _AUDIO_JUMP_S * audio.sample_rate:
            self._audio_clock = stamped
        at = self._audio_clock
        self._audio_clock += _AAC_FRAME
        self._number += 1
        return fragment(self._number, AUDIO_TRACK, at, _AAC_FRAME, payload[2:])


def _payload(tag: Tag) -> bytes:
    return tag.wire[_FLV_HEAD:-_FLV_TAIL]


def _video(header: StreamHeader) -> Video:
    width, height = (_metadata_number(header, name) for name in ("width", "height"))
    for tag in header.tags:
        if tag.kind is not TagKind.VIDEO or not tag.config:
            continue
        payload = _payload(tag)
        if payload[0] & 0x80 or payload[0] & 0x0F != _AVC or len(payload) < 5 + 7:
            raise UnplayableError("browsers play H.264 only, this stream is encoded with another codec")
        return Video(payload[5:], width, height)
    raise UnplayableError("the stream has no picture")


def _audio(header: StreamHeader) -> Audio | None:
    for tag in header.tags:
        if tag.kind is TagKind.AUDIO and tag.config:
            payload = _payload(tag)
            if payload[0] >> 4 == _AAC and len(payload) >= 4:
                return _parse_asc(payload[2:])
    return None


def _parse_asc(asc: bytes) -> Audio | None:
    bits = int.from_bytes(asc[:5].ljust(5, b"\0"), "big")  # 5 object type, 4 rate index, (24 rate,) 4 channels
    index = bits >> 31 & 0x0F
    if index == 15:
        return Audio(asc, bits >> 7 & 0xFFFFFF, bits >> 3 & 0x0F)
    if index >= len(_SAMPLE_RATES):
        return None
    return Audio(asc, _SAMPLE_RATES[index], bits >> 27 & 0x0F)


def _object_type(asc: bytes) -> int:
    return asc[0] >> 3


def _metadata_number(header: StreamHeader, name: str) -> int:
    """A number of the script tag (AMF0: name with its length, marker 0, double); 0 when it is not there."""
    key = struct.pack(">H", len(name)) + name.encode() + b"\0"
    for tag in header.tags:
        if tag.kind is TagKind.SCRIPT:
            _, found, rest = tag.wire.partition(key)
            if found and len(rest) >= 8:
                return int(struct.unpack_from(">d", rest)[0])
    return 0
