"""The publisher against real servers, and against servers that misbehave."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from edgeseg.backoff import Backoff
from edgeseg.encoding.hub import Hub
from edgeseg.errors import OutputError
from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.flv import WRAP_MS, retime
from edgeseg.outputs.feed import Feed
from edgeseg.outputs.probing import probe_bytes
from edgeseg.outputs.publisher import Publisher, _reads_presets
from edgeseg.status import OutputStatus
from edgeseg.types import State, StreamHeader, Tag, TagKind
from tests.fakes_output import (
    FakeOutput,
    Watcher,
    feed_hub,
    header_and_media,
    make_flv,
    metadata,
    numbers_in,
    picture,
    read_tags,
    receiver,
    video_config,
)
from tests.ports import free_port
from tests.waiting import wait_until

KEY = "k3y-of-the-stream"
SECONDS = 2


@pytest.fixture(scope="module")
def flv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_flv(tmp_path_factory.mktemp("clip") / "clip.flv", seconds=SECONDS)


@pytest.fixture(scope="module")
def clip(flv: Path) -> tuple[StreamHeader, list[Tag]]:
    return header_and_media(flv)


class Live:
    """A clip over and over, at its own pace, into a hub, from another thread."""

    def __init__(self, tags: list[Tag], hub: Hub) -> None:
        self._tags, self._hub = tags, hub
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Live:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        header = [tag for tag in self._tags if tag.config or tag.kind is TagKind.SCRIPT]
        feed_hub(self._hub, header)
        began = time.monotonic()
        for lap in itertools.count():
            for tag in self._tags[len(header) :]:
                ms = tag.timestamp_ms + lap * SECONDS * 1000
                if self._stop.wait(max(0.0, began + ms / 1000 - time.monotonic())):
                    return
                self._hub.tag(retime(tag, ms))


def children() -> list[int]:
    """Our children's process ids."""
    own = str(os.getpid())
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, IndexError):
            if entry.name.isdigit() and (entry / "stat").read_text().rsplit(")", 1)[1].split()[1] == own:
                found.append(int(entry.name))
    return found


def status_of(url: str) -> OutputStatus:
    return OutputStatus("publish", "publish", url)


@contextmanager
def silent_server(port: int) -> Iterator[list[socket.socket]]:
    """Accepts and never reads nor answers."""
    connections: list[socket.socket] = []
    listener = socket.create_server(("127.0.0.1", port))
    listener.settimeout(0.1)
    stop = threading.Event()

    def accept() -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            connections.append(connection)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield connections
    finally:
        stop.set()
        thread.join(5)
        listener.close()
        for connection in connections:
            connection.close()


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def test_it_comes_back_when_the_server_does(flv: Path, tmp_path: Path) -> None:
    port = free_port()
    url = f"rtmp://127.0.0.1:{port}/live/{KEY}"
    hub, status = Hub(expects_audio=True), status_of("rtmp://…")
    feed = Feed("door/publish", Publisher(url), status, backoff=Backoff(0.05, 0.2))
    feed.start(hub)
    with Live(read_tags(flv), hub):
        wait_until(lambda: status.state is State.BACKING_OFF, what="the first refusal")
        assert "nobody listens there (is the server running" in status.reason
        for attempt in ("first.flv", "second.flv"):
            received = tmp_path / attempt
            with receiver(url, received):
                wait_until(lambda: status.state is State.RUNNING, what="being connected")
                wait_until(lambda: size(received) > 30_000, what="pictures")  # noqa: B023 -- asked at once
            wait_until(lambda: status.state is State.BACKING_OFF, what="noticing that the server is gone")
            numbers = numbers_in(received)
            assert numbers[0] % 15 == 0
            assert all((b - a) % 60 == 1 for a, b in itertools.pairwise(numbers))
    feed.close()
    assert status.state is State.STOPPED
    assert KEY not in status.reason


def test_the_key_is_in_no_process_list_no_environment_and_no_message(
    clip: tuple[StreamHeader, list[Tag]], tmp_path: Path
) -> None:
    url = f"rtmp://someone:p4ssw0rd@127.0.0.1:{free_port()}/live/{KEY}?token=t0k3n-value"
    header, tags = clip
    with receiver(url.replace("someone:p4ssw0rd@", ""), tmp_path / "received.flv") as server:
        before = set(children())
        publisher = Publisher(url)
        publisher.open(header)
        publisher.write(tags[0])
        ours = [pid for pid in children() if pid not in before]
        assert ours
        for pid in ours:
            seen = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
            for secret in (KEY, "p4ssw0rd", "t0k3n-value"):
                assert secret.encode() not in seen
        server.kill()
        with pytest.raises(OutputError) as caught:
            write_until_it_breaks(publisher, tags)
        publisher.close()
    for secret in (KEY, "p4ssw0rd", "t0k3n-value"):
        assert secret not in str(caught.value)
    assert not [pid for pid in children() if pid in ours]


