"""The listening address with real players."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import imageio_ffmpeg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeseg.backoff import Backoff
from edgeseg.encoding.hub import Hub
from edgeseg.errors import OutputError
from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.outputs import rtmp
from edgeseg.outputs.listen import Listen
from edgeseg.status import OutputStatus
from edgeseg.types import State
from tests.fakes_output import FPS, feed_hub, make_flv, numbers_in, picture, read_tags
from tests.ports import free_port
from tests.waiting import wait_until

SECONDS = 2


@pytest.fixture(scope="module")
def flv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_flv(tmp_path_factory.mktemp("clip") / "clip.flv", seconds=SECONDS)


class Served:
    """A hub and what listens for it."""

    def __init__(self, **options: float) -> None:
        self.port = free_port()
        self.url = f"rtmp://127.0.0.1:{self.port}/live/door"
        self.hub = Hub(expects_audio=True)
        self.status = OutputStatus("listen", "listen", "rtmp://…")
        self.listen = Listen(self.url, name="door/listen", status=self.status, **options)  # type: ignore[arg-type]
        self.listen.start(self.hub)


@pytest.fixture
def served() -> Iterator[Served]:
    made = Served()
    yield made
    made.listen.close()


def player(url: str, path: Path, binary: str = find_ffmpeg()) -> subprocess.Popen[bytes]:
    command = [binary, "-v", "error", "-i", url, "-c", "copy", "-y", str(path)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("binary", [find_ffmpeg(), imageio_ffmpeg.get_ffmpeg_exe()], ids=["found", "imageio"])
def test_a_player_sees_the_cached_group_and_everything_after_it(
    binary: str, served: Served, flv: Path, tmp_path: Path
) -> None:
    tags = read_tags(flv)
    half = next(i for i, tag in enumerate(tags) if tag.keyframe and tag.timestamp_ms > 1000) + 10
    feed_hub(served.hub, tags[:half])
    with player(served.url, tmp_path / "seen.flv", binary) as process:
        wait_until(lambda: served.status.viewers == 1, what="a viewer")
        feed_hub(served.hub, tags[half:])
        served.hub.end()
        assert process.wait(10) == 0
    numbers = numbers_in(tmp_path / "seen.flv")
    assert numbers == list(range(numbers[0], SECONDS * FPS))
    assert numbers[0] % 15 == 0
    assert numbers[0] >= 30
    wait_until(lambda: served.status.viewers == 0, what="the viewer leaving")
    assert served.status.state is State.RUNNING


def test_several_players_at_once_and_one_after_the_other(served: Served, flv: Path, tmp_path: Path) -> None:
    feed_hub(served.hub, read_tags(flv))
    for round_ in range(2):
        paths = [tmp_path / f"{round_}-{n}.flv" for n in range(2)]
        processes = [player(served.url, path) for path in paths]
        wait_until(lambda: served.status.viewers == 2, what="two viewers")
        for process in processes:
            process.kill()
            process.wait(10)
        # A viewer that is gone is noticed with the next tag at the latest.
        wait_until(lambda: served.status.viewers == 0, what="both leaving")


def test_another_path_is_refused(served: Served, flv: Path, tmp_path: Path) -> None:
    feed_hub(served.hub, read_tags(flv))
    with player(served.url.replace("door", "cellar"), tmp_path / "seen.flv") as process:
        assert process.wait(10) != 0
    assert served.status.viewers == 0


def test_a_stream_that_starts_after_its_viewer(served: Served, flv: Path, tmp_path: Path) -> None:
    with player(served.url, tmp_path / "seen.flv") as process:
        wait_until(lambda: served.status.viewers == 1, what="a viewer")
        feed_hub(served.hub, read_tags(flv))
        served.hub.end()
        assert process.wait(10) == 0
    assert numbers_in(tmp_path / "seen.flv") == list(range(SECONDS * FPS))


def test_a_taken_port_is_told_once_and_tried_until_it_is_free(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    status = OutputStatus("listen", "listen", "rtmp://…")
    tries = Counted(first_s=0.02, longest_s=0.02)
    second = Listen(served.url, name="porch/listen", status=status, backoff=tries)
    second.start(served.hub)
    wait_until(lambda: tries.count >= 3, what="some tries")
    assert status.state is State.BACKING_OFF
    reason = f"cannot listen at 127.0.0.1:{served.port}: Address already in use (another program has the port)"
    assert status.reason == reason
    served.listen.close()
    wait_until(lambda: status.state is State.RUNNING, what="the port")
    assert status.reason == ""
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        f"porch/listen: {reason}; trying again until it works"
    ]
    second.close()
    assert status.state is State.STOPPED


def test_an_address_that_is_not_there_yet_does_not_hold_up_the_end(served: Served) -> None:
    status = OutputStatus("listen", "listen", "rtmp://…")
    early = Listen("rtmp://192.0.2.7:1935/live/door", name="porch/listen", status=status)
    early.start(served.hub)
    assert status.state is State.BACKING_OFF
    assert status.reason.endswith("(the box has no such address; is the network up?)")
    early.close()
    assert status.state is State.STOPPED


class Counted(Backoff):
    """Counts the waits."""

    count = 0

    def next_s(self, ran_s: float) -> float:
        self.count += 1
        return super().next_s(ran_s)


@pytest.mark.parametrize("url", ["http://127.0.0.1/live/door", "rtmp://127.0.0.1:1935/", "rtmp:///live"])
def test_an_address_that_cannot_be_listened_at_is_permanent(url: str) -> None:
    with pytest.raises(OutputError, match="cannot listen at") as caught:
        Listen(url, name="door/listen", status=OutputStatus("listen", "listen", "x"))
    assert caught.value.permanent


def test_a_viewer_that_never_reads_is_dropped() -> None:
    served = Served(stall_s=0.3)
    try:
        with socket.create_connection(("127.0.0.1", served.port)) as connection:
            play(connection, "live", "door")
            wait_until(lambda: served.status.viewers == 1, what="a viewer")
            for ms in range(0, 40_000, 40):
                served.hub.tag(picture(ms, key=True, size=100_000))
                if ms > 1000 and served.status.viewers == 0:
                    break
            wait_until(lambda: served.status.viewers == 0, timeout_s=3, what="being dropped")
    finally:
        served.listen.close()


def play(connection: socket.socket, app: str, path: str) -> None:
    """A player's half of the conversation, as far as asking for the stream."""
    connection.sendall(b"\x03" + bytes(1536))
    reply = b""
    while len(reply) < 1 + 2 * 1536:
        reply += connection.recv(8192)
    connection.sendall(bytes(1536))
    commands = (("connect", 1.0, {"app": app}), ("createStream", 2.0, None), ("play", 3.0, None, path))
    for command in commands:
        body = rtmp.encode_amf(*command)
        assert len(body) <= 128, "longer ones would have to be cut into chunks"
        connection.sendall(rtmp.chunks(20, body, channel=3))


