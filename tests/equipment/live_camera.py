"""A camera that sends FLV over HTTP as it is filmed, and that can fail in every way that cameras know."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from edgeseg.flv import FlvReader, retime
from edgeseg.types import Tag, TagKind
from tests.ports import free_port

_ANSWER = b"HTTP/1.0 200 OK\r\nContent-Type: video/x-flv\r\n\r\n"
_FILE_HEADER = b"FLV\x01\x01\x00\x00\x00\x09\x00\x00\x00\x00"
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Film:
    """What a camera can show: the header of its codec, and its pictures."""

    header: tuple[Tag, ...]
    pictures: tuple[Tag, ...]

    @classmethod
    def read(cls, path: Path) -> Film:
        """The pictures of an FLV file."""
        with path.open("rb") as file:
            tags = [tag for tag in FlvReader(file) if tag.kind is TagKind.VIDEO]
        return cls(tuple(t for t in tags if t.config), tuple(t for t in tags if not t.config))


@dataclass(frozen=True, slots=True)
class _Show:
    """A film that began at ``began`` (monotonic seconds) and whose times are moved by ``shift_ms``."""

    film: Film
    began: float
    shift_ms: int

    @property
    def position_ms(self) -> float:
        return (time.monotonic() - self.began) * 1000


class LiveCamera:
    """A context manager; the picture is at ``url``. Who connects gets what is filmed then, from the next keyframe.

    ``pictures`` of a film are numbered by their stamps (``write_stamped_clip``).
    """

    def __init__(self, film: Film) -> None:
        self._port = free_port()
        self._show = _Show(film, time.monotonic(), 0)
        self._silent = threading.Event()
        self._garbage = threading.Event()
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/cam.flv"

    def __enter__(self) -> Self:
        self.appear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self.disappear()
        for thread in self._threads:
            thread.join(5)

    def appear(self) -> None:
        """Be there, and well."""
        self._silent.clear()
        self._garbage.clear()
        if self._listener is None:
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", self._port))
            listener.listen()
            self._listener = listener
            self._spawn(self._accept, listener)

    def disappear(self) -> None:
        """Hang up on everybody and refuse new connections, as a camera that boots."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            connections, self._connections = self._connections, set()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def fall_silent(self) -> None:
        """Keep the connections, accept new ones, and say nothing."""
        self._silent.set()

    def send_garbage(self) -> None:
        """Keep the frames of the format, and fill them with noise."""
        self._garbage.set()

    def show(self, film: Film, *, from_ms: int = 0, shift_ms: int | None = None) -> None:
        """Show another film from ``from_ms`` on, on the connections that there are.

        Its times are moved by ``shift_ms``; None lets them go on from what was shown before.
        """
        now = time.monotonic()
        if shift_ms is None:
            shift_ms = round(self._show.position_ms) + self._show.shift_ms - from_ms
        self._show = _Show(film, now - from_ms / 1000, shift_ms)

    def _spawn(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, name="camera", daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections.add(connection)
            self._spawn(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        try:
            connection.recv(4096)
            self._wait_while_silent(connection)
            connection.sendall(_ANSWER + _FILE_HEADER)
            while not self._closing.is_set():
                self._send(connection, self._show)
        except OSError:
            pass
        finally:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _send(self, connection: socket.socket, show: _Show) -> None:
        """Send one film from now on, until there is another one."""
        at_ms = show.position_ms
        start = next((n for n, t in enumerate(show.film.pictures) if t.keyframe and t.timestamp_ms >= at_ms), None)
        if start is None:
            raise OSError("the film is over")
        first_ms = show.film.pictures[start].timestamp_ms
        noise = random.Random(4)
        for tag in show.film.header:
            connection.sendall(retime(tag, first_ms + show.shift_ms).wire)
        for tag in show.film.pictures[start:]:
            self._closing.wait(max(0.0, show.began + tag.timestamp_ms / 1000 - time.monotonic()))
            if self._show is not show:
                return
            self._wait_while_silent(connection)
            wire = retime(tag, tag.timestamp_ms + show.shift_ms).wire
            if self._garbage.is_set():
                wire = wire[:16] + noise.randbytes(len(wire) - 20) + wire[-4:]
            connection.sendall(wire)
        raise OSError("the film is over")

    def _wait_while_silent(self, connection: socket.socket) -> None:
        """Raises OSError when the other side has left meanwhile."""
        while self._silent.is_set() and not self._closing.wait(_POLL_S):
            with contextlib.suppress(BlockingIOError):
                if not connection.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK):
                    raise OSError("they left")
