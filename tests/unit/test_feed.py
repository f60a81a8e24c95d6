"""The feed and its queue: order, dropping, waiting, starting again."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeseg.backoff import Backoff
from edgeseg.encoding.hub import Hub
from edgeseg.errors import OutputError
from edgeseg.outputs.feed import Feed
from edgeseg.outputs.tagqueue import Ended, TagQueue
from edgeseg.status import OutputStatus
from edgeseg.types import State, StreamHeader, Tag
from tests.fakes_output import FakeOutput, Watcher, feed_hub, group, picture, sound, video_config
from tests.waiting import wait_until

HEADER = StreamHeader(1, b"FLV", (), False)


class Bench:
    """A hub, a fake output and the feed between them."""

    def __init__(self, **options: object) -> None:
        self.hub = Hub()
        self.output = FakeOutput()
        self.status = OutputStatus("fake", "fake", "nowhere")
        options = {"opening_s": 0.0, "backoff": Backoff(0.01, 0.05), **options}
        self.feed = Feed("door/fake", self.output, self.status, **options)  # type: ignore[arg-type]

    @property
    def written(self) -> list[int]:
        return [tag.timestamp_ms for session in self.output.sessions for tag in session]

    def wait_for(self, *states: State) -> None:
        wait_until(lambda: self.status.state in states, what=f"state {states}, is {self.status.state}")


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.output.gate.set()
    made.feed.close(2)


def test_everything_since_the_start_is_written_and_then_the_output_is_closed(bench: Bench) -> None:
    bench.feed.start(bench.hub)
    assert bench.status.state is State.STARTING
    feed_hub(bench.hub, [video_config(), *group(0), sound(170)])
    bench.hub.end()
    bench.wait_for(State.STOPPED)
    assert bench.written == [0, 40, 80, 120, 160, 170]
    assert (bench.status.sent_tags, bench.status.dropped_tags, bench.status.starts) == (6, 0, 1)
    assert bench.status.sent_bytes == sum(len(tag.wire) for tag in bench.output.sessions[0])
    assert bench.output.closed == 1


def test_closing_lets_the_queue_drain(bench: Bench) -> None:
    bench.output.gate.clear()
    bench.feed.start(bench.hub)
    feed_hub(bench.hub, [video_config(), *group(0)])
    closer = threading.Thread(target=bench.feed.close, args=(5.0,))
    closer.start()
    bench.output.gate.set()
    closer.join(5)
    assert bench.written == [0, 40, 80, 120, 160]
    assert bench.status.state is State.STOPPED


def test_closing_cuts_a_blocked_output_short(bench: Bench) -> None:
    bench.output.gate.clear()
    bench.feed.start(bench.hub)
    feed_hub(bench.hub, [video_config(), *group(0)])
    bench.feed.close(0.2)
    assert bench.output.gate.is_set()
    assert bench.status.state is State.STOPPED


def test_a_failure_is_retried_from_the_cached_group_and_said_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    refused = OutputError("cannot publish to x: nobody listens there", hint="is it running?")
    bench.output.fail = [refused, refused, refused]
    bench.feed.start(bench.hub)
    feed_hub(bench.hub, [video_config(), *group(0), *group(200, 3)])
    bench.wait_for(State.RUNNING)
    bench.hub.tag(picture(320))
    wait_until(lambda: bench.written == [200, 240, 280, 320], what="the last group and what follows")
    assert bench.status.reason == ""
    assert (bench.status.starts, bench.status.reconnects) == (4, 3)
    assert [record.getMessage() for record in caplog.records] == [
        "door/fake: cannot publish to x: nobody listens there (is it running?); trying again",
        "door/fake: is back on nowhere",
    ]


def test_a_permanent_failure_ends_it(bench: Bench) -> None:
    bench.output.fail = [OutputError("no such thing", permanent=True)]
    bench.feed.start(bench.hub)
    feed_hub(bench.hub, [video_config(), *group(0)])
    bench.wait_for(State.FAILED)
    assert bench.status.reason == "no such thing"
    assert bench.status.starts == 1


def test_an_output_that_raises_something_else_is_retried_too(bench: Bench) -> None:
    bench.output.fail = [ZeroDivisionError("by zero")]  # type: ignore[list-item]
    bench.feed.start(bench.hub)
    feed_hub(bench.hub, [video_config(), *group(0)])
    bench.wait_for(State.RUNNING)
    assert bench.status.starts == 2


def test_another_configuration_opens_it_again_without_back_off(bench: Bench) -> None:
    bench.feed.start(bench.hub)
    feed_hub(bench.hub, [video_config(1), *group(0), video_config(2), *group(200, 2)])
    bench.hub.end()
    bench.wait_for(State.STOPPED)
    assert [header.epoch for header in bench.output.headers] == [1, 2]
    assert [[tag.timestamp_ms for tag in session] for session in bench.output.sessions] == [
        [0, 40, 80, 120, 160],
        [200, 240],
    ]
    assert (bench.status.starts, bench.status.dropped_tags) == (2, 0)


def test_a_stalled_output_drops_to_a_keyframe_and_its_neighbour_loses_nothing(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    neighbour = Watcher()
    bench.hub.subscribe(neighbour)
    bench.output.gate.clear()
    bench.feed.start(bench.hub)
    groups = [tag for start in range(0, 6000, 200) for tag in group(start)]
    feed_hub(bench.hub, [video_config(), groups[0]])
    wait_until(lambda: bench.output.is_open, what="the first write")
    feed_hub(bench.hub, groups[1:])
    bench.output.gate.set()
    bench.hub.end()
    bench.wait_for(State.STOPPED)
    assert neighbour.tags == groups
    assert len(bench.written) + bench.status.dropped_tags == len(groups)
    gaps = [(a, b) for a, b in zip(bench.written, bench.written[1:], strict=False) if b - a != 40]
    assert len(gaps) == 1
    assert gaps[0][1] % 200 == 0
    assert 5960 - gaps[0][1] <= 2000
    assert sum("dropped" in record.getMessage() for record in caplog.records) == 1


def test_a_file_waits_for_a_slow_output() -> None:
    bench = Bench(wait=True, wait_s=10.0, queue_s=0.2)
    bench.output.gate.clear()
    bench.feed.start(bench.hub)
    groups = [tag for start in range(0, 2000, 200) for tag in group(start)]
    pump = threading.Thread(target=feed_hub, args=(bench.hub, [video_config(), *groups]))
    pump.start()
    wait_until(lambda: bench.status.queue_length or bench.output.sessions, what="the first tag")
    assert pump.is_alive()
    bench.output.gate.set()
    pump.join(10)
    bench.hub.end()
    bench.wait_for(State.STOPPED)
    assert len(bench.written) == len(groups)
    assert bench.status.dropped_tags == 0


def test_waiting_has_an_end_and_is_not_repeated_while_nothing_moves() -> None:
    dropped: list[int] = []
    queue = TagQueue(queue_s=0.1, wait_s=0.05, dropped=dropped.append)
    queue.header(HEADER)
    for tag in [*group(0, 60), *group(2400, 2)]:
        queue.tag(tag)
    assert sum(dropped) == 60
    assert queue.get(0) == HEADER
    assert [queue.get(0), queue.get(0)] == group(2400, 2)
    assert queue.get(0) is None


def test_a_queue_is_bounded_in_bytes() -> None:
    dropped: list[int] = []
    queue = TagQueue(queue_bytes=5000, dropped=dropped.append)
    for start in range(0, 400, 40):
        queue.tag(picture(start, key=True, size=1000))
    assert len(queue) == 4
    assert sum(dropped) == 6


def test_the_cached_group_does_not_count_as_lag() -> None:
    queue = TagQueue(queue_s=0.1)
    cached = tuple(group(0, 60))
    queue.replay(cached)
    queue.tag(picture(2400))
    assert [queue.get(0), queue.get(0)] == [cached, picture(2400)]


def test_a_header_survives_what_is_dropped_around_it() -> None:
    queue = TagQueue(queue_s=0.1)
    queue.header(HEADER)
    newer = StreamHeader(2, b"FLV", (), False)
    feed = [*group(0, 2), newer, *group(200, 4), picture(400, key=True)]
    for item in feed:
        queue.header(item) if isinstance(item, StreamHeader) else queue.tag(item)
    assert [queue.get(0), queue.get(0)] == [newer, picture(400, key=True)]


def test_an_ended_queue_gives_what_is_left_and_then_says_so() -> None:
    queue = TagQueue()
    queue.tag(picture(0, key=True))
    queue.end()
    queue.tag(picture(40))
    assert queue.get(0) == picture(0, key=True)
    with pytest.raises(Ended):
        queue.get(0)


@given(st.lists(st.sampled_from(("tag", "keyframe", "header", "get", "end")), max_size=60))
def test_a_queue_gives_whatever_it_holds_and_at_once(steps: list[str]) -> None:
    queue = TagQueue(queue_s=0.1)
    now_ms = 0
    for step in steps:
        if step == "get":
            held = len(queue)
            try:
                assert (queue.get(0) is not None) == (held > 0)
            except Ended:
                assert held == 0
        elif step == "end":
            queue.end()
        elif step == "header":
            queue.header(HEADER)
        else:
            now_ms += 40
            queue.tag(picture(now_ms, key=step == "keyframe"))


def test_a_consumer_that_takes_while_pictures_are_dropped_gets_the_rest_in_order() -> None:
    dropped: list[int] = []
    queue = TagQueue(queue_s=0.1, dropped=dropped.append)
    sent = [tag for start in range(0, 400_000, 200) for tag in group(start, 5)]
    got: list[int] = []

    def consume() -> None:
        with contextlib.suppress(Ended):
            while True:
                item = queue.get(10)
                assert isinstance(item, Tag)
                got.append(item.timestamp_ms)

    consumer = threading.Thread(target=consume)
    consumer.start()
    for tag in sent:
        queue.tag(tag)
    queue.end()
    consumer.join(10)
    assert not consumer.is_alive()
    assert got == sorted(set(got))
    assert len(got) + sum(dropped) == len(sent)


def test_back_off_grows_to_its_limit_and_starts_over_after_a_stable_minute() -> None:
    backoff = Backoff()
    waits = [backoff.next_s(0.0) for _ in range(10)]
    for wait, nominal in zip(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60], strict=True):
        assert 0.8 * nominal <= wait <= 1.2 * nominal
    assert backoff.next_s(61.0) <= 1.2
    assert backoff.next_s(59.0) >= 1.6


def test_a_pause_of_the_source_is_not_lag() -> None:
    dropped: list[int] = []
    queue = TagQueue(queue_s=2.0, dropped=dropped.append)
    for tag in (picture(0, key=True), picture(40), picture(10_000), picture(10_040)):
        queue.tag(tag)
    assert dropped == []
    assert len(queue) == 4


def test_a_consumer_that_still_connects_has_more_room_until_it_has_caught_up() -> None:
    dropped: list[int] = []
    queue = TagQueue(queue_s=0.2, opening_s=2.0, dropped=dropped.append)
    for tag in group(0, 25):
        queue.tag(tag)
    assert dropped == []
    queue.opened()
    while len(queue):
        queue.get(0)
    for tag in group(1000, 25):
        queue.tag(tag)
    assert sum(dropped) > 0