@pytest.mark.parametrize(
    "noise", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x03" + os.urandom(5000)], ids=["none", "http", "x"]
)
def test_whoever_does_not_speak_rtmp_is_sent_away_and_others_are_served(
    noise: bytes, flv: Path, tmp_path: Path
) -> None:
    served = Served(stall_s=0.3)
    try:
        feed_hub(served.hub, read_tags(flv))
        with socket.create_connection(("127.0.0.1", served.port)) as connection:
            connection.settimeout(5)
            connection.sendall(noise)
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(65536):
                    pass
        with player(served.url, tmp_path / "seen.flv") as process:
            wait_until(lambda: served.status.viewers == 1, what="a viewer")
            served.hub.end()
            assert process.wait(10) == 0
    finally:
        served.listen.close()


def test_closing_is_quick_with_viewers(served: Served, flv: Path, tmp_path: Path) -> None:
    feed_hub(served.hub, read_tags(flv))
    with player(served.url, tmp_path / "seen.flv") as process:
        wait_until(lambda: served.status.viewers == 1, what="a viewer")
        began = time.monotonic()
        served.listen.close()
        assert time.monotonic() - began < 2
        assert process.wait(10) == 0
    assert served.status.state is State.STOPPED


@given(st.binary(max_size=200))
def test_noise_in_commands_is_a_protocol_error(noise: bytes) -> None:
    with contextlib.suppress(rtmp.ProtocolError):
        list(rtmp.decode_amf(noise))


@given(st.integers(0, 1 << 33), st.integers(0, 200_000))
def test_chunks_are_put_together_again(ms: int, size: int) -> None:
    wire = rtmp.chunks(1, (1 << 16).to_bytes(4, "big"), channel=2)
    wire += rtmp.chunks(20, bytes(min(size, 65536)), channel=3, timestamp_ms=ms)
    at = 0

    def read(count: int) -> bytes:
        nonlocal at
        at += count
        return wire[at - count : at]

    message = rtmp.ChunkReader(read).message()
    assert (message.kind, len(message.body), at) == (20, min(size, 65536), len(wire))


def test_what_amf_says_is_what_it_was_told() -> None:
    values = ["connect", 1.0, True, None, {"app": "live", "deep": {"x": 2.0}}]
    assert list(rtmp.decode_amf(rtmp.encode_amf(*values))) == values
