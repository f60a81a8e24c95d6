"""Silence goes where the pictures go: in time, without a gap, and it is a sound that decoders know."""

from __future__ import annotations

import io
from itertools import pairwise

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.config import load_config
from edgeseg.encoding.hub import Hub
from edgeseg.encoding.silence import SAMPLE_RATE, Silence
from edgeseg.errors import ConfigError
from edgeseg.flv import file_header
from edgeseg.types import StreamHeader, Tag, TagKind
from tests.fakes_output import Watcher, metadata, picture, sound, video_config

PACKET_MS = 1024 * 1000 / SAMPLE_RATE


def with_silence(times_ms: list[int]) -> list[Tag]:
    silence = Silence()
    header = [metadata(), video_config()]
    pictures = [picture(ms, key=n == 0) for n, ms in enumerate(times_ms)]
    return [each for tag in (*header, *pictures) for each in silence.with_silence(tag)]


def sounds_of(tags: list[Tag]) -> list[int]:
    return [tag.timestamp_ms for tag in tags if tag.kind is TagKind.AUDIO and not tag.config]


def test_it_decodes_to_silence_of_the_right_length() -> None:
    tags = with_silence(list(range(0, 10_000, 40)))
    flv = io.BytesIO(file_header(has_audio=True) + b"".join(t.wire for t in tags if t.kind is TagKind.AUDIO))
    samples = 0
    with av.open(flv, format="flv") as container:
        stream = container.streams.audio[0]
        assert (stream.codec_context.name, stream.codec_context.profile) == ("aac", "LC")
        assert (stream.codec_context.sample_rate, stream.codec_context.channels) == (48_000, 2)
        for frame in container.decode(stream):
            assert not np.any(frame.to_ndarray())
            samples += frame.samples
    assert abs(samples / SAMPLE_RATE - 10) <= 0.04


@pytest.mark.parametrize("step_ms", [17, 33, 40, 67, 200, 500])
def test_it_ends_with_the_last_picture_at_any_rate(step_ms: int) -> None:
    tags = with_silence(list(range(5000, 15_000, step_ms)))
    sounds = sounds_of(tags)
    last_ms = max(tag.timestamp_ms for tag in tags if tag.kind is TagKind.VIDEO)
    assert sounds[0] == 5000
    assert {b - a for a, b in pairwise(sounds)} <= {21, 22}
    assert -1 <= sounds[-1] + PACKET_MS - min(last_ms + step_ms, last_ms + 100) <= PACKET_MS


def test_slates_and_changes_of_the_rate_leave_no_gap() -> None:
    times = [*range(0, 2000, 40), *range(2500, 9000, 500), *range(9010, 12_000, 33), *range(12_100, 14_000, 67)]
    sounds = sounds_of(with_silence(times))
    assert {b - a for a, b in pairwise(sounds)} <= {21, 22}


def test_it_pauses_where_the_pictures_pause() -> None:
    sounds = sounds_of(with_silence([*range(0, 2000, 40), *range(60_000, 62_000, 40)]))
    (gap,) = ((a, b) for a, b in pairwise(sounds) if b - a > 22)
    assert gap[0] == pytest.approx(2000, abs=40)
    assert gap[1] == 60_000


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 4000), min_size=1, max_size=100))
def test_no_picture_is_more_than_40_ms_from_its_sound(steps: list[int]) -> None:
    times = [sum(steps[:n]) for n in range(len(steps))]
    tags = with_silence(times)
    sounds = sounds_of(tags)
    assert sounds == sorted(set(sounds))
    said_ms = -1.0
    for tag in tags:
        if tag.kind is TagKind.AUDIO and not tag.config:
            said_ms = tag.timestamp_ms + PACKET_MS
        elif tag.kind is TagKind.VIDEO and not tag.config and tag.timestamp_ms:
            # What is to be heard until a picture has been said before it, unless the sound begins anew with it.
            near = min(abs(ms - tag.timestamp_ms) for ms in sounds)
            assert said_ms >= tag.timestamp_ms - 40 or near <= 40


def test_a_new_encoder_s_header_has_the_same_sound_in_the_same_epoch() -> None:
    hub, viewer, silence = Hub(expects_audio=True), Watcher(), Silence()
    hub.subscribe(viewer)
    for restart in range(2):
        start = restart * 1000
        for tag in (metadata(), video_config(ms=start), picture(start, key=True), picture(start + 40)):
            for each in silence.with_silence(tag):
                hub.tag(each)
    headers: list[StreamHeader] = viewer.headers
    assert [header.epoch for header in headers] == [1]
    assert [tag.kind for tag in headers[0].tags] == [TagKind.SCRIPT, TagKind.VIDEO, TagKind.AUDIO]
    assert headers[0].has_audio


def test_sound_that_is_there_is_not_touched() -> None:
    tag = sound(40)
    assert list(Silence().with_silence(tag)) == [tag]


def test_the_configuration_says_what_it_takes(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "config.yaml"
    file.write_text("streams: {cam: {source: 'test:', audio: silence}}")
    assert load_config(file, environ={}).streams["cam"].audio == "silence"
    file.write_text("streams: {cam: {source: 'test:', audio: silent}}")
    with pytest.raises(ConfigError, match=r"audio: must be auto, none or silence, not 'silent'"):
        load_config(file, environ={})
