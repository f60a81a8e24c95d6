"""AAC as MPEG-TS carries it: each packet with a head of its own (ADTS, ISO/IEC 13818-7, 6.2), and no configuration.

Everything after the source wants it the other way round: the configuration once, at the beginning, and bare packets. A
configuration that comes with the first sound would be a change in the middle: recordings would be cut there.
"""

from __future__ import annotations

_LOW_COMPLEXITY = 2
_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_CHANNELS = (0, 1, 2, 3, 4, 5, 6, 8)
_SHORT_HEAD, _LONG_HEAD = 7, 9


def has_head(packet: bytes) -> bool:
    """Whether it is one packet with such a head, which says the packet's own length."""
    if len(packet) <= _LONG_HEAD or packet[0] != 0xFF or packet[1] & 0xF6 != 0xF0:
        return False
    return (packet[3] & 3) << 11 | packet[4] << 3 | packet[5] >> 5 == len(packet)


def without_head(packet: bytes) -> bytes:
    """The bare packet; as it is when it has no head."""
    if not has_head(packet):
        return packet
    return packet[_SHORT_HEAD if packet[1] & 1 else _LONG_HEAD :]


def config_from_head(packet: bytes) -> bytes:
    """The AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) that the head of ``packet`` stands for."""
    return _config((packet[2] >> 6) + 1, packet[2] >> 2 & 15, (packet[2] & 1) << 2 | packet[3] >> 6)


def config_of(sample_rate: int, channels: int) -> bytes:
    """The same for plain AAC of a usual rate; empty where there is none."""
    if sample_rate not in _RATES or not 1 <= channels <= 7:
        return b""
    return _config(_LOW_COMPLEXITY, _RATES.index(sample_rate), channels)


def rate_and_channels(config: bytes) -> tuple[int, int]:
    """What ``config_of`` was told, or the head; 0 where the configuration does not say it so."""
    packed = int.from_bytes(config[:2], "big")
    rate, channels = packed >> 7 & 15, packed >> 3 & 15
    return _RATES[rate] if config and rate < len(_RATES) else 0, _CHANNELS[channels] if channels < len(_CHANNELS) else 0


def _config(kind: int, rate: int, channels: int) -> bytes:
    return (kind << 11 | rate << 7 | channels << 3).to_bytes(2, "big")
