"""A viewer's queue: order, bounds, and what a slow viewer gets."""

from __future__ import annotations

import asyncio

import pytest

from edgeseg.flv import make_tag
from edgeseg.service._viewer import QUEUE_BYTES, QUEUE_MS, Viewer
from edgeseg.status import OutputStatus
from edgeseg.types import StreamHeader, Tag, TagKind

HEADER = StreamHeader(1, b"FLV", (), has_audio=False)


def picture(at_ms: int, *, key: bool = False, size: int = 10) -> Tag:
    return make_tag(TagKind.VIDEO, at_ms, (b"\x17\x01" if key else b"\x27\x01") + bytes(size))


def times(items: list[StreamHeader | Tag] | None) -> list[int]:
    return [item.timestamp_ms for item in items or [] if isinstance(item, Tag)]


def test_what_comes_is_what_goes_from_zero() -> None:
    async def scene() -> None:
        viewer = Viewer(asyncio.get_running_loop(), OutputStatus("http", "viewers", "/"))
        viewer.header(HEADER)
        viewer.tag(picture(5000, key=True))
        viewer.tag(picture(5033))
        items = await viewer.next()
        assert items
        assert items[0] is HEADER
        assert times(items) == [0, 33]
        viewer.tag(picture(5066))
        viewer.end()
        assert times(await viewer.next()) == [66]
        assert await viewer.next() is None

    asyncio.run(scene())


def test_a_cached_group_does_not_make_a_viewer_late() -> None:
    async def scene() -> None:
        status = OutputStatus("http", "viewers", "/")
        viewer = Viewer(asyncio.get_running_loop(), status)
        viewer.header(HEADER)
        viewer.replay([picture(0, key=True), *(picture(n * 40) for n in range(1, 250))])  # ten seconds
        viewer.tag(picture(10_000))
        got = times(await viewer.next())
        assert got[:3] == [0, 1, 2]
        assert got[-2:] == [249, 289]
        assert status.dropped_tags == 0

    asyncio.run(scene())


def test_a_slow_viewer_goes_on_at_a_keyframe() -> None:
    async def scene() -> None:
        status = OutputStatus("http", "viewers", "/")
        viewer = Viewer(asyncio.get_running_loop(), status)
        viewer.header(HEADER)
        pictures = [picture(n * 40, key=n % 50 == 0) for n in range(80)]  # keyframes at 0 and 2000 ms
        for tag in pictures:
            viewer.tag(tag)
        # 2040 ms are more than the queue holds: everything up to it is gone, and what follows waits for a keyframe.
        items = await viewer.next(0.1)
        assert items == [HEADER]
        viewer.tag(picture(4000, key=True))
        viewer.tag(picture(4040))
        assert times(await viewer.next()) == [4000, 4040]
        assert status.dropped_tags == len(pictures)

    asyncio.run(scene())


def test_memory_is_bounded_too() -> None:
    async def scene() -> None:
        status = OutputStatus("http", "viewers", "/")
        viewer = Viewer(asyncio.get_running_loop(), status)
        for n in range(12):
            viewer.tag(picture(n, key=True, size=QUEUE_BYTES // 8))
        waiting = await viewer.next()
        assert sum(len(item.wire) for item in waiting or []) <= 1.3 * QUEUE_BYTES
        assert status.dropped_tags > 0

    asyncio.run(scene())


def test_waiting_has_a_limit() -> None:
    async def scene() -> None:
        viewer = Viewer(asyncio.get_running_loop(), OutputStatus("http", "viewers", "/"))
        with pytest.raises(TimeoutError):
            await viewer.next(0.01)

    asyncio.run(scene())


def test_a_closed_loop_does_not_hurt_the_hub() -> None:
    loop = asyncio.new_event_loop()
    viewer = Viewer(loop, OutputStatus("http", "viewers", "/"))
    loop.close()
    viewer.tag(picture(0, key=True))
    viewer.tag(picture(QUEUE_MS * 2))
    viewer.end()
