"""What ffmpeg's filter ``showinfo`` says of each picture that it passes: its time, its shape, and how to read it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from av.video.format import VideoFormat

UNKNOWN = 2  # of matrices, primaries and transfers; of ranges it is 0
_RANGES = {"unknown": 0, "tv": 1, "pc": 2}
# FFmpeg's names of the code points of H.273.
_SPACES = {"gbr": 0, "bt709": 1, "unknown": 2, "fcc": 4, "bt470bg": 5, "smpte170m": 6, "smpte240m": 7, "ycgco": 8}
_SPACES |= {"bt2020nc": 9, "bt2020c": 10, "smpte2085": 11, "chroma-derived-nc": 12, "chroma-derived-c": 13, "ictcp": 14}
_PRIMARIES = {"bt709": 1, "unknown": 2, "bt470m": 4, "bt470bg": 5, "smpte170m": 6, "smpte240m": 7, "film": 8}
_PRIMARIES |= {"bt2020": 9, "smpte428": 10, "smpte431": 11, "smpte432": 12, "ebu3213": 22}
_TRANSFERS = {"bt709": 1, "unknown": 2, "bt470m": 4, "bt470bg": 5, "smpte170m": 6, "smpte240m": 7, "linear": 8}
_TRANSFERS |= {"log100": 9, "log316": 10, "iec61966-2-4": 11, "bt1361e": 12, "iec61966-2-1": 13, "bt2020-10": 14}
_TRANSFERS |= {"bt2020-12": 15, "smpte2084": 16, "smpte428": 17, "arib-std-b67": 18}


@dataclass(frozen=True, slots=True)
class Look:
    """How the bytes of a picture are to be read; numbers are FFmpeg's (AVColorRange, H.273)."""

    pixel_format: str
    width: int
    height: int
    range: int = 0
    space: int = UNKNOWN
    primaries: int = UNKNOWN
    transfer: int = UNKNOWN

    @property
    def size(self) -> int:
        """Bytes of a picture without gaps."""
        form = VideoFormat(self.pixel_format, self.width, self.height)
        if form.is_planar:
            return sum(part.width * part.height * -(-part.bits // 8) for part in form.components)
        return self.width * self.height * form.padded_bits_per_pixel // 8


@dataclass(frozen=True, slots=True)
class Announced:
    """A picture that follows: ``number`` counts from 0 and begins anew with another shape; ``pts`` may be missing."""

    number: int
    pts: int | None
    look: Look


def _any_of(names: dict[str, int]) -> str:
    # The longest first: what stands behind a name may be stuck to it.
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


# One call of FFmpeg's log each, which is what stays in one piece when other threads of it write too.
_PICTURE = r"\bn: *(?P<n>\d+) pts: *(?P<pts>\S+) .*?fmt:(?P<fmt>\w+) .*?sar:\d+/\d+ s:(?P<w>\d+)x(?P<h>\d+) i:"
_TOKEN = re.compile(
    rf"{_PICTURE}|color_range:(?P<range>{_any_of(_RANGES)})|color_space:(?P<space>{_any_of(_SPACES)}|)"
    rf"|color_primaries:(?P<primaries>{_any_of(_PRIMARIES)}|)|color_trc:(?P<transfer>{_any_of(_TRANSFERS)}|)"
)


class ShowInfo:
    """Reads the log of a child, in pieces of any size."""

    def __init__(self) -> None:
        self._begun: re.Match[str] | None = None
        self._colour: dict[str, int] = {}

    def announced(self, line: str) -> Iterator[Announced]:
        """The pictures that are completely described by the end of this line of the log."""
        for found in _TOKEN.finditer(line):
            if found["n"] is not None:
                self._begun, self._colour = found, {}
                continue
            for key, names in (("range", _RANGES), ("space", _SPACES), ("primaries", _PRIMARIES)):
                if found[key] is not None:
                    self._colour[key] = names.get(found[key], UNKNOWN)
            if found["transfer"] is not None and self._begun is not None:
                self._colour["transfer"] = _TRANSFERS.get(found["transfer"], UNKNOWN)
                begun, self._begun = self._begun, None
                look = Look(begun["fmt"], int(begun["w"]), int(begun["h"]), **self._colour)
                yield Announced(int(begun["n"]), _number(begun["pts"]), look)


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