def write_until_it_breaks(publisher: Publisher, tags: list[Tag], limit_s: float = 30.0) -> None:
    pause = threading.Event()
    deadline = time.monotonic() + limit_s
    for lap in itertools.count():
        for tag in tags:
            assert time.monotonic() < deadline, "nothing broke"
            publisher.write(retime(tag, tag.timestamp_ms + lap * SECONDS * 1000))
            pause.wait(0.002)


def test_a_server_that_accepts_and_never_answers_is_given_up(clip: tuple[StreamHeader, list[Tag]]) -> None:
    port = free_port()
    publisher = Publisher(f"rtmp://127.0.0.1:{port}/live/{KEY}", connect_s=1.0)
    header, tags = clip
    with silent_server(port):
        began = time.monotonic()
        publisher.open(header)
        with pytest.raises(OutputError, match=r"it does not answer \(is the host up"):
            publisher.write(tags[0])
        assert time.monotonic() - began < 4
        publisher.close()


def test_a_server_that_stops_reading_hurts_nobody_else(flv: Path, tmp_path: Path) -> None:
    """A receiver that is stopped, as a hung uplink is: this feed fails within its limit, the other loses nothing."""
    url = f"rtmp://127.0.0.1:{free_port()}/live/{KEY}"
    hub = Hub(expects_audio=True)
    stalled, well = status_of("stalled"), status_of("well")
    other = FakeOutput()
    feeds = [
        Feed("door/stalled", Publisher(url, stall_s=0.5), stalled, backoff=Backoff(60, 60)),
        Feed("door/well", other, well),
    ]
    for feed in feeds:
        feed.start(hub)
    with receiver(url, tmp_path / "received.flv") as server:
        feed_hub(hub, read_tags(flv))
        wait_until(lambda: stalled.state is State.RUNNING, what="being connected")
        os.kill(server.pid, signal.SIGSTOP)
        # Big pictures, so that the buffers on the way are full soon.
        pictures = (picture(ms, key=ms % 1000 == 0, size=200_000) for ms in range(3000, 200_000, 40))
        before = len(header_and_media(flv)[1])
        pause = threading.Event()
        for sent, tag in enumerate(pictures, before + 1):
            hub.tag(tag)
            if sent % 10 == 0:
                wait_until(lambda n=sent: len(other.sessions[0]) >= n, what="the other feed")  # type: ignore[misc]
                pause.wait(0.02)
            if stalled.state is State.BACKING_OFF:
                break
        wait_until(lambda: stalled.state is State.BACKING_OFF, timeout_s=1, what="giving up")
        os.kill(server.pid, signal.SIGCONT)
    hub.end()
    for feed in feeds:
        feed.close()
    assert "accepts nothing for 0.5 s (is the uplink fast enough?)" in stalled.reason
    assert [tag.timestamp_ms for tag in other.sessions[0][before:]] == list(
        range(3000, 3000 + 40 * (sent - before), 40)
    )
    assert well.dropped_tags == 0


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("rtmp://no-such-host.invalid/live/k", "the host name is not known (check the name, and the box's DNS)"),
        ("rtsp://127.0.0.1:{port}/door", "nobody listens there (is the server running, and is the port right?)"),
        ("rtmps://127.0.0.1:{port}/live/k", "nobody listens there (is the server running, and is the port right?)"),
    ],
)
def test_what_is_wrong_is_said_with_the_fix(url: str, sentence: str, clip: tuple[StreamHeader, list[Tag]]) -> None:
    header, tags = clip
    publisher = Publisher(url.format(port=free_port()))
    publisher.open(header)
    with pytest.raises(OutputError) as caught:
        publisher.write(tags[0])
    publisher.close()
    assert str(caught.value).startswith("cannot publish to rt")
    assert str(caught.value).endswith(sentence)


def test_a_scheme_that_cannot_be_published_to_is_permanent() -> None:
    with pytest.raises(OutputError, match=r"cannot publish to http://x/y: http scheme") as caught:
        Publisher("http://x/y")
    assert caught.value.permanent


def test_a_stream_without_sound(tmp_path: Path) -> None:
    url = f"rtmp://127.0.0.1:{free_port()}/live/{KEY}"
    header, tags = header_and_media(make_flv(tmp_path / "mute.flv", seconds=1, audio=False), audio=False)
    assert not header.has_audio
    with receiver(url, tmp_path / "received.flv") as server:
        publisher = Publisher(url)
        publisher.open(header)
        for tag in tags:
            publisher.write(tag)
        publisher.close()
        server.wait(10)
    assert numbers_in(tmp_path / "received.flv") == list(range(30))


