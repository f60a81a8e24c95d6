"""x264 does what each profile says: it writes its settings into the stream, and only warns of what it cannot read."""

from __future__ import annotations

import re
import subprocess
from fractions import Fraction

import pytest

from edgeseg.encoding.command import EncoderSettings, encode_command
from edgeseg.encoding.matroska import VIDEO_TRACK, RawFormat, block_head, header
from edgeseg.encoding.profiles import PROFILES
from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.types import Colour

SAYS = {
    "quality": {"subme": "4", "me": "hex", "cabac": "1", "8x8dct": "1", "deblock": "1:0:0"},
    "balanced": {"subme": "1", "me": "dia", "cabac": "1", "8x8dct": "1", "deblock": "1:0:0"},
    "light": {"subme": "0", "me": "dia", "cabac": "1", "8x8dct": "1", "deblock": "1:0:0", "weightp": "0"},
}


@pytest.mark.parametrize("profile", PROFILES)
def test_x264_took_every_option(profile: str) -> None:
    raw = RawFormat(320, 240, Fraction(30), Colour())
    size = raw.width * raw.height * 3 // 2
    pictures = header(raw) + b"".join(block_head(VIDEO_TRACK, n * 33, size) + b"\x80" * size for n in range(2))
    command = encode_command(EncoderSettings(find_ffmpeg(), profile=profile), raw)
    done = subprocess.run(command, input=pictures, capture_output=True, check=True, timeout=20)
    assert b"rror parsing option" not in done.stderr
    found = re.search(rb"x264 - core.*?options: ([ -~]+)", done.stdout, re.DOTALL)
    assert found is not None
    told = dict(word.partition("=")[::2] for word in found[1].decode().split())
    nothing_held_back = {"bframes": "0", "rc_lookahead": "0", "scenecut": "0", "mbtree": "0"}
    expected = SAYS[profile] | nothing_held_back
    assert {key: told.get(key) for key in expected} == expected
