"""FLV as the encoder writes it: a file header, then tags of pictures, sound and metadata.

Layout (Adobe Flash Video File Format Specification 10.1, annex E): 9 bytes of file header and a zero tag size; then for
each tag a type byte, 24 bits of size, 24 + 8 bits of timestamp, 24 bits of stream id, the payload, and 32 bits of tag
size. Codecs newer than AVC use the "enhanced RTMP" form of the first payload byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from edgeseg.errors import EncoderError
from edgeseg.types import Tag, TagKind

TAG_HEADER_BYTES = 11
TAG_TRAILER_BYTES = 4

# The timestamp's extension byte is signed, and ffmpeg masks it: time starts over after 2**31 ms (24.9 days).
WRAP_MS = 1 << 31

_FILE_HEADER_BYTES = 9
_KINDS = {kind.value: kind for kind in TagKind}
_AVC = 7
_AAC = 10
_ENHANCED_AUDIO = 9
_END_OF_SEQUENCE = 2


def file_header(*, has_audio: bool) -> bytes:
    """The 13 bytes that a stream starts with. The flags tell a player which streams to wait for."""
    return b"FLV\x01" + (b"\x05" if has_audio else b"\x01") + b"\x00\x00\x00\x09" + b"\x00\x00\x00\x00"


def retime(tag: Tag, timestamp_ms: int) -> Tag:
    """The same tag at another time; the time on the wire is taken modulo 2**31 ms, as ffmpeg does it."""
    if timestamp_ms == tag.timestamp_ms:
        return tag
    stamp = (timestamp_ms % WRAP_MS).to_bytes(4, "big")
    wire = b"".join((tag.wire[:4], stamp[1:], stamp[:1], memoryview(tag.wire)[8:]))
    return Tag(tag.kind, timestamp_ms, wire, tag.keyframe, tag.config)


def payload(tag: Tag) -> memoryview:
    """What the tag carries, without its header and trailer: what two tags of different times can be compared by."""
    return memoryview(tag.wire)[TAG_HEADER_BYTES:-TAG_TRAILER_BYTES]


def make_tag(kind: TagKind, timestamp_ms: int, body: bytes) -> Tag:
    """A tag around ``body``, with the flags that its first bytes say."""
    size = len(body)
    stamp = (timestamp_ms % WRAP_MS).to_bytes(4, "big")
    head = bytes((kind.value,)) + size.to_bytes(3, "big") + stamp[1:] + stamp[:1] + b"\x00\x00\x00"
    keyframe, config = _flags(kind, body[:2])
    return Tag(
        kind, timestamp_ms, b"".join((head, body, (TAG_HEADER_BYTES + size).to_bytes(4, "big"))), keyframe, config
    )


class FlvReader:
    """Iterates over the tags of an FLV stream, from one thread.

    The iteration ends where the stream ends; a tag that is cut off there is left out, because that is how an encoder
    dies. Markers of the end of a sequence are left out too: they are no pictures, and the stream
    goes on when the encoder is restarted.

    ``near_ms`` is a time that the first tag is close to (within 12 days): the 31 bits on the wire are unrolled
    from there, so that ``Tag.timestamp_ms`` grows for ever.

    Raises:
        EncoderError: what is read is not FLV. Nothing else is raised but what ``stream.read`` raises.
    """

    def __init__(self, stream: BinaryIO, *, near_ms: int = 0) -> None:
        self._stream = stream
        self._last_ms = near_ms

    def __iter__(self) -> Iterator[Tag]:
        if not self._read_file_header():
            return
        while True:
            head = self._exactly(TAG_HEADER_BYTES)
            if head is None:
                return
            kind = _KINDS.get(head[0])
            if kind is None:
                raise EncoderError(f"the encoder's output is not FLV: there is no tag type {head[0]}")
            size = int.from_bytes(head[1:4], "big")
            rest = self._exactly(size + TAG_TRAILER_BYTES)
            if rest is None:
                return
            if int.from_bytes(rest[-TAG_TRAILER_BYTES:], "big") != TAG_HEADER_BYTES + size:
                raise EncoderError("the encoder's output is not FLV: a tag's size is not repeated behind it")
            if _is_end_of_sequence(kind, rest[:2]):
                continue
            timestamp_ms = self._unroll((head[7] << 24 | int.from_bytes(head[4:7], "big")) % WRAP_MS)
            keyframe, config = _flags(kind, rest[: min(2, size)])
            yield Tag(kind, timestamp_ms, head + rest, keyframe, config)

    def _read_file_header(self) -> bool:
        head = self._exactly(_FILE_HEADER_BYTES)
        if head is None:
            return False
        offset = int.from_bytes(head[5:9], "big")
        if head[:3] != b"FLV" or not _FILE_HEADER_BYTES <= offset <= 64:
            raise EncoderError("the encoder's output is not FLV: it starts with something else")
        return self._exactly(offset - _FILE_HEADER_BYTES + TAG_TRAILER_BYTES) is not None

    def _exactly(self, size: int) -> bytes | None:
        """``size`` bytes, or None when the stream ends before. An unbuffered pipe gives less than was asked for."""
        first = self._stream.read(size)
        if first is None or len(first) == size:
            return first
        parts = [first]
        missing = size - len(first)
        while missing:
            part = self._stream.read(missing)
            if not part:
                return None
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _unroll(self, wire_ms: int) -> int:
        turns = (self._last_ms - wire_ms + WRAP_MS // 2) // WRAP_MS
        self._last_ms = wire_ms + max(0, turns) * WRAP_MS
        return self._last_ms


def _is_end_of_sequence(kind: TagKind, first: bytes) -> bool:
    if kind is not TagKind.VIDEO or len(first) < 2:
        return False
    if first[0] & 0x80:
        return first[0] & 0x0F == _END_OF_SEQUENCE
    return first[0] & 0x0F == _AVC and first[1] == _END_OF_SEQUENCE


def _flags(kind: TagKind, first: bytes) -> tuple[bool, bool]:
    """(keyframe, config) from the first two bytes of the payload; codecs without configuration never have one."""
    if not first or kind is TagKind.SCRIPT:
        return False, False
    second = first[1] if len(first) > 1 else -1
    if kind is TagKind.AUDIO:
        codec = first[0] >> 4
        return False, (codec == _AAC and second == 0) or (codec == _ENHANCED_AUDIO and first[0] & 0x0F == 0)
    enhanced = bool(first[0] & 0x80)
    config = first[0] & 0x0F == 0 if enhanced else (first[0] & 0x0F == _AVC and second == 0)
    return not config and first[0] >> 4 & 0x07 == 1, config
