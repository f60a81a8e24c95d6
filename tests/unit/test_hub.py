"""The hub: who gets what, in which order, and what a newcomer starts with."""

from __future__ import annotations

import threading

import pytest

from edgeseg.encoding.hub import Hub
from edgeseg.types import TagKind
from tests.fakes_output import Watcher, audio_config, feed_hub, group, metadata, picture, sound, video_config
from tests.waiting import wait_until


def started(**options: object) -> tuple[Hub, Watcher]:
    hub, watcher = Hub(**options), Watcher()  # type: ignore[arg-type]
    hub.subscribe(watcher)
    feed_hub(hub, [metadata(), video_config(), audio_config(), *group(0)])
    return hub, watcher


def test_the_first_subscriber_gets_everything_from_the_first_keyframe() -> None:
    hub, watcher = started()
    hub.end()
    assert watcher.calls == ["header", *["tag"] * 5, "end"]
    (header,) = watcher.headers
    assert (header.epoch, header.has_audio) == (1, True)
    assert [tag.kind for tag in header.tags] == [TagKind.SCRIPT, TagKind.VIDEO, TagKind.AUDIO]
    assert header.wire.startswith(b"FLV\x01\x05")
    assert watcher.tags == group(0)


def test_a_newcomer_gets_the_last_group_and_then_live() -> None:
    hub, _ = started()
    feed_hub(hub, [*group(200, 3), sound(300)])
    newcomer = Watcher()
    hub.subscribe(newcomer)
    hub.tag(picture(320))
    assert newcomer.calls == ["header", "replay", "tag"]
    assert newcomer.cached == [*group(200, 3), sound(300)]
    assert newcomer.tags == [picture(320)]


def test_sound_before_the_first_picture_comes_right_after_it() -> None:
    hub, watcher = Hub(), Watcher()
    hub.subscribe(watcher)
    feed_hub(hub, [metadata(), video_config(), audio_config(), sound(0), picture(10), picture(40, key=True)])
    assert watcher.tags == [picture(40, key=True), sound(0)]


def test_a_restarted_encoder_with_the_same_configuration_goes_unnoticed() -> None:
    hub, watcher = started()
    feed_hub(hub, [metadata(), video_config(ms=200), audio_config(ms=200), sound(201), *group(205)])
    assert watcher.calls == ["header", *["tag"] * 11]
    assert hub.header is not None
    assert hub.header.epoch == 1


@pytest.mark.parametrize(
    ("restart", "has_audio"),
    [
        ([metadata(), video_config(2), audio_config()], True),
        ([metadata(), video_config(), audio_config(2)], True),
        ([metadata(), video_config()], False),
        ([video_config(2)], True),
    ],
    ids=["video changed", "audio changed", "audio gone", "changed on the way"],
)
def test_another_configuration_is_a_new_epoch(restart: list, has_audio: bool) -> None:  # type: ignore[type-arg]
    hub, watcher = started()
    feed_hub(hub, [*restart, *group(400, 2)])
    assert watcher.calls == ["header", *["tag"] * 5, "header", *["tag"] * 2]
    assert [header.epoch for header in watcher.headers] == [1, 2]
    assert watcher.headers[1].has_audio is has_audio
    newcomer = Watcher()
    hub.subscribe(newcomer)
    assert newcomer.headers == [watcher.headers[1]]
    assert newcomer.cached == group(400, 2)


def test_expected_sound_without_configuration_is_announced() -> None:
    hub, watcher = Hub(expects_audio=True), Watcher()
    hub.subscribe(watcher)
    feed_hub(hub, [metadata(), video_config(), *group(0, 1)])
    assert watcher.headers[0].has_audio
    assert watcher.headers[0].file_header[4] == 5


@pytest.mark.parametrize("limit", [{"cache_s": 0.1}, {"cache_bytes": 250}])
def test_a_group_beyond_the_limit_is_not_cached_and_newcomers_wait_for_a_keyframe(limit: dict[str, float]) -> None:
    hub, _ = started(**limit)
    newcomer = Watcher()
    hub.subscribe(newcomer)
    feed_hub(hub, [picture(200), sound(210), *group(240, 2)])
    assert newcomer.calls == ["header", "tag", "tag"]
    assert newcomer.tags == group(240, 2)


def test_a_subscriber_that_raises_is_removed_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Watcher):
        def tag(self, tag: object) -> None:
            super().tag(tag)  # type: ignore[arg-type]
            raise RuntimeError("broken subscriber")

    hub, broken, watcher = Hub("door"), Broken(), Watcher()
    hub.subscribe(broken)
    hub.subscribe(watcher)
    feed_hub(hub, [video_config(), *group(0)])
    assert (len(broken.tags), len(watcher.tags)) == (1, 5)
    assert [record.message for record in caplog.records] == ["door: a subscriber failed and gets nothing more"]


def test_after_the_end_a_newcomer_sees_the_last_group_and_the_end() -> None:
    hub, watcher = started()
    hub.end()
    hub.end()
    assert watcher.calls.count("end") == 1
    late = Watcher()
    hub.subscribe(late)
    assert late.calls == ["header", "replay", "end"]


def test_unsubscribed_means_silent() -> None:
    hub, watcher = started()
    hub.unsubscribe(watcher)
    hub.unsubscribe(watcher)
    hub.tag(picture(200, key=True))
    hub.end()
    assert watcher.calls == ["header", *["tag"] * 5]


def test_a_subscriber_that_waits_holds_up_the_stream_but_nobody_who_comes_or_goes() -> None:
    entered, release = threading.Event(), threading.Event()

    class Slow(Watcher):
        def tag(self, tag: object) -> None:
            entered.set()
            assert release.wait(10)

    hub, slow, watcher = Hub(), Slow(), Watcher()
    hub.subscribe(slow)
    thread = threading.Thread(target=feed_hub, args=(hub, [video_config(), picture(0, key=True), picture(40)]))
    thread.start()
    assert entered.wait(10)
    hub.subscribe(watcher)
    hub.unsubscribe(slow)
    release.set()
    thread.join(10)
    assert watcher.cached + watcher.tags == [picture(0, key=True), picture(40)]


def test_joining_while_tags_flow_never_loses_or_doubles_one() -> None:
    hub = Hub()
    feed_hub(hub, [video_config(), *group(0, 2)])
    stop = threading.Event()

    def pump() -> None:
        ms = 80
        while not stop.is_set():
            hub.tag(picture(ms, key=ms % 400 == 0))
            ms += 40

    thread = threading.Thread(target=pump)
    thread.start()
    try:
        watchers = [Watcher() for _ in range(30)]
        for watcher in watchers:
            hub.subscribe(watcher)
        wait_until(lambda: all(len(watcher.tags) > 20 for watcher in watchers), what="every watcher seeing 20 tags")
    finally:
        stop.set()
        thread.join(10)
    for watcher in watchers:
        times = [tag.timestamp_ms for tag in watcher.cached + watcher.tags]
        assert times == list(range(times[0], times[-1] + 40, 40))
        assert times[0] % 400 == 0
