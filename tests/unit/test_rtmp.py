"""The server's half of RTMP hears anything: what is no player's is one documented error, never another."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.outputs import rtmp


class TheyLeft(Exception):  # noqa: N818 -- what viewers do
    """What the server's ``read`` raises when the connection ends."""


def reads(wire: bytes) -> Callable[[int], bytes]:
    """``read`` as the server has it: exactly so many bytes."""
    source = io.BytesIO(wire)

    def read(size: int) -> bytes:
        assert 0 <= size <= 1 << 16, f"asked for {size} bytes at once"
        part = source.read(size)
        if len(part) < size:
            raise TheyLeft
        return part

    return read


def conversation() -> bytes:
    """What a player says, from connecting to playing."""
    said = [
        ("connect", 1.0, {"app": "live", "tcUrl": "rtmp://h/live", "fpad": False, "audioCodecs": 4071.0}),
        ("createStream", 2.0, None),
        ("getStreamLength", 3.0, None, "cam"),
        ("play", 4.0, None, "cam", -2000.0),
    ]
    wires = [rtmp.chunks(20, rtmp.encode_amf(*values), channel=3) for values in said]
    return rtmp.chunks(1, (4096).to_bytes(4, "big"), channel=2) + b"".join(wires)


CONVERSATION = conversation()


def listen(wire: bytes) -> tuple[rtmp.PlaySession, bool]:
    """Hear it to its end, or until it plays."""
    reader, session = rtmp.ChunkReader(reads(wire)), rtmp.PlaySession()
    while True:
        try:
            message = reader.message()
        except TheyLeft:
            return session, False
        assert len(message.body) <= 1 << 16
        answer, plays = session.answer(message)
        assert isinstance(answer, bytes)
        if plays:
            return session, True


def test_a_player_is_understood() -> None:
    session, plays = listen(CONVERSATION)
    assert (session.app, session.playpath, plays) == ("live", "cam", True)


def test_any_cut_is_a_player_that_left() -> None:
    for cut in range(len(CONVERSATION)):
        assert not listen(CONVERSATION[:cut])[1]


_FLIPS = st.lists(st.tuples(st.integers(0, len(CONVERSATION) - 1), st.integers(1, 255)), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None)
@given(flips=_FLIPS, noise=st.binary(max_size=200), at=st.integers(0, len(CONVERSATION)))
def test_a_damaged_player_is_a_protocol_error_or_nothing(flips: list[tuple[int, int]], noise: bytes, at: int) -> None:
    wire = bytearray(CONVERSATION)
    for index, bits in flips:
        wire[index] ^= bits
    wire[at:at] = noise
    with contextlib.suppress(rtmp.ProtocolError):
        listen(bytes(wire))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=600))
def test_noise_is_a_protocol_error_or_nothing(noise: bytes) -> None:
    with contextlib.suppress(rtmp.ProtocolError):
        listen(noise)


@given(st.binary(max_size=4000))
def test_a_handshake_of_noise(noise: bytes) -> None:
    written: list[bytes] = []
    try:
        rtmp.answer_handshake(reads(noise), written.append)
    except (rtmp.ProtocolError, TheyLeft):
        assert len(noise) < 1 + 2 * rtmp.HANDSHAKE_BYTES or noise[:1] != b"\x03"
    assert sum(map(len, written)) in (0, 1 + 2 * rtmp.HANDSHAKE_BYTES)


def test_a_message_cannot_begin_inside_another() -> None:
    """Its length would be another's: a player that does so is none."""
    long = rtmp.chunks(20, bytes(300), channel=3)[:12] + bytes(128)
    with pytest.raises(rtmp.ProtocolError, match="before the last one was whole"):
        listen(long + rtmp.chunks(20, bytes(10), channel=3))


def test_nesting_and_counts_have_a_limit() -> None:
    deep = b"".join(b"\x03\x00\x01a" for _ in range(5000))
    with pytest.raises(rtmp.ProtocolError):
        list(rtmp.decode_amf(deep))
    many = b"".join(rtmp.chunks(20, bytes(300), channel=n)[:12] + bytes(128) for n in range(2, 64))
    with pytest.raises(rtmp.ProtocolError):
        listen(many + b"".join(b"\x00" + bytes((n,)) + bytes(11) for n in range(64)))
