"""``source.decode``: its short forms, what fits together, and what a source is built with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgeseg.build import build_source
from edgeseg.config import Config, load_config
from edgeseg.config.source import DecodeConfig
from edgeseg.errors import ConfigError
from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.sources.decode_command import DecodeSettings


def load(tmp_path: Path, decode: str, url: str = "rtsp://camera/1") -> Config:
    path = tmp_path / "config.yaml"
    path.write_text(f"streams:\n  door:\n    source:\n      url: {url!r}\n      decode: {decode}\n")
    return load_config(path)


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("", {}),
        ("child", {"child": True}),
        ("vaapi", {"child": True, "hwaccel": "vaapi"}),
        ("{hwaccel: cuda, device: '0'}", {"child": True, "hwaccel": "cuda", "device": "0"}),
        ("{hwaccel: qsv, fallback: software}", {"child": True, "hwaccel": "qsv", "fallback": "software"}),
        ("{child: false}", {}),
    ],
)
def test_forms(tmp_path: Path, written: str, means: dict[str, Any]) -> None:
    found = load(tmp_path, written).streams["door"].source.decode
    assert found.model_dump() == {**DecodeConfig().model_dump(), **means}


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("vappi", "did you mean 'vaapi'?"),
        ("{hwaccel: vaapi, child: false}", "decode.child: must be true with hwaccel"),
        ("{child: true, device: /dev/dri/renderD128}", "decode.device: is the device of a hwaccel, which is missing"),
        ("{hwaccel: v4l2m2m, device: /dev/video10}", "decode.device: cannot be told to v4l2m2m"),
        ("{child: true, fallback: software}", "decode.fallback: is for a hwaccel, which is missing"),
        ("{hwaccel: vaapi, fallback: libx264}", "decode.fallback: must be software or null"),
    ],
)
def test_what_does_not_fit(tmp_path: Path, written: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, written)
    assert words in str(caught.value)
    assert len(caught.value.problems) == 1


def test_a_pattern_has_nothing_to_decode(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="decode: is for sources of type av and v4l2, not test"):
        load(tmp_path, "child", "test:")


@pytest.mark.parametrize("url", ["rtsp://camera/1", "/dev/video0"])
def test_a_source_is_built_with_it(tmp_path: Path, url: str) -> None:
    stream = load(tmp_path, "{hwaccel: vaapi, fallback: software}", url).streams["door"]
    source: Any = build_source(stream)
    assert source._arguments.decoding.settings == DecodeSettings(find_ffmpeg(), "vaapi", None, software_too=True)
    plain: Any = build_source(load(tmp_path, "", url).streams["door"])
    assert plain._arguments.decoding is None
