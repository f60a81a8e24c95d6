"""The page in a real browser: a moving picture, soon, and honest words when there is none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from edgeseg.service.app import HttpService
from edgeseg.status import DaemonStatus
from edgeseg.types import State
from tests.e2e.browser import Browser
from tests.integration.fake_stream import FakeStream
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

VIDEO = "document.querySelector('video')"
LIVE = f"Boolean({VIDEO} && {VIDEO}.readyState >= 2 && document.querySelector('.picture.live'))"
BEHIND = f"{VIDEO}.buffered.end({VIDEO}.buffered.length - 1) - {VIDEO}.currentTime"
COVER = "document.querySelector('.cover').textContent"
HIDE = """(yes => { Object.defineProperty(document, 'hidden', {value: yes, configurable: true});
           document.dispatchEvent(new Event('visibilitychange')); })"""


@contextmanager
def serving(stream: FakeStream, token: str | None = None, port: int = 0) -> Iterator[HttpService]:
    service = HttpService("127.0.0.1", port, token, {stream.status.name: stream}, DaemonStatus("1.2.3"))
    service.start()
    try:
        yield service
    finally:
        service.stop()
        stream.status.outputs.clear()


@pytest.fixture(scope="module")
def door() -> Iterator[FakeStream]:
    with FakeStream(size="640x360") as stream:
        wait_until(lambda: stream.hub.header, 10, "the first keyframe")
        yield stream


def test_the_picture_moves_and_is_live(door: FakeStream) -> None:
    async def scene() -> None:
        with serving(door) as service:
            async with Browser() as browser:
                began = time.monotonic()
                await browser.open(service.url)
                await browser.wait_for(LIVE)
                assert time.monotonic() - began < 5
                assert await browser.evaluate(f"[{VIDEO}.videoWidth, {VIDEO}.videoHeight]") == [640, 360]
                at = await browser.evaluate(f"{VIDEO}.currentTime")
                await browser.wait_for(f"{VIDEO}.currentTime > {at} + 1.5")
                await browser.wait_for(f"{BEHIND} < 0.7")
                shown = f"{VIDEO}.getVideoPlaybackQuality().totalVideoFrames"
                assert await browser.evaluate(shown) > 30
                assert await browser.evaluate(f"{VIDEO}.getAttribute('aria-label')") == "Live picture of door"
                assert await browser.evaluate("document.querySelector('.badge').dataset.state") == "running"
                # Everything comes from the daemon, and the content security policy has nothing to complain of.
                assert all(url.startswith((service.url, "data:", "blob:")) for url in browser.requests)
                assert browser.log == []

    asyncio.run(scene())


def test_a_stream_that_stops_is_not_a_frozen_picture() -> None:
    async def scene() -> None:
        with FakeStream("yard") as yard, serving(yard) as service:
            async with Browser() as browser:
                await browser.open(service.url)
                await browser.wait_for(LIVE)
                yard.status.state, yard.status.reason = State.BACKING_OFF, "camera does not answer"
                yard.pause()
                await browser.wait_for("!document.querySelector('.picture.live')")
                await browser.wait_for(f"{COVER} === 'no picture: camera does not answer'")
                yard.status.reason = ""
                yard.go_on()
                await browser.wait_for(LIVE)
                await browser.wait_for(f"{BEHIND} < 0.7")

    asyncio.run(scene())


def test_the_page_comes_back_when_the_daemon_does(door: FakeStream) -> None:
    async def scene() -> None:
        async with Browser() as browser:
            with serving(door) as service:
                await browser.open(service.url)
                await browser.wait_for(LIVE)
            await browser.wait_for("!document.querySelector('.picture.live')")
            with serving(door, port=service.port):
                await browser.wait_for(LIVE)

    asyncio.run(scene())


def test_a_hidden_page_lets_go_of_the_stream(door: FakeStream) -> None:
    async def scene() -> None:
        with serving(door) as service:
            async with Browser() as browser:
                await browser.open(service.url)
                await browser.wait_for(LIVE)
                viewers = door.status.outputs[-1]
                assert viewers.viewers == 1
                await browser.evaluate(f"{HIDE}(true)")
                await asyncio.to_thread(wait_until, lambda: viewers.viewers == 0, 5, "the end of the viewer")
                await browser.evaluate(f"{HIDE}(false)")
                await asyncio.to_thread(wait_until, lambda: viewers.viewers == 1, 5, "the viewer's return")
                await browser.wait_for(LIVE)

    asyncio.run(scene())


def test_the_token_opens_the_page_and_leaves_the_address(door: FakeStream) -> None:
    async def scene() -> None:
        with serving(door, token="s3cret-token") as service:
            async with Browser() as browser:
                await browser.open(service.url)
                await browser.wait_for("document.body.textContent.includes('a token is needed')")
                await browser.open(f"{service.url}?token=s3cret-token")
                await browser.wait_for(LIVE)
                assert await browser.evaluate("location.href") == service.url
                assert await browser.evaluate("document.cookie") == ""

    asyncio.run(scene())


def test_sound_can_be_switched_on_with_the_keyboard(door: FakeStream) -> None:
    async def scene() -> None:
        with serving(door) as service:
            async with Browser() as browser:
                await browser.open(service.url)
                await browser.wait_for(LIVE)
                assert await browser.evaluate(f"{VIDEO}.muted") is True
                await browser.evaluate("document.querySelector('.sound').focus()")
                for kind in ("keyDown", "keyUp"):
                    key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
                    await browser.call("Input.dispatchKeyEvent", type=kind, **key)
                await browser.wait_for("document.querySelector('.sound').getAttribute('aria-pressed') === 'true'")
                await browser.wait_for(f"!{VIDEO}.muted && {VIDEO}.readyState >= 2 && !{VIDEO}.paused")
                at = await browser.evaluate(f"{VIDEO}.currentTime")
                await browser.wait_for(f"{VIDEO}.currentTime > {at} + 0.5")

    asyncio.run(scene())
