"""Whatever the text, the loader answers with a configuration or a ConfigError."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.config import load_config_text, show, warnings
from edgeseg.errors import ConfigError

_WORDS = """
http log ffmpeg streams door source url type loop model mask effect replace blur color picture publish record listen
encoder video size fps rtmp://h:1/a/b srt://h test: /dev/video0 ${X} ${ $$ file:x #00ff00 1280x720 3M 30000/1001
enabled allow_uncovered passthrough threshold smooth_step options name token host port outputs << *a &a
"""
WORDS = st.sampled_from(_WORDS.split())
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | WORDS
    | st.text(max_size=8)
    | st.dates()
    | st.binary(max_size=4)
)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.integers() | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
STREAM = st.fixed_dictionaries(
    {"source": st.just("x") | TREES},
    optional=dict.fromkeys(
        ("model", "mask", "effect", "allow_uncovered", "video", "encoder", "publish", "record", "outputs", "enabled"),
        TREES,
    ),
)


def load(text: str) -> None:
    with contextlib.suppress(ConfigError):
        config = load_config_text(text, Path("/nowhere"), environ={"X": "rtsp://u:p@h/"})
        warnings(config)
        assert yaml.safe_load(show(config))


@settings(deadline=None, max_examples=150)
@given(st.text(alphabet="abst:-[]{}#&*!|>'\"%@`, \n\t0.~<?$\x00\x85é", max_size=60))
def test_any_text(text: str) -> None:
    load(text)


@settings(deadline=None, max_examples=40)
@given(TREES)
def test_any_tree(data: Any) -> None:
    load(yaml.dump(data, allow_unicode=True))


@settings(deadline=None, max_examples=40)
@given(STREAM, st.dictionaries(st.sampled_from(["http", "log", "ffmpeg"]), TREES))
def test_any_stream(stream: Any, rest: Any) -> None:
    load(yaml.dump({"streams": {"door": stream}, **rest}))
