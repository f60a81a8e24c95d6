"""Serves a stream at ``rtmp://`` to players that connect, without any server in between."""

from __future__ import annotations

import contextlib
import errno
import logging
import select
import socket
import threading
import time
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

from edgeseg.backoff import Backoff
from edgeseg.errors import OutputError
from edgeseg.outputs import rtmp
from edgeseg.outputs.feed import DropLog, TagSource
from edgeseg.outputs.tagqueue import Ended, TagQueue
from edgeseg.redact import redact_url
from edgeseg.retiming import ViewerTimeline
from edgeseg.status import OutputStatus
from edgeseg.types import State, StreamHeader, Tag

_log = logging.getLogger(__name__)

_DEFAULT_PORT = 1935
_POLL_S = 0.25
_WELCOME_S = 8.0
# Programs end, and networks come up.
_PASSING = {errno.EADDRINUSE, errno.EADDRNOTAVAIL}
_HINTS = {
    errno.EADDRINUSE: "another program has the port",
    errno.EADDRNOTAVAIL: "the box has no such address; is the network up?",
    errno.EACCES: "ports below 1024 are for root; choose a higher one",
}


class Listen:
    """A listening RTMP address. Players see the last keyframe at once and the live picture from then on.

    Made like a ``Feed`` (``start`` and ``close``), but it takes nothing from the hub while nobody watches: each viewer
    has a thread, a queue and a timeline of its own, and one that does not read is dropped after ``stall_s``. An address
    that is taken or not there yet is tried again; one that is not allowed is a permanent failure (FAILED).

    Args:
        url: ``rtmp://host[:port]/app/path``; a player has to give the same app and path.
        name: for log lines and threads.
        status: RUNNING while it listens; ``viewers`` counts who watches; ``where`` is the address that is logged.
        max_viewers: connections beyond are closed at once.
        queue_s: how far a viewer may lag before pictures are dropped.
        stall_s: how long a viewer may take nothing.
        backoff: the waits between tries to listen.

    Raises:
        OutputError: permanent, when the URL is not one to listen at.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        status: OutputStatus,
        max_viewers: int = 4,
        queue_s: float = 2.0,
        stall_s: float = 4.0,
        backoff: Backoff | None = None,
    ) -> None:
        parts = urlsplit(url)
        app, _, playpath = unquote(parts.path).strip("/").partition("/")
        if parts.scheme.lower() != "rtmp" or not parts.hostname or not app:
            raise OutputError(
                f"cannot listen at {redact_url(url)}", hint="use rtmp://host:port/app/name", permanent=True
            )
        self.status = status
        self._name = name
        self._address = (parts.hostname, parts.port or _DEFAULT_PORT)
        self._wanted = (app, playpath)
        self._max_viewers = max_viewers
        self._queue_s = queue_s
        self._stall_s = stall_s
        self._backoff = backoff or Backoff()
        self._drops = DropLog(name, status)
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._viewers: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def warm_up(self) -> None:
        """Nothing is worth doing before somebody watches."""

    def start(self, source: TagSource) -> None:
        """Bind and begin to accept. Never raises: see ``status``."""
        if self._listens() or self.status.state is State.BACKING_OFF:
            self._thread = threading.Thread(target=self._run, args=(source,), name=self._name, daemon=True)
            self._thread.start()

    def close(self, timeout_s: float = 3.0) -> None:
        """Send every viewer what is queued and the end of the stream, then stop listening."""
        self._closing.set()
        deadline = time.monotonic() + timeout_s
        with self._lock:
            threads = list(self._viewers)
        for thread in (self._thread, *threads):
            if thread is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
        if self._listener is not None:
            self._listener.close()
        if self.status.state is not State.FAILED:
            self.status.state = State.STOPPED

    def _run(self, source: TagSource) -> None:
        while self.status.state is State.BACKING_OFF:
            if self._closing.wait(self._backoff.next_s(0.0)):
                return
            self._listens()
        if self._listener is not None:
            self._accept(source, self._listener)

    def _listens(self) -> bool:
        """Try to listen; why it does not is in ``status``, and in the log when it is news."""
        try:
            self._listener = self._bind()
        except OSError as exc:
            passing = isinstance(exc, socket.gaierror) or exc.errno in _PASSING
            host, port = self._address
            hint = _HINTS.get(exc.errno or 0, "check the host and the port")
            problem = OutputError(f"cannot listen at {host}:{port}: {exc.strerror}", hint=hint, permanent=not passing)
            if self.status.reason != str(problem):
                _log.error("%s: %s%s", self._name, problem, "; trying again until it works" if passing else "")
            self.status.state = State.BACKING_OFF if passing else State.FAILED
            self.status.reason = str(problem)
            return False
        self.status.starts += 1
        self.status.state, self.status.reason = State.RUNNING, ""
        _log.info("%s: listening at %s", self._name, self.status.where)
        return True

    def _bind(self) -> socket.socket:
        host, port = self._address
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(8)
            listener.settimeout(_POLL_S)
        except OSError:
            listener.close()
            raise
        return listener

    def _accept(self, source: TagSource, listener: socket.socket) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            except OSError as exc:  # out of descriptors, or a connection that is gone already
                _log.warning("%s: cannot accept a viewer: %s", self._name, exc.strerror)
                self._closing.wait(_POLL_S)
                continue
            with self._lock:
                if len(self._viewers) >= self._max_viewers:
                    connection.close()
                    continue
                thread = threading.Thread(
                    target=self._serve, args=(connection, source), name=f"{self._name}:viewer", daemon=True
                )
                self._viewers.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, source: TagSource) -> None:
        try:
            with connection:
                self._welcome(connection)
                self._watch(connection, source)
        except (OSError, rtmp.ProtocolError, _Gone) as exc:
            _log.debug("%s: a viewer left: %s", self._name, exc)
        finally:
            with self._lock:
                self._viewers.remove(threading.current_thread())

    def _welcome(self, connection: socket.socket) -> None:
        """Handshake and commands, until the player waits for the stream it asked for."""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        deadline = time.monotonic() + _WELCOME_S

        def read(size: int) -> bytes:
            wire = bytearray()
            while len(wire) < size:
                # One limit for the whole conversation: a byte now and then must not keep a place for ever.
                connection.settimeout(max(0.01, min(self._stall_s, deadline - time.monotonic())))
                part = connection.recv(size - len(wire))
                if not part:
                    raise _Gone("before it asked for the stream")
                wire += part
            return bytes(wire)

        rtmp.answer_handshake(read, connection.sendall)
        reader = rtmp.ChunkReader(read)
        session = rtmp.PlaySession()
        while time.monotonic() < deadline:
            answer, plays = session.answer(reader.message())
            if plays:
                # Players differ in where they cut app from path: compare the whole.
                if f"{session.app}/{session.playpath}".strip("/").split("?")[0] != "/".join(self._wanted).strip("/"):
                    connection.sendall(rtmp.play_refused())
                    raise rtmp.ProtocolError("it asked for another stream")
                connection.sendall(rtmp.play_begins())
                return
            connection.sendall(answer)
        raise rtmp.ProtocolError("it never asked for the stream")

    def _watch(self, connection: socket.socket, source: TagSource) -> None:
        queue = TagQueue(queue_s=self._queue_s, dropped=self._drops.dropped)
        with self._lock:
            self.status.viewers += 1
        source.subscribe(queue)
        try:
            self._send_stream(connection, queue)
        finally:
            queue.close()
            source.unsubscribe(queue)
            with self._lock:
                self.status.viewers -= 1

    def _send_stream(self, connection: socket.socket, queue: TagQueue) -> None:
        connection.settimeout(self._stall_s)
        timeline = ViewerTimeline()
        epoch = 0
        while True:
            if self._closing.is_set():
                queue.end()
            try:
                item = queue.get(_POLL_S)
            except Ended:
                connection.sendall(rtmp.play_ends())
                return
            self._discard_words(connection)
            if isinstance(item, StreamHeader):
                if epoch and item.epoch != epoch:
                    raise _Gone("because the encoder changed")
                epoch = item.epoch
                self._send(connection, item.tags)
            elif isinstance(item, Tag):
                self._send(connection, (timeline.next(item),))
            elif item is not None:
                self._send(connection, timeline.start(item))

    def _send(self, connection: socket.socket, tags: Sequence[Tag]) -> None:
        wire = b"".join(map(rtmp.media, tags))
        connection.sendall(wire)
        with self._lock:
            self.status.sent_tags += len(tags)
            self.status.sent_bytes += len(wire)

    @staticmethod
    def _discard_words(connection: socket.socket) -> None:
        """Acknowledgements and pings need no answer; the end of the connection does."""
        with contextlib.suppress(BlockingIOError):
            while select.select([connection], [], [], 0)[0]:
                if not connection.recv(4096):
                    raise _Gone("by itself")


class _Gone(Exception):  # noqa: N818 -- what viewers do
    """The viewer left, or has to."""
