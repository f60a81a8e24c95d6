"""Sound for a stream that has none: constant packets of silence, at the times of its pictures.

They are made here and not by the encoder: no process has to make, carry and interleave them, so they cannot be late,
and they follow the pictures wherever these go. It costs 0.4 ms of CPU for each second of stream.
"""

from __future__ import annotations

from collections.abc import Iterator

from edgeseg.flv import make_tag
from edgeseg.types import Tag, TagKind

# AAC-LC, 48 kHz, two channels: what services take. ISO/IEC 14496-3, 1.6.2.1: object type 2, frequency 3, channels 2.
SAMPLE_RATE = 48_000
_CONFIG = bytes.fromhex("1190")
# One raw_data_block (4.4.2.1): a channel pair with a common window and no scale factor bands, then the end.
_PACKET = bytes.fromhex("211004608c1c")
_PACKET_SAMPLES = 1024
# FLV's first byte for AAC, whatever rate and channels are; the second tells configurations from packets.
_AAC = b"\xaf"

# Pictures further apart are a pause, and the sound pauses too: made up for at once, it would fill the outputs' queues.
_PAUSE_MS = 1500
# How far the sound goes ahead of the last picture, at most: until that one's end, as far as can be known.
_AHEAD_MS = 100


class Silence:
    """Adds sound to an encoder's tags, which come in their order and from one thread.

    From one pause to the next, packets follow one another without a gap, to the millisecond that FLV counts in.
    """

    def __init__(self) -> None:
        self._zero_ms = 0
        self._packets = 0
        self._last_ms: int | None = None

    def with_silence(self, tag: Tag) -> Iterator[Tag]:
        """``tag``, and the sound that goes before and after it."""
        if tag.kind is not TagKind.VIDEO:
            yield tag
            return
        if tag.config:
            yield tag
            yield make_tag(TagKind.AUDIO, tag.timestamp_ms, _AAC + b"\0" + _CONFIG)
            return
        ms = tag.timestamp_ms
        step_ms = 0 if self._last_ms is None else ms - self._last_ms
        if self._last_ms is None or not 0 <= step_ms <= _PAUSE_MS:
            # An encoder's restart may leave a hole: what was said ahead of it is not said twice.
            self._zero_ms, self._packets = max(ms, self._next_ms if step_ms > 0 else ms), 0
            step_ms = 0
        self._last_ms = ms
        yield from self._until(ms)
        yield tag
        yield from self._until(ms + max(1, min(step_ms, _AHEAD_MS)))

    @property
    def _next_ms(self) -> int:
        return self._zero_ms + self._packets * _PACKET_SAMPLES * 1000 // SAMPLE_RATE

    def _until(self, end_ms: int) -> Iterator[Tag]:
        while self._next_ms < end_ms:
            yield make_tag(TagKind.AUDIO, self._next_ms, _AAC + b"\1" + _PACKET)
            self._packets += 1
