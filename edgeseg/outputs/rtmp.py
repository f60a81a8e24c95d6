"""The server's half of RTMP, as far as playing one stream needs it.

After Adobe's "Real-Time Messaging Protocol 1.0" and AMF 0: handshake, chunks, and the commands of a player. FLV
tags are RTMP messages with another header, so a tag's payload is sent as it is.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from edgeseg.flv import TAG_HEADER_BYTES, TAG_TRAILER_BYTES, WRAP_MS
from edgeseg.types import Tag

HANDSHAKE_BYTES = 1536
CHUNK_BYTES = 1 << 16

_SET_CHUNK_SIZE, _USER_CONTROL, _WINDOW_SIZE, _PEER_BANDWIDTH, _COMMAND = 1, 4, 5, 6, 20
_CONTROL_CHANNEL, _COMMAND_CHANNEL, _MEDIA_CHANNEL = 2, 3, 4
_STREAM_ID = 1
# A player's commands are short; whoever sends more is no player.
_MESSAGE_LIMIT = 1 << 16
_EXTENDED = 0xFFFFFF


class ProtocolError(Exception):
    """The peer does not speak RTMP, or says what no player says."""


@dataclass(slots=True)
class Message:
    """One whole message from the peer."""

    kind: int
    body: bytes


@dataclass(slots=True)
class _Channel:
    length: int = 0
    kind: int = 0
    extended: bool = False
    body: bytearray = field(default_factory=bytearray)


class ChunkReader:
    """Puts messages together from the chunks that ``read(n)`` gives exactly ``n`` bytes of."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._chunk_bytes = 128
        self._channels: dict[int, _Channel] = {}

    def message(self) -> Message:
        """The next message.

        Raises:
            ProtocolError: it is none.
        """
        while True:
            first = self._read(1)[0]
            form, number = first >> 6, first & 0x3F
            if number == 0:
                number = 64 + self._read(1)[0]
            elif number == 1:
                number = 64 + int.from_bytes(self._read(2), "little")
            if number not in self._channels and (form != 0 or len(self._channels) >= 64):
                raise ProtocolError("a chunk continues what has not begun")
            channel = self._channels.setdefault(number, _Channel())
            self._read_header(channel, form)
            part = min(self._chunk_bytes, channel.length - len(channel.body))
            channel.body += self._read(part)
            if len(channel.body) < channel.length:
                continue
            body, channel.body = bytes(channel.body), bytearray()
            if channel.kind == _SET_CHUNK_SIZE and len(body) == 4:
                self._chunk_bytes = max(1, int.from_bytes(body, "big") & 0x7FFFFFFF)
                continue
            return Message(channel.kind, body)

    def _read_header(self, channel: _Channel, form: int) -> None:
        if form < 3 and channel.body:
            raise ProtocolError("a message began before the last one was whole")
        head = self._read((11, 7, 3, 0)[form])
        if form < 3:
            channel.extended = int.from_bytes(head[:3], "big") == _EXTENDED
        if form < 2:
            channel.length = int.from_bytes(head[3:6], "big")
            channel.kind = head[6]
            if channel.length > _MESSAGE_LIMIT:
                raise ProtocolError("a message is too long for a player's")
        if channel.extended:
            self._read(4)


def answer_handshake(read: Callable[[int], bytes], write: Callable[[bytes], None]) -> None:
    """C0 C1 in, S0 S1 S2 out, C2 in: the plain form, which every player accepts when S1 claims no version.

    Raises:
        ProtocolError: the peer opened with something else.
    """
    if read(1) != b"\x03":
        raise ProtocolError("this is not RTMP")
    theirs = read(HANDSHAKE_BYTES)
    ours = bytes(8) + os.urandom(HANDSHAKE_BYTES - 8)
    write(b"\x03" + ours + theirs)
    read(HANDSHAKE_BYTES)


def chunks(kind: int, body: bytes | memoryview, *, channel: int, timestamp_ms: int = 0, stream: int = 0) -> bytes:
    """One message, cut into chunks of ``CHUNK_BYTES``."""
    time_ms = timestamp_ms % WRAP_MS
    extended = struct.pack(">I", time_ms) if time_ms >= _EXTENDED else b""
    head = min(time_ms, _EXTENDED).to_bytes(3, "big") + len(body).to_bytes(3, "big") + bytes((kind,))
    wire: list[bytes | memoryview] = [bytes((channel,)), head, struct.pack("<I", stream), extended, body[:CHUNK_BYTES]]
    for at in range(CHUNK_BYTES, len(body), CHUNK_BYTES):
        wire += (bytes((0xC0 | channel,)), extended, body[at : at + CHUNK_BYTES])
    return b"".join(wire)


def media(tag: Tag) -> bytes:
    """One FLV tag as an RTMP message."""
    body = memoryview(tag.wire)[TAG_HEADER_BYTES:-TAG_TRAILER_BYTES]
    return chunks(tag.kind.value, body, channel=_MEDIA_CHANNEL, timestamp_ms=tag.timestamp_ms, stream=_STREAM_ID)


