"""A source's packets as NUT for a child that decodes them, and the way back from its pictures to the source's times."""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import Any

import av
from av.packet import Packet
from av.video.stream import VideoStream

# NUT knows no time below zero, and muxers none that lies before its decoding time, which here just counts.
_ZERO = 1 << 34
# More pictures than any decoder keeps back.
_KEPT = 256


class PacketWriter:
    """Makes NUT of the packets of ``stream``, each complete in itself.

    A tick of the source is a tick of the child, so that times come back exact whatever the time base says.
    """

    def __init__(self, stream: VideoStream) -> None:
        self._sink = _Sink()
        # The experimental version carries side data: parameters that change in the middle are such.
        # A syncpoint is for who seeks, and whoever reads one keeps it for good: hundreds of megabytes a day.
        options = {"strict": "experimental", "flush_packets": "1", "write_index": "0", "syncpoints": "none"}
        self._muxer = av.open(self._sink, "w", format="nut", options=options)
        self._track = self._muxer.add_stream_from_template(stream, opaque=True)
        self._track.time_base = stream.time_base or Fraction(1, 90_000)
        if not stream.width:  # not known before the first picture, and no matter to a decoder
            self._track.width = self._track.height = 16
        self._muxer.start_encoding()
        self._count = 0
        self._first: int | None = None
        self._last = _ZERO
        self._sent: deque[tuple[int, int | None]] = deque(maxlen=_KEPT)

    def wire(self, packet: Packet[Any]) -> bytes:
        """The bytes of ``packet``, which is changed by it; with those of the header the first time.

        Raises:
            av.error.FFmpegError: it cannot be written.
        """
        pts = packet.pts
        if pts is not None and self._first is None:
            self._first = pts
        at = self._last + 1 if pts is None else pts - (self._first or 0) + _ZERO
        at = at if at > self._count else self._last + 1
        # The muxer may have chosen another time base.
        packet.time_base = self._track.time_base or packet.time_base
        packet.pts, packet.dts = at, self._count
        packet.stream = self._track
        self._muxer.mux_one(packet)
        self._count += 1
        self._last = at
        self._sent.append((at, pts))
        return self._sink.taken()

    def source_pts(self, at: int | None) -> int | None:
        """The source's pts of a picture that the child says is of the time ``at``; None where it had none."""
        for sent, pts in reversed(self._sent):
            if sent == at:
                return pts
        # A decoder's guess for a picture without a time; of a source that has no times it means nothing.
        return None if at is None or self._first is None else at - _ZERO + self._first


class _Sink:
    """What the muxer takes for a file."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, part: bytes) -> int:
        self._parts.append(bytes(part))
        return len(part)

    def taken(self) -> bytes:
        wire = b"".join(self._parts)
        self._parts.clear()
        return wire
