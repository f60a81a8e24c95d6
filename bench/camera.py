"""A camera that knows when it sent each picture: FLV over HTTP, in real time, as often as somebody asks."""

from __future__ import annotations

import contextlib
import io
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from cost import MeasurementError

from edgeseg.flv import FlvReader, file_header, retime
from edgeseg.types import Tag, TagKind

_PLAYERS = 4


class Camera:
    """Sends a clip over and over, each picture at its time, to whoever connects to ``url``.

    Every connection gets the clip from its first picture, a keyframe. ``sent`` says when the last connection's pictures
    began to go out, monotonic seconds by their time in ms.
    """

    def __init__(self, ffmpeg: str, clip: Path) -> None:
        command = [ffmpeg, "-nostdin", "-v", "error", "-i", str(clip), "-map", "0:v:0", "-c", "copy", "-f", "flv", "-"]
        done = subprocess.run([*command[:-1], "pipe:1"], capture_output=True, check=False)
        if done.returncode:
            raise MeasurementError(f"cannot read {clip.name}: {done.stderr.decode('utf-8', 'replace').strip()}")
        tags = list(FlvReader(io.BytesIO(done.stdout)))
        self._head = [tag for tag in tags if tag.config or tag.kind is TagKind.SCRIPT]
        self._pictures = [tag for tag in tags if tag.kind is TagKind.VIDEO and not tag.config]
        step_ms = self._pictures[1].timestamp_ms - self._pictures[0].timestamp_ms
        self._turn_ms = self._pictures[-1].timestamp_ms - self._pictures[0].timestamp_ms + step_ms
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(_PLAYERS)]
        self.sent: dict[int, float] = {}
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/camera.flv"

    def __enter__(self) -> Camera:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _serve(self) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(OSError):
                connection, _ = self._listener.accept()
                with connection:
                    self._play(connection)

    def _play(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(5)
        connection.recv(4096)
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: video/x-flv\r\n\r\n" + file_header(has_audio=False))
        connection.sendall(b"".join(tag.wire for tag in self._head))
        self.sent = sent = {}
        began = time.monotonic()
        for tag in self._endless():
            if self._closing.wait(max(0.0, began + tag.timestamp_ms / 1000 - time.monotonic())):
                return
            sent[tag.timestamp_ms] = time.monotonic()
            connection.sendall(tag.wire)

    def _endless(self) -> Iterator[Tag]:
        offset_ms = -self._pictures[0].timestamp_ms
        while True:
            yield from (retime(tag, tag.timestamp_ms + offset_ms) for tag in self._pictures)
            offset_ms += self._turn_ms
