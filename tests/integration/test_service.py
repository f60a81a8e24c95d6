"""The HTTP service as its clients see it, with real streams behind it."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import aiohttp
import av
import cv2
import numpy as np
import pytest

from edgeseg.errors import EXIT_CONFIG, EXIT_MODEL, EXIT_USAGE, ListenError
from edgeseg.service import app
from edgeseg.service.app import HttpService
from edgeseg.status import DaemonStatus, LatestFrame, OutputStatus, StreamStatus, Subscriber
from edgeseg.types import State
from tests.integration.fake_stream import FakeStream
from tests.waiting import wait_until

TOKEN = "s3cret-token"


class SilentStream:
    """A stream that never gives anything."""

    def __init__(self, name: str = "yard") -> None:
        self.status = StreamStatus(name, state=State.BACKING_OFF, reason="camera yard does not answer")
        self.latest = LatestFrame()
        self.seats: list[Subscriber] = []

    def subscribe(self, subscriber: Subscriber) -> None:
        self.seats.append(subscriber)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        if subscriber in self.seats:
            self.seats.remove(subscriber)


@contextmanager
def serving(*streams: FakeStream | SilentStream, token: str | None = None) -> Iterator[HttpService]:
    service = HttpService("127.0.0.1", 0, token, {s.status.name: s for s in streams}, DaemonStatus("1.2.3"))
    service.start()
    try:
        yield service
    finally:
        service.stop()
        for stream in streams:
            stream.status.outputs.clear()


@pytest.fixture(scope="module")
def door() -> Iterator[FakeStream]:
    with FakeStream() as stream:
        wait_until(lambda: stream.hub.header, 10, "the first keyframe")
        yield stream


def ask(service: HttpService, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection("127.0.0.1", service.port, timeout=5)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): text for name, text in headers.items()})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def test_the_port_is_busy() -> None:
    with serving(SilentStream()) as first:
        second = HttpService("127.0.0.1", first.port, None, {}, DaemonStatus("1.2.3"))
        with pytest.raises(ListenError, match=rf"http\.port.*{first.port}.*another program"):
            second.start()
        second.stop()


def test_who_comes_before_the_service_is_ready_gets_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "_HEAD_START_S", 60.0)
    service = HttpService("127.0.0.1", 0, None, {}, DaemonStatus("1.2.3"))
    service.begin()
    port = service.port
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as early:
            assert not service.answers(0)
            early.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            service.start()
            assert service.answers()
            assert service.port == port
            assert early.recv(4096).startswith(b"HTTP/1.0 200")
    finally:
        service.stop()


def test_a_service_that_only_began_can_be_stopped() -> None:
    service = HttpService("127.0.0.1", 0, None, {}, DaemonStatus("1.2.3"))
    service.begin()
    service.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", service.port), timeout=5)


def test_a_busy_port_is_told_at_once() -> None:
    with serving(SilentStream()) as first:
        second = HttpService("127.0.0.1", first.port, None, {}, DaemonStatus("1.2.3"))
        with pytest.raises(ListenError, match="another program"):
            second.begin()


def test_viewers_of_a_stream_that_is_off_already() -> None:
    off = SilentStream()
    off.status.state = State.FAILED
    with serving(off):
        (viewers,) = off.status.outputs
        assert (viewers.state, viewers.reason) == (State.STOPPED, "the stream is off")


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(ListenError, match=r"http\.host.*192\.0\.2\.7"):
        HttpService("192.0.2.7", 0, None, {}, DaemonStatus("1.2.3")).start()
    # systemd tries it again: at boot the network may come up later.
    assert ListenError("").exit_code not in (EXIT_USAGE, EXIT_MODEL, EXIT_CONFIG)


def test_health_says_what_is_wrong(door: FakeStream) -> None:
    with serving(door) as service:
        assert ask(service, "/healthz")[1] == b"ok\n"
        response, body = ask(service, "/readyz")
        assert (response.status, json.loads(body)) == (200, {"ready": True, "not_ready": []})
    with serving(door, SilentStream()) as service:
        response, body = ask(service, "/readyz")
        assert response.status == 503
        (late,) = json.loads(body)["not_ready"]
        assert late == {
            "stream": "yard",
            "state": "backing_off",
            "why": "no picture yet: camera yard does not answer",
        }
    with serving() as service:
        assert ask(service, "/readyz")[0].status == 503


def test_health_keeps_secrets_of_a_plug_in(door: FakeStream) -> None:
    """Everybody on this machine may ask without a token, and not every source redacts what it says."""
    told = SilentStream()
    told.status.reason = "cannot open rtsp://admin:geheim@camera/1"
    with serving(told) as service:
        body = ask(service, "/readyz")[1]
    assert b"geheim" not in body
    assert b"rtsp://***@camera/1" in body


def test_a_stream_that_stops_is_noticed(door: FakeStream) -> None:
    silent = SilentStream()
    silent.status.state = State.RUNNING
    with serving(silent) as service:
        silent.status.last_output_at = time.monotonic() - 4
        assert ask(service, "/readyz")[0].status == 200
        silent.status.last_output_at = time.monotonic() - 6
        response, body = ask(service, "/readyz")
        assert response.status == 503
        assert "no new picture for 6" in json.loads(body)["not_ready"][0]["why"]


def test_status_as_json(door: FakeStream) -> None:
    with serving(door) as service:
        report = json.loads(ask(service, "/api/streams")[1])
        (stream,) = report["streams"]
        assert (report["version"], stream["name"], stream["state"]) == ("1.2.3", "door", "running")
        assert (stream["width"], stream["height"]) == (640, 360)
        assert stream["latency"]["count"] > 0
        assert [output["kind"] for output in stream["outputs"]] == ["viewers"]


def test_metrics_are_served(door: FakeStream) -> None:
    with serving(door) as service:
        response, body = ask(service, "/metrics")
    assert response.getheader("Content-Type", "").startswith("text/plain; version=")
    assert b'edgeseg_stream_state{state="running",stream="door"} 1.0' in body
    assert b"edgeseg_child_processes" in body


def test_snapshot_has_the_frames_own_colour(door: FakeStream) -> None:
    with serving(door) as service:
        response, body = ask(service, "/streams/door/snapshot.jpg")
    assert (response.status, response.getheader("Content-Type")) == (200, "image/jpeg")
    assert response.getheader("Cache-Control") == "no-store"
    picture = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (360, 640, 3)
    # Y'CbCr (81, 90, 240) read as BT.709 limited, which is what the frame says.
    assert np.abs(picture.mean(axis=(0, 1)) - (0, 16, 255)).max() < 12


def test_no_frame_no_snapshot() -> None:
    with serving(SilentStream()) as service:
        response, body = ask(service, "/streams/yard/snapshot.jpg")
    assert response.status == 503
    assert body == b"stream yard gives no picture at the moment\n"


def test_flv_plays_at_once_and_live(door: FakeStream) -> None:
    with serving(door) as service:
        began = time.monotonic()
        with av.open(f"{service.url}streams/door/live.flv", timeout=(5, 5)) as container:
            pictures = container.decode(video=0)
            first = next(pictures)
            assert time.monotonic() - began < 2
            assert (first.width, first.height) == (640, 360)
            last = first
            while (last.time or 0.0) < 1:
                last = next(pictures)
        # What was cached is squeezed together: nobody is later than the second that was asked for.
        assert time.monotonic() - began < 3
        wait_until(lambda: door.status.outputs[-1].viewers == 0, 3, "the viewer's end")
        assert door.status.outputs[-1].sent_bytes > 10_000


def test_head_of_a_live_stream_ends(door: FakeStream) -> None:
    with serving(door) as service:
        response, body = ask(service, "/streams/door/live.flv", "HEAD")
    assert (response.status, response.getheader("Content-Type"), body) == (200, "video/x-flv", b"")


def test_the_pages_websocket_gives_mp4(door: FakeStream) -> None:
    async def scene(service: HttpService) -> tuple[dict[str, Any], bytes]:
        address = f"{service.url}streams/door/live.mp4ws"
        async with aiohttp.ClientSession() as client, client.ws_connect(address) as ws:
            told = json.loads(await ws.receive_str(timeout=5))
            parts = [await ws.receive_bytes(timeout=5) for _ in range(20)]
            return told, b"".join(parts)

    with serving(door) as service:
        told, mp4 = asyncio.run(scene(service))
    assert told["mime"].startswith('video/mp4; codecs="avc1.')
    assert "mp4a.40.2" in told["mime"]
    assert told["sound"] is True
    with av.open(io.BytesIO(mp4)) as container:
        assert len(list(container.decode(video=0))) >= 10


def test_seats_are_limited_and_given_back() -> None:
    silent = SilentStream()

    async def scene(service: HttpService) -> int:
        address = f"{service.url}streams/yard/live.mp4ws"
        async with aiohttp.ClientSession() as client:
            seated = [await client.ws_connect(address) for _ in range(8)]
            await asyncio.to_thread(wait_until, lambda: len(silent.seats) == 8, 3, "eight viewers")
            late = await client.ws_connect(address)
            message = await late.receive(timeout=5)
            assert "8 viewers already" in str(message.extra)
            response = await client.get(f"{service.url}streams/yard/live.flv")
            assert response.status == 503
            for ws in seated:
                await ws.close()
            return int(late.close_code or 0)

    with serving(silent) as service:
        assert asyncio.run(scene(service)) == 1013
        # Nothing was ever sent to them, and they are gone all the same.
        wait_until(lambda: not silent.seats, 3, "the seats being given back")


def test_a_player_that_leaves_a_silent_stream_gives_its_seat_back() -> None:
    silent = SilentStream()
    with serving(silent) as service:
        with socket.create_connection(("127.0.0.1", service.port)) as player:
            player.sendall(b"GET /streams/yard/live.flv HTTP/1.1\r\nHost: localhost\r\n\r\n")
            wait_until(lambda: silent.seats, 3, "the viewer")
        wait_until(lambda: not silent.seats, 3, "the seat being given back")


def test_a_viewer_that_does_not_read_loses_pictures_and_nobody_else_does(door: FakeStream) -> None:
    with serving(door) as service, socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect(("127.0.0.1", service.port))
        lazy.sendall(b"GET /streams/door/live.flv HTTP/1.1\r\nHost: localhost\r\n\r\n")
        status = door.status.outputs[-1]
        wait_until(lambda: status.dropped_tags > 0, 10, "a drop")
        assert service.answers()


def test_stop_ends_viewers_within_a_second(door: FakeStream) -> None:
    with serving(door) as service:
        player = socket.create_connection(("127.0.0.1", service.port), timeout=5)
        player.sendall(b"GET /streams/door/live.flv HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert player.recv(100).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        service.stop()
        assert time.monotonic() - began < 1.5
        tail = b""
        while got := player.recv(1 << 16):
            tail = (tail + got)[-5:]
        player.close()
        assert tail == b"0\r\n\r\n"  # ended properly, not torn
        assert not service.answers()


class TestAccess:
    def test_without_a_token_only_this_machines_names_are_answered(self) -> None:
        with serving(SilentStream()) as service:
            for host in ("localhost", "127.0.0.1", "[::1]", f"localhost:{service.port}"):
                assert ask(service, "/api/streams", Host=host)[0].status == 200
            for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8790", "[::1"):
                response, body = ask(service, "/api/streams", Host=host)
                assert response.status in {400, 403}
                assert b"camera" not in body
            assert ask(service, "/healthz", Host="box.lan")[0].status == 200

    def test_other_pages_may_not_connect(self) -> None:
        with serving(SilentStream()) as service:
            own = f"http://127.0.0.1:{service.port}"
            assert ask(service, "/api/streams", Origin=own)[0].status == 200
            for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
                assert ask(service, "/streams/yard/live.mp4ws", Origin=origin)[0].status == 403

    def test_with_a_token_it_has_to_be_shown(self) -> None:
        with serving(SilentStream(), token=TOKEN) as service:
            for path in ("/", "/metrics", "/api/streams", "/streams/yard/live.flv", "/static/page.js", "/nothing"):
                response, body = ask(service, path)
                assert response.status == 401
                assert response.getheader("WWW-Authenticate") == "Bearer"
                assert body.count(b"\n") == 1
            assert ask(service, "/api/streams", Authorization=f"Bearer {TOKEN}", Host="box.lan")[0].status == 200
            assert ask(service, f"/api/streams?token={TOKEN}")[0].status == 200
            for wrong in ("Bearer s3cret-tokem", "Bearer ", f"Basic {TOKEN}", "Bearer \xff"):
                assert ask(service, "/api/streams", Authorization=wrong)[0].status == 401
            assert ask(service, "/api/streams?token=")[0].status == 401

    def test_the_page_sets_a_cookie_that_is_not_the_token(self) -> None:
        with serving(SilentStream(), token=TOKEN) as service:
            response, _ = ask(service, f"/?token={TOKEN}")
            cookie = response.getheader("Set-Cookie", "")
            assert "HttpOnly" in cookie
            assert "SameSite=Strict" in cookie
            assert TOKEN not in cookie
            assert ask(service, "/api/streams", Cookie=cookie.partition(";")[0])[0].status == 200
            assert ask(service, "/api/streams", Cookie="edgeseg=guess")[0].status == 401

    def test_health_is_open_and_tells_strangers_no_addresses(self) -> None:
        with serving(SilentStream(), token=TOKEN) as service:
            response, body = ask(service, "/readyz")
            assert (response.status, b"camera" in body) == (503, False)
            assert b"camera yard" in ask(service, "/readyz", Authorization=f"Bearer {TOKEN}")[1]

    def test_every_answer_has_the_security_headers(self) -> None:
        with serving(SilentStream()) as service:
            for path in ("/", "/nothing", "/metrics", "/static/page.css", "/streams/x/live.flv"):
                response, _ = ask(service, path)
                policy = response.getheader("Content-Security-Policy", "")
                assert "default-src 'none'" in policy
                assert "unsafe" not in policy
                assert response.getheader("X-Content-Type-Options") == "nosniff"
                assert "aiohttp" not in response.getheader("Server", "").lower()


def test_a_failure_is_one_line_without_the_query(caplog: pytest.LogCaptureFixture) -> None:
    silent = SilentStream()
    with serving(silent) as service:
        silent.status.outputs.append(OutputStatus("live", "publish", None))  # type: ignore[arg-type] # a bug of ours
        with caplog.at_level(logging.INFO):
            response, body = ask(service, "/api/streams?token=abcdefgh")
    assert response.status == 500
    assert b"Traceback" not in body
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.getMessage().startswith("cannot answer GET /api/streams: ")
    assert "abcdefgh" not in caplog.text