@dataclass(slots=True)
class PlaySession:
    """Answers a player's commands until it plays.

    ``app`` and ``playpath`` are what the player asked for, filled in as the commands come.
    """

    app: str = ""
    playpath: str = ""

    def answer(self, message: Message) -> tuple[bytes, bool]:
        """What to send, and whether the player now waits for the stream.

        Raises:
            ProtocolError: the peer wants to do something else than play.
        """
        if message.kind != _COMMAND:
            return b"", False
        values = list(decode_amf(message.body))
        if len(values) < 2 or not isinstance(values[0], str):
            raise ProtocolError("a command has no name")
        name, transaction = values[0], values[1]
        match name:
            case "connect":
                options = values[2] if len(values) > 2 and isinstance(values[2], dict) else {}
                self.app = str(options.get("app", ""))
                return _accept_connection(transaction), False
            case "createStream":
                return _command("_result", transaction, None, float(_STREAM_ID)), False
            case "getStreamLength":
                return _command("_result", transaction, None, 0.0), False
            case "play":
                self.playpath = values[3] if len(values) > 3 and isinstance(values[3], str) else ""
                return b"", True
            case "publish" | "releaseStream" | "FCPublish":
                raise ProtocolError("somebody wants to publish here")
            case _:
                return b"", False


def play_begins() -> bytes:
    """What a player wants to read before the first picture."""
    begin = chunks(_USER_CONTROL, struct.pack(">HI", 0, _STREAM_ID), channel=_CONTROL_CHANNEL)
    return begin + _status("status", "NetStream.Play.Start", "playing")


def play_refused() -> bytes:
    """There is no such stream."""
    return _status("error", "NetStream.Play.StreamNotFound", "there is no such stream")


def play_ends() -> bytes:
    """The stream is over."""
    end = chunks(_USER_CONTROL, struct.pack(">HI", 1, _STREAM_ID), channel=_CONTROL_CHANNEL)
    return end + _status("status", "NetStream.Play.Stop", "the stream is over")


def _accept_connection(transaction: Any) -> bytes:
    return b"".join(
        (
            chunks(_WINDOW_SIZE, struct.pack(">I", 2_500_000), channel=_CONTROL_CHANNEL),
            chunks(_PEER_BANDWIDTH, struct.pack(">IB", 2_500_000, 2), channel=_CONTROL_CHANNEL),
            chunks(_SET_CHUNK_SIZE, struct.pack(">I", CHUNK_BYTES), channel=_CONTROL_CHANNEL),
            _command(
                "_result",
                transaction,
                {"fmsVer": "FMS/3,0,1,123", "capabilities": 31.0},
                {"level": "status", "code": "NetConnection.Connect.Success", "objectEncoding": 0.0},
            ),
        )
    )


def _status(level: str, code: str, description: str) -> bytes:
    info = {"level": level, "code": code, "description": description}
    return _command("onStatus", 0.0, None, info, stream=_STREAM_ID)


def _command(*values: Any, stream: int = 0) -> bytes:
    return chunks(_COMMAND, encode_amf(*values), channel=_COMMAND_CHANNEL, stream=stream)


def encode_amf(*values: Any) -> bytes:
    """AMF 0 of str, float, bool, None and dict."""
    out = bytearray()
    for value in values:
        match value:
            case bool():
                out += bytes((1, value))
            case float() | int():
                out += b"\x00" + struct.pack(">d", value)
            case str():
                out += b"\x02" + _utf8(value)
            case None:
                out += b"\x05"
            case dict():
                out += b"\x03"
                for key, item in value.items():
                    out += _utf8(key) + encode_amf(item)
                out += b"\x00\x00\x09"
            case _:
                raise TypeError(f"AMF 0 has no {type(value).__name__}")
    return bytes(out)


def decode_amf(wire: bytes) -> Iterator[Any]:
    """The AMF 0 values in ``wire``: numbers, booleans, strings, null and (ordered) objects.

    Raises:
        ProtocolError: it is none, or nested deeper than any player's.
    """
    at = 0
    try:
        while at < len(wire):
            value, at = _decode_value(wire, at, depth=0)
            yield value
    except (IndexError, struct.error, UnicodeDecodeError) as exc:
        raise ProtocolError("a command is cut off") from exc


def _decode_value(wire: bytes, at: int, depth: int) -> tuple[Any, int]:
    kind = wire[at]
    at += 1
    match kind:
        case 0:
            return struct.unpack_from(">d", wire, at)[0], at + 8
        case 1:
            return bool(wire[at]), at + 1
        case 2:
            return _decode_text(wire, at)
        case 5 | 6:
            return None, at
        case 3 | 8 if depth < 8:
            at += 4 if kind == 8 else 0
            pairs: dict[str, Any] = {}
            while wire[at : at + 3] != b"\x00\x00\x09":
                key, at = _decode_text(wire, at)
                pairs[key], at = _decode_value(wire, at, depth + 1)
            return pairs, at + 3
        case _:
            raise ProtocolError(f"AMF 0 type {kind} is none of a player's")


def _decode_text(wire: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">H", wire, at)
    end = at + 2 + length
    if end > len(wire):
        raise IndexError
    return wire[at + 2 : end].decode(), end


def _utf8(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack(">H", len(encoded)) + encoded
