"""What answers on the sockets that the service listens on: aiohttp, with its event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Mapping, Sequence

from aiohttp import web

from edgeseg.service._access import Access
from edgeseg.service._answers import add_headers, one_sentence
from edgeseg.service._routes import Routes
from edgeseg.status import DaemonStatus, StreamView

_STOP_S = 1.0  # how long viewers have to take what was sent


class Server:
    """Answers until it is told to stop. Belongs to the thread that makes it; ``stop`` and ``answers`` to any.

    Args:
        sockets: which listen already; they are closed at the end.
        host: the configured address, see ``Access``.
        token: what a request has to show, or None.
        streams: the enabled streams by name.
        daemon: the process.
        ready_within_s: the age of a stream's last new picture from which ``/readyz`` says no.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        host: str,
        token: str | None,
        streams: Mapping[str, StreamView],
        daemon: DaemonStatus,
        ready_within_s: float,
    ) -> None:
        self._sockets = sockets
        self._access = Access(token, host)
        self._routes = Routes(streams, daemon, self._access, ready_within_s)
        self._stopping = asyncio.Event()
        self._runner = asyncio.Runner()
        self._loop = self._runner.get_loop()

    def run(self, ready: Callable[[], None]) -> None:
        """Serve until ``stop``; ``ready`` is called when requests are answered."""
        with self._runner:
            self._runner.run(self._serve(ready))

    def stop(self) -> None:
        """Let ``run`` end soon. Harmless when it has ended."""
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(self._stopping.set)

    def answers(self, timeout_s: float) -> bool:
        """Whether the loop runs and is not stuck; blocks up to ``timeout_s``."""
        answered = threading.Event()
        try:
            self._loop.call_soon_threadsafe(answered.set)
        except RuntimeError:
            return False
        return answered.wait(timeout_s)

    async def _serve(self, ready: Callable[[], None]) -> None:
        app = web.Application(middlewares=[one_sentence, self._access.middleware])
        app.on_response_prepare.append(add_headers)
        self._routes.add_to(app)
        # Cancelled handlers: a viewer that leaves while nothing is sent would keep its seat otherwise.
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=_STOP_S)
        await runner.setup()
        try:
            for listening in self._sockets:
                await web.SockSite(runner, listening).start()
            ready()
            await self._stopping.wait()
        finally:
            self._routes.viewers.end()
            self._routes.snapshots.close()
            await runner.cleanup()
