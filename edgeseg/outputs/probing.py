"""How much of a stream FFmpeg's FLV demuxer has to look at before it goes on."""

from __future__ import annotations

from edgeseg.types import StreamHeader, TagKind

# The first media tag is a keyframe, and 32 bytes (the least that FFmpeg takes) end with it: everything else is
# known from the header. -fflags nobuffer would be as quick, and loses that keyframe.
_FIRST_PICTURE = 32
# Sound without a configuration tag (MP3, G.711) is only known once it is heard.
_UNTIL_SOUND = 1 << 18


def probe_bytes(header: StreamHeader) -> int:
    """The ``probesize`` for a child that is given ``header``."""
    heard = any(tag.kind is TagKind.AUDIO for tag in header.tags)
    return _UNTIL_SOUND if header.has_audio and not heard else _FIRST_PICTURE