def test_a_relay_whose_daemon_is_killed_ends_by_itself(clip: tuple[StreamHeader, list[Tag]]) -> None:
    """Stuck in a connect that never ends, with its stdin at its end: only the alarm is left."""
    port = free_port()
    publisher = Publisher(f"rtmp://127.0.0.1:{port}/live/{KEY}", connect_s=0.5)
    header, tags = clip
    with silent_server(port) as connections:
        publisher.open(header)
        child = publisher._child
        assert child is not None
        child.write(tags[0].wire)
        wait_until(lambda: connections, what="the connection")
        child.finish()
        wait_until(lambda: is_gone(child.pid), what="the relay's end")
        publisher.close()


def test_a_relay_that_was_started_ahead_publishes(tmp_path: Path) -> None:
    url = f"rtmp://127.0.0.1:{free_port()}/live/{KEY}"
    header, tags = header_and_media(make_flv(tmp_path / "mute.flv", seconds=1, audio=False), audio=False)
    with receiver(url, tmp_path / "received.flv") as server:
        publisher = Publisher(url)
        publisher.warm_up()
        ready = publisher._ready
        assert ready is not None
        publisher.open(header)
        assert publisher._child is ready
        for tag in tags:
            publisher.write(tag)
        publisher.close()
        server.wait(10)
    assert numbers_in(tmp_path / "received.flv") == list(range(30))


def test_a_relay_that_was_started_in_vain_ends_without_a_word(clip: tuple[StreamHeader, list[Tag]]) -> None:
    publisher = Publisher(f"rtmp://127.0.0.1:{free_port()}/live/{KEY}")
    publisher.warm_up()
    ready = publisher._ready
    assert ready is not None
    publisher.close()
    assert is_gone(ready.pid)
    assert ready.words() == ""


def test_a_relay_that_died_before_it_was_needed_is_one_failure(clip: tuple[StreamHeader, list[Tag]]) -> None:
    """As any other that dies: the feed closes the output, and the next time there is a new one."""
    publisher = Publisher(f"rtmp://127.0.0.1:{free_port()}/live/{KEY}")
    publisher.warm_up()
    assert publisher._ready is not None
    publisher._ready.cancel()
    wait_until(lambda: publisher._ready is not None and is_gone(publisher._ready.pid), what="its end")
    with pytest.raises(OutputError):
        publisher.open(clip[0])
    publisher.close()
    assert publisher._ready is None


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_connection_is_renewed_before_its_clock_runs_over(monkeypatch: pytest.MonkeyPatch) -> None:
    publisher = Publisher("rtmp://127.0.0.1:1/live/k")
    written: list[bytes] = []
    monkeypatch.setattr(publisher, "_write", written.append)
    publisher._answered = True
    publisher.write(picture(1000, key=True))
    publisher.write(picture(999 + WRAP_MS))
    with pytest.raises(OutputError, match="24 days old"):
        publisher.write(picture(1000 + WRAP_MS))
    assert len(written) == 2


@pytest.mark.skipif(not _reads_presets(find_ffmpeg()), reason="this ffmpeg cannot be given a passphrase in secret")
def test_srt_with_a_passphrase_that_nobody_sees(flv: Path, tmp_path: Path) -> None:
    port = free_port()
    received = tmp_path / "received.ts"
    hub, status = Hub(expects_audio=True), status_of("srt://…")
    address = f"srt://127.0.0.1:{port}?passphrase=v3ry-s3cret-phrase"
    command = [find_ffmpeg(), "-v", "error", "-i", f"{address}&mode=listener", "-c", "copy", "-flush_packets", "1"]
    with subprocess.Popen([*command, "-y", str(received)], stdin=subprocess.DEVNULL) as server:
        publisher = Publisher(f"{address}&pbkeylen=16", ffmpeg=find_ffmpeg())
        feed = Feed("door/srt", publisher, status, backoff=Backoff(0.2, 0.5))
        feed.start(hub)
        with Live(read_tags(flv), hub):
            wait_until(lambda: size(received) > 60_000, what="pictures by SRT")
            for pid in children():
                if pid != server.pid:
                    assert b"v3ry" not in Path(f"/proc/{pid}/cmdline").read_bytes()
        feed.close()
        server.wait(10)
    assert len(numbers_in(received)) > 15


def test_sound_without_a_configuration_is_waited_for() -> None:
    """MP3 and G.711 have none: the children are told to look further than the first picture."""
    hub, watcher = Hub(expects_audio=True), Watcher()
    hub.subscribe(watcher)
    feed_hub(hub, [metadata(), video_config(), picture(0, key=True)])
    assert probe_bytes(watcher.headers[0]) > 10_000
    quiet, watcher = Hub(), Watcher()
    quiet.subscribe(watcher)
    feed_hub(quiet, [metadata(), video_config(), picture(0, key=True)])
    assert probe_bytes(watcher.headers[0]) == 32
