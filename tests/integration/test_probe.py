"""``edgeseg check --probe`` against real servers, ports, folders, ffmpeg, and the model that is shipped."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeseg import cli
from edgeseg.config import load_config_text
from edgeseg.errors import OutputError
from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.probe import reach
from edgeseg.probe.plan import Probe, attempt, plan
from edgeseg.probe.reach import ProbeError
from tests.ports import free_port
from tests.waiting import wait_until


@contextlib.contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that lets ``answer`` speak with each client; gives its port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                answer(self.request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield int(server.server_address[1])
        server.shutdown()
        thread.join()


@contextlib.contextmanager
def ffmpeg_listening(*arguments: str) -> Iterator[None]:
    command = [find_ffmpeg(), "-hide_banner", "-loglevel", "error", *arguments]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        yield
    finally:
        child.kill()
        child.wait(5)


def is_bound(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


def speaks_rtsp(client: socket.socket) -> None:
    request = client.recv(1000)
    assert b"hunter2" not in request
    client.sendall(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n" if request.startswith(b"OPTIONS rtsp://") else b"what?")


def speaks_http(client: socket.socket) -> None:
    client.recv(1000)
    client.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")


def test_a_real_rtmp_server_answers() -> None:
    port = free_port()
    with ffmpeg_listening("-listen", "1", "-f", "flv", "-i", f"rtmp://127.0.0.1:{port}/live/x", "-f", "null", "-"):
        wait_until(lambda: is_bound(port, socket.SOCK_STREAM), what="ffmpeg listens")
        assert reach.server(f"rtmp://joe:hunter2@127.0.0.1:{port}/live/thekey") == "answers in RTMP"


def test_a_real_srt_server_answers() -> None:
    protocols = subprocess.run(
        [find_ffmpeg(), "-hide_banner", "-protocols"], capture_output=True, text=True, timeout=10
    ).stdout
    if "srt" not in protocols.split():
        pytest.skip("this ffmpeg has no SRT")
    port = free_port()
    url = f"srt://127.0.0.1:{port}?mode=listener&passphrase=0123456789ab"
    with ffmpeg_listening("-f", "mpegts", "-i", url, "-f", "null", "-"):
        wait_until(lambda: is_bound(port, socket.SOCK_DGRAM), what="ffmpeg listens")
        assert reach.server(f"srt://127.0.0.1:{port}?passphrase=0123456789ab") == "answers in SRT"


def test_an_rtsp_server_answers_and_gets_no_password() -> None:
    with answering(speaks_rtsp) as port:
        assert reach.server(f"rtsp://joe:hunter2@127.0.0.1:{port}/x") == "answers in RTSP"


@pytest.mark.parametrize("scheme", ["rtmp", "rtsp"])
def test_something_else_listens_there(scheme: str) -> None:
    with answering(speaks_http) as port, pytest.raises(ProbeError, match=f"does not speak {scheme.upper()}"):
        reach.server(f"{scheme}://127.0.0.1:{port}/live/thekey")


def test_rtmps_where_nobody_speaks_tls() -> None:
    with answering(speaks_http) as port, pytest.raises(ProbeError, match="does not speak TLS there"):
        reach.server(f"rtmps://127.0.0.1:{port}/live/thekey")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine to make a certificate")
def test_rtmps_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost"
    subprocess.run([*command.split(), "-keyout", key, "-out", cert], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    def speak(client: socket.socket) -> None:
        context.wrap_socket(client, server_side=True).recv(1)

    with (
        answering(speak) as port,
        pytest.raises(ProbeError, match=r"certificate of localhost is not trusted: self.signed"),
    ):
        reach.server(f"rtmps://localhost:{port}/live/thekey")


def test_nobody_listens_there() -> None:
    with pytest.raises(ProbeError, match=r"connection refused \(is the server running\?\)"):
        reach.server(f"rtmp://127.0.0.1:{free_port()}/live/thekey")
    with pytest.raises(ProbeError, match="connection refused"):
        reach.server(f"srt://127.0.0.1:{free_port()}?passphrase=0123456789ab")
    with pytest.raises(ProbeError, match="the name is not known"):
        reach.server("rtmp://no-such-host.invalid/live/thekey")


def test_a_server_that_never_answers() -> None:
    done = threading.Event()
    with answering(lambda client: done.wait(5) and None) as port:
        try:
            with pytest.raises(ProbeError, match=r"no answer from 127\.0\.0\.1:\d+ within 0\.2 s"):
                reach.server(f"rtmp://127.0.0.1:{port}/live/thekey", timeout_s=0.2)
        finally:
            done.set()


def test_ports() -> None:
    port = free_port()
    assert reach.free_port("127.0.0.1", port) == f"127.0.0.1:{port} is free"
    with socket.create_server(("127.0.0.1", port)), pytest.raises(ProbeError, match="is edgeseg running already"):
        reach.free_port("127.0.0.1", port)
    with pytest.raises(ProbeError, match="use an address of this machine"):
        reach.free_port("192.0.2.1", port)


def test_folders(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert "GB free" in reach.folder(folder)
    assert list(folder.iterdir()) == []
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(ProbeError, match=r"cannot write in .*: not a directory"):
        reach.folder(tmp_path / "file" / "x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_rights(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ProbeError, match="permission denied"):
        reach.folder(tmp_path / "x")


def test_what_fails_is_redacted() -> None:
    def run() -> str:
        raise OutputError("cannot reach rtmp://h/app/thekey")

    result = attempt(Probe("door: publish", run))
    assert (result.ok, result.text) == (False, "cannot reach rtmp://h/app/***")


def test_a_bug_in_one_probe_does_not_end_the_others() -> None:
    result = attempt(Probe("door: source", lambda: str(1 // 0)))
    assert (result.ok, result.text) == (
        False,
        "unexpected ZeroDivisionError: integer division or modulo by zero (this is our bug)",
    )


def test_the_plan_has_everything_that_is_enabled(tmp_path: Path) -> None:
    config = load_config_text(
        """
        streams:
          a:
            source: x
            effect: {type: replace, picture: p.jpg}
            publish: [rtmp://h/app/thekey, {url: rtmp://127.0.0.1:1935/live/x, listen: true, name: viewer}]
            record: rec
          b: {source: y}
          c: {source: z, enabled: false}
        """,
        tmp_path,
    )
    assert [probe.what for probe in plan(config)] == [
        "ffmpeg",
        "http",
        "a: source",
        "a: model",
        "a: background",
        "a: encoder",
        "a: publish rtmp://h/app/***",
        "a: publish viewer",
        "a: record",
        "b: source",
        "b: model",
        "b: encoder",
    ]


def test_all_of_it_for_real(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "edgeseg.yaml"
    file.write_text(
        f"http: {{port: {free_port()}}}\n"
        "streams:\n"
        "  good: {source: {url: test, size: 320x240, fps: 10}, record: rec}\n"
        f"  bad: {{source: nope.mp4, model: ./nope, publish: 'rtmp://127.0.0.1:{free_port()}/live/thekey'}}\n",
        encoding="utf-8",
    )
    assert cli.main(["check", "-c", str(file), "--probe"]) == 1
    out = capsys.readouterr().out
    lines = {
        line.split(": ")[0] + ": " + line.split(": ")[1]: line for line in out.splitlines() if line[:2] in ("ok", "FA")
    }
    assert "320x240, 10 fps" in lines["ok      good: source"]
    assert "selfie answers on CPU" in lines["ok      good: model"]
    assert "libx264 encodes" in lines["ok      good: encoder"]
    assert "GB free" in lines["ok      good: record"]
    assert "nope.mp4" in lines["FAILED  bad: source"]
    assert "nope" in lines["FAILED  bad: model"]
    assert sum(line.startswith("FAILED") for line in lines.values()) == 3
    assert "thekey" not in out
