"""What FFmpeg is told about an input, where it would take its time by itself."""

from __future__ import annotations

import pytest

from edgeseg.sources.av_input import AvSource


@pytest.mark.parametrize(
    ("url", "looks"),
    [
        ("rtmp://camera/live/door", "500000"),
        ("http://camera/live.flv?token=x", "500000"),
        ("http://camera/live.ts", None),
        ("rtsp://camera/1", None),
        ("clip.flv", None),
    ],
)
def test_a_live_flv_stream_is_not_searched_for_sound_for_five_seconds(url: str, looks: str | None) -> None:
    assert AvSource(url)._arguments.options.get("analyzeduration") == looks


def test_flv_by_another_name() -> None:
    assert "analyzeduration" in AvSource("http://camera/live", input_format="flv")._arguments.options


def test_the_configuration_has_the_last_word() -> None:
    assert AvSource("rtmp://camera/1", options={"analyzeduration": "7"})._arguments.options["analyzeduration"] == "7"
