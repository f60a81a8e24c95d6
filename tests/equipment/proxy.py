"""A TCP proxy in the middle that can refuse, swallow, stall, throttle and cut."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.ports import free_port

# Small, so that a stall is felt soon: the kernel would hold megabytes for a receiver that is only slow.
_BUFFER = 32 * 1024
_PIECE = 4096


class Proxy:
    """A context manager: what connects to ``port`` reaches ``target``, unless it is told to fail.

    Every fault holds for the connections that there are and for those to come, until ``heal``.
    """

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self._target = target
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._flowing = threading.Event()
        self._closing = threading.Event()
        self._rate: float | None = None
        self._cut_after: int | None = None
        self._swallowing = False
        self._alter: Callable[[bytes], bytes] | None = None

    def __enter__(self) -> Self:
        self.heal()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self.refuse()
        self._flowing.set()
        for thread in self._threads:
            thread.join(5)

    def heal(self) -> None:
        """Let everything through, and listen again if need be. Connections that were swallowed are closed."""
        if self._swallowing:
            self.drop()
        self._rate, self._cut_after, self._swallowing, self._alter = None, None, False, None
        self._flowing.set()
        if self._listener is None:
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            listener.bind(("127.0.0.1", self.port))
            listener.listen()
            self._listener = listener
            self._spawn(self._accept, listener)

    def refuse(self) -> None:
        """Hang up on everybody, and let nobody in."""
        listener, self._listener = self._listener, None
        if listener is not None:
            # A thread that waits in accept() is woken by this, not by close().
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.drop()

    def drop(self) -> None:
        """Hang up on everybody; who comes again is let in."""
        with self._lock:
            connections, self._connections = self._connections, set()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def swallow(self) -> None:
        """Accept who comes and say nothing, ever."""
        self._swallowing = True

    def stall(self) -> None:
        """Read nothing more: the connections stay, and senders meet full buffers."""
        self._flowing.clear()

    def throttle(self, bytes_per_s: float) -> None:
        """Let this much through, in each direction of each connection."""
        self._rate = bytes_per_s

    def cut_after(self, received: int) -> None:
        """Hang up on each new connection after ``received`` bytes from the side that connected."""
        self._cut_after = received

    def damage(self, alter: Callable[[bytes], bytes]) -> None:
        """Let ``alter`` do what it likes to what comes from ``target``, piece by piece; many threads call it."""
        self._alter = alter

    def _spawn(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, name="proxy", daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections.add(near)
            if self._swallowing:
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._target), 5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                self._connections.add(far)
            self._spawn(self._carry, near, far, self._cut_after)
            self._spawn(self._carry, far, near, None, True)

    def _carry(
        self, source: socket.socket, target: socket.socket, cut_after: int | None, answers: bool = False
    ) -> None:
        carried = 0
        try:
            while True:
                self._flowing.wait()
                piece = source.recv(_PIECE)
                self._flowing.wait()
                if not piece:
                    break
                if (rate := self._rate) is not None:
                    self._closing.wait(len(piece) / rate)
                if answers and (alter := self._alter) is not None:
                    piece = alter(piece)
                target.sendall(piece)
                carried += len(piece)
                if cut_after is not None and carried >= cut_after:
                    break
        except OSError:
            pass
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
