"""An HTTP server that sends what a generator gives, when it gives it: a camera that does what it likes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from tests.ports import free_port


class HttpFeed:
    """A context manager; who connects to ``url`` gets the bytes of ``answer(connection number, wait)``.

    ``wait(seconds)`` waits, and raises OSError at the end of the block. When the bytes are over, the connection stays
    open and silent if ``holds``, else it is closed.
    """

    def __init__(
        self,
        answer: Callable[[int, Callable[[float], None]], Iterable[bytes]],
        *,
        kind: str = "video/x-flv",
        holds: bool = False,
    ) -> None:
        self._port = free_port()
        self._answer = answer
        self._kind = kind
        self._holds = holds
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self.served = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/cam"

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._spawn(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _wait(self, seconds: float) -> None:
        if self._closing.wait(seconds):
            raise OSError("over")

    def _spawn(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, name="feed", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.served += 1
                self._spawn(self._serve, connection, self.served - 1)

    def _serve(self, connection: socket.socket, number: int) -> None:
        connection.settimeout(0.1)
        with contextlib.suppress(OSError), connection:
            connection.recv(4096)
            connection.settimeout(5)
            connection.sendall(f"HTTP/1.0 200 OK\r\nContent-Type: {self._kind}\r\n\r\n".encode())
            for piece in self._answer(number, self._wait):
                connection.sendall(piece)
            if self._holds:
                connection.settimeout(0.1)
                while not self._closing.is_set():
                    with contextlib.suppress(TimeoutError):
                        if not connection.recv(1):
                            return
