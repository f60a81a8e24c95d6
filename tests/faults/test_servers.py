"""RTMP servers that fail: the recording is whole, the picture comes back at a keyframe, nobody else notices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import av
import pytest

from tests.equipment.freezable_nginx import FreezableNginx
from tests.equipment.proxy import Proxy
from tests.equipment.receiver import Receiver
from tests.faults.house import RICH, House, house, is_whole
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

# Of RTMP's handshake the client sends 1 + 1536 + 1536 bytes.
_HANDSHAKE = 3073
# The daemon holds two seconds of stream for a publisher, and a megabyte of it in a pipe: nothing near this.
_GROWTH_LIMIT = 64 << 20


@pytest.fixture
def server() -> Iterator[FreezableNginx]:
    with FreezableNginx() as nginx:
        yield nginx


@pytest.fixture
def uplink(server: FreezableNginx) -> Iterator[Proxy]:
    """The way to the server."""
    with Proxy(server.rtmp_port) as proxy:
        yield proxy


def _refuses(uplink: Proxy, daemon: House) -> None:
    uplink.refuse()


def _swallows(uplink: Proxy, daemon: House) -> None:
    uplink.swallow()
    uplink.drop()


def _reads_no_more(uplink: Proxy, daemon: House) -> None:
    uplink.stall()


def _closes_after_the_handshake(uplink: Proxy, daemon: House) -> None:
    uplink.cut_after(_HANDSHAKE)
    uplink.drop()


@pytest.mark.parametrize(
    ("fail", "told"),
    [
        (_refuses, "nobody listens there"),
        (_swallows, "it does not answer"),
        (_reads_no_more, "accepts nothing for 4 s"),
        (_closes_after_the_handshake, "the server closed the connection"),
    ],
)
def test_a_server_that_fails_and_recovers(
    fail: Callable[[Proxy, House], None], told: str, server: FreezableNginx, uplink: Proxy, tmp_path: Path
) -> None:
    with house(tmp_path, _stream(uplink, tmp_path)) as daemon, daemon.watch() as viewer:
        wait_until(lambda: server.is_published("cam"), 15, "the first connection")
        memory = daemon.metric("process_resident_memory_bytes")
        fail(uplink, daemon)
        wait_until(lambda: told in " ".join(daemon.errors()), 30, f"the log to say {told!r}")
        assert daemon.output_state("publish") == "backing_off"
        assert daemon.state("victim") == "running"
        assert daemon.get("/healthz")[0] == daemon.get("/readyz")[0] == 200
        uplink.heal()
        _sees_the_picture_again(server, daemon, tmp_path)
        assert daemon.output("publish", "reconnects") >= 1
        assert daemon.metric("process_resident_memory_bytes") - memory < _GROWTH_LIMIT
        assert len([line for line in daemon.errors() if told in line]) == 1
        assert viewer.longest_gap_s <= 0.5
    assert is_whole(tmp_path / "victim")


def test_a_server_that_is_not_yet_up(server: FreezableNginx, uplink: Proxy, tmp_path: Path) -> None:
    server.stop()
    with house(tmp_path, _stream(uplink, tmp_path)) as daemon:
        daemon.wait_for_output("publish", "backing_off")
        server.start()
        _sees_the_picture_again(server, daemon, tmp_path)
    assert is_whole(tmp_path / "victim")


def test_a_server_that_is_killed_for_ten_seconds(server: FreezableNginx, uplink: Proxy, tmp_path: Path) -> None:
    with house(tmp_path, _stream(uplink, tmp_path)) as daemon:
        wait_until(lambda: server.is_published("cam"), 15, "the first connection")
        server.stop()
        daemon.let_pass(10)
        assert daemon.output_state("publish") == "backing_off"
        server.start()
        _sees_the_picture_again(server, daemon, tmp_path)
    assert is_whole(tmp_path / "victim")


def test_a_server_that_is_stopped_for_seventeen_seconds(server: FreezableNginx, uplink: Proxy, tmp_path: Path) -> None:
    with house(tmp_path, _stream(uplink, tmp_path)) as daemon:
        wait_until(lambda: server.is_published("cam"), 15, "the first connection")
        with server.frozen():
            daemon.let_pass(17)
            assert daemon.state("victim") == "running"
        _sees_the_picture_again(server, daemon, tmp_path)
    assert is_whole(tmp_path / "victim")


def test_an_uplink_with_half_the_bit_rate(server: FreezableNginx, uplink: Proxy, tmp_path: Path) -> None:
    with house(tmp_path, _stream(uplink, tmp_path)) as daemon:
        wait_until(lambda: server.is_published("cam"), 15, "the first connection")
        before = daemon.metric("edgeseg_encoded_bytes_total", stream="victim")
        daemon.let_pass(3)
        rate = (daemon.metric("edgeseg_encoded_bytes_total", stream="victim") - before) / 3
        memory = daemon.metric("process_resident_memory_bytes")
        uplink.throttle(rate / 2)
        wait_until(lambda: daemon.output("publish", "dropped_tags") > 0, 40, "the first dropped picture")
        daemon.let_pass(3)
        assert daemon.state("victim") == "running"
        assert daemon.metric("process_resident_memory_bytes") - memory < _GROWTH_LIMIT
        uplink.heal()
        _sees_the_picture_again(server, daemon, tmp_path)
    assert is_whole(tmp_path / "victim")


def _stream(uplink: Proxy, folder: Path) -> dict[str, object]:
    record = {"directory": str(folder / "victim"), "segment_s": 600}
    return {**RICH, "publish": f"rtmp://127.0.0.1:{uplink.port}/live/cam", "record": record}


def _sees_the_picture_again(server: FreezableNginx, daemon: House, folder: Path) -> None:
    """A new viewer of the server starts at a keyframe, and misses nothing from there on."""
    wait_until(lambda: server.is_published("cam"), 20, "the publisher's return")
    daemon.wait_for_output("publish", "running")
    quick = ("-probesize", "64k", "-analyzeduration", "0")
    with Receiver(server.url("cam"), folder / "received.mkv", options=quick) as receiver:
        wait_until(lambda: receiver.bytes > 0, 15, "a picture at the server")
        daemon.let_pass(3)
        received = receiver.stop()
    with av.open(str(received)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert packets[0].is_keyframe
    times = [float(packet.pts * packet.time_base) for packet in packets]
    assert len(times) > 25
    assert max(b - a for a, b in pairwise(times)) < 0.1
