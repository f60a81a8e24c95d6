"""The HTTP service: one thread, one event loop, started and stopped by the daemon."""

from __future__ import annotations

import errno
import logging
import os
import socket
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from edgeseg.errors import ConfigError, EdgesegError, ListenError
from edgeseg.status import DaemonStatus, StreamView

if TYPE_CHECKING:
    from edgeseg.service._server import Server

_log = logging.getLogger("edgeseg.http")

# Longer than the server gives its viewers.
_STOP_S = 3.0
# How long who has begun may have before the service takes the processor, see `begin`.
_HEAD_START_S = 1.0


class HttpService:
    """The page, the live streams, metrics and health over HTTP.

    ``begin``, ``start`` and ``stop`` are called from one thread, ``answers`` from any. The service only reads the
    streams; each stream gets one more entry in ``status.outputs`` that counts its viewers.

    aiohttp is imported on the service's own thread: that takes a third of a second, which streams need for their first
    picture. Who connects meanwhile waits in the socket's queue.

    Args:
        host: address or name to listen on.
        port: 0 takes any free one; ``port`` tells which.
        token: what a request has to show; None when only this machine can connect.
        streams: the enabled streams by name.
        daemon: the process.
        ready_within_s: the age of a stream's last new picture from which ``/readyz`` says no.
    """

    def __init__(
        self,
        host: str,
        port: int,
        token: str | None,
        streams: Mapping[str, StreamView],
        daemon: DaemonStatus,
        *,
        ready_within_s: float = 5.0,
    ) -> None:
        self._host = host
        self._port = port
        self._token = token
        self._streams = streams
        self._daemon = daemon
        self._ready_within_s = ready_within_s
        self._sockets: list[socket.socket] = []
        self._thread: threading.Thread | None = None
        self._server: Server | None = None
        self._wanted = threading.Event()
        self._settled = threading.Event()  # it answers, or it has failed
        self._failure: BaseException | None = None

    @property
    def port(self) -> int:
        """The port that is listened on, once begun."""
        return self._port

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the page."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # noqa: S104 -- compared, not bound
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port}/"

    def begin(self) -> None:
        """Listen. Requests are answered from ``start`` on, or a second later. More than once is once.

        Raises:
            ListenError: the address cannot be listened on, or not now.
            ConfigError: this user may not listen on it.
        """
        if self._thread is not None:
            return
        self._sockets = _listen(self._host, self._port)
        self._port = int(self._sockets[0].getsockname()[1])
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)
        self._thread.start()

    def start(self) -> None:
        """Begin, unless that was done before, and wait until requests are answered.

        Raises:
            ListenError: the address cannot be listened on, or not now.
            ConfigError: this user may not listen on it.
        """
        self.begin()
        self._wanted.set()
        self._settled.wait()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """End every viewer, close the port; takes about a second at most. May be called twice."""
        thread = self._thread
        if thread is None:
            return
        self._wanted.set()
        self._settled.wait(_STOP_S)
        if self._server is not None:
            self._server.stop()
        thread.join(_STOP_S)
        if thread.is_alive():
            _log.error("the http thread did not end: this is a bug of edgeseg")
        self._thread = None

    def answers(self, timeout_s: float = 1.0) -> bool:
        """Whether the service's thread is alive and not stuck. For the watchdog; blocks up to ``timeout_s``."""
        return self._server is not None and self._server.answers(timeout_s)

    def _run(self) -> None:
        self._wanted.wait(_HEAD_START_S)
        try:
            from edgeseg.service._server import Server

            server = Server(self._sockets, self._host, self._token, self._streams, self._daemon, self._ready_within_s)
            self._server = server
            server.run(self._settled.set)
        except BaseException as exc:
            self._failure = exc  # for `start`, if it still waits
            raise
        finally:
            self._settled.set()


def _listen(host: str, port: int) -> list[socket.socket]:
    """A listening socket for each address that ``host`` means, all on one port."""
    sockets: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, address in sorted({(family, str(address[0])) for family, _, _, _, address in found}):
            sockets.append(_bind(family, address, sockets[0].getsockname()[1] if sockets else port))
    except OSError as exc:
        for opened in sockets:
            opened.close()
        raise _refusal(host, port, exc) from exc
    return sockets


def _bind(family: int, address: str, port: int) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        # A restarted daemon must not wait for the connections of the old one to be forgotten.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((address, port))
        listening.listen(128)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


def _refusal(host: str, port: int, exc: OSError) -> EdgesegError:
    """What to say; a ListenError where it may be otherwise in a moment."""
    where = f"{host}:{port}"
    if isinstance(exc, socket.gaierror):
        return ListenError(
            f"http.host: cannot listen on {host}: {exc.strerror}", hint="give an address of this machine"
        )
    if exc.errno == errno.EADDRINUSE:
        return ListenError(
            f"http.port: cannot listen on {where}: another program uses this port",
            hint=f"choose another http.port, or find it with: ss -ltnp 'sport = :{port}'",
        )
    if exc.errno in {errno.EACCES, errno.EPERM}:
        return ConfigError(f"http.port: cannot listen on {where}: not allowed", hint="choose a port above 1023")
    if exc.errno == errno.EADDRNOTAVAIL:
        return ListenError(
            f"http.host: cannot listen on {host}: this machine has no such address", hint="is the network up?"
        )
    return ConfigError(f"http.port: cannot listen on {where}: {os.strerror(exc.errno or 0)}")
