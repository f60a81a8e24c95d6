"""The bounded edge between two threads: what fills it, who waits, what is dropped."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeseg.queues import Closed, FrameQueue, WhenFull
from tests.waiting import wait_until

NOW = 0.0


def drain(queue: FrameQueue[int]) -> list[int]:
    items = []
    while (item := queue.get(NOW)) is not None:
        items.append(item)
    return items


@given(capacity=st.integers(1, 5), items=st.lists(st.integers(), max_size=20))
def test_drop_oldest_keeps_the_newest_and_tells_of_the_rest(capacity: int, items: list[int]) -> None:
    dropped: list[int] = []
    queue = FrameQueue(capacity, WhenFull.DROP_OLDEST, dropped.append)
    for item in items:
        assert queue.put(item)
        assert len(queue) <= capacity
    assert dropped == items[:-capacity] if len(items) > capacity else not dropped
    assert drain(queue) == items[-capacity:]


@given(capacity=st.integers(1, 5), items=st.lists(st.integers(), max_size=20))
def test_wait_loses_nothing_and_refuses_what_does_not_fit(capacity: int, items: list[int]) -> None:
    queue: FrameQueue[int] = FrameQueue(capacity, WhenFull.WAIT)
    assert [queue.put(item, NOW) for item in items] == [number < capacity for number in range(len(items))]
    assert drain(queue) == items[:capacity]


@given(capacity=st.integers(1, 4), items=st.lists(st.booleans(), max_size=24))
def test_what_may_not_be_dropped_never_is(capacity: int, items: list[bool]) -> None:
    """Sound (True) shares the encoder's queue with pictures (False) and must come out whole."""
    tagged = list(enumerate(items))
    dropped: list[tuple[int, bool]] = []
    queue = FrameQueue(capacity, WhenFull.DROP_OLDEST, dropped.append, counts=lambda item: not item[1])
    for item in tagged:
        queue.put(item)
    out = []
    while (item_out := queue.get(NOW)) is not None:
        out.append(item_out)
    assert not any(sound for _, sound in dropped)
    assert sorted(out + dropped) == tagged
    assert out == sorted(out)
    assert sum(not sound for _, sound in out) == min(capacity, items.count(False))


def test_get_waits_for_put() -> None:
    queue: FrameQueue[int] = FrameQueue(1, WhenFull.WAIT)
    got: list[int | None] = []
    taker = threading.Thread(target=lambda: got.append(queue.get(5)))
    taker.start()
    queue.put(7)
    taker.join(5)
    assert got == [7]


def test_put_waits_for_room_and_keeps_the_order() -> None:
    queue: FrameQueue[int] = FrameQueue(2, WhenFull.WAIT)
    putter = threading.Thread(target=lambda: [queue.put(n) for n in range(50)])
    putter.start()
    assert [queue.get(5) for _ in range(50)] == list(range(50))
    putter.join(5)
    assert not putter.is_alive()


@pytest.mark.parametrize("policy", WhenFull)
def test_close_wakes_who_waits_to_take(policy: WhenFull) -> None:
    queue: FrameQueue[int] = FrameQueue(1, policy)
    ended = threading.Event()

    def take() -> None:
        with pytest.raises(Closed):
            queue.get()
        ended.set()

    taker = threading.Thread(target=take)
    taker.start()
    queue.close()
    assert ended.wait(5)
    taker.join(5)


def test_close_wakes_who_waits_to_put() -> None:
    queue: FrameQueue[int] = FrameQueue(1, WhenFull.WAIT)
    queue.put(1)
    ended = threading.Event()
    started = threading.Event()

    def put() -> None:
        started.set()
        with pytest.raises(Closed):
            queue.put(2)
        ended.set()

    putter = threading.Thread(target=put)
    putter.start()
    assert started.wait(5)
    queue.close()
    assert ended.wait(5)
    putter.join(5)


@pytest.mark.parametrize("policy", WhenFull)
def test_what_was_put_before_close_still_comes_out(policy: WhenFull) -> None:
    queue: FrameQueue[int] = FrameQueue(3, policy)
    queue.put(1)
    queue.put(2)
    queue.close()
    assert [queue.get(NOW), queue.get(NOW)] == [1, 2]
    with pytest.raises(Closed):
        queue.get(NOW)
    with pytest.raises(Closed):
        queue.put(3)


def test_clear_tells_of_every_item_and_makes_room() -> None:
    dropped: list[int] = []
    queue = FrameQueue(2, WhenFull.WAIT, dropped.append)
    queue.put(1)
    queue.put(2)
    putter = threading.Thread(target=queue.put, args=(3,))
    putter.start()
    queue.clear()
    putter.join(5)
    assert dropped == [1, 2]
    assert wait_until(lambda: len(queue) == 1, what="the put that waited")
    assert queue.get(NOW) == 3
