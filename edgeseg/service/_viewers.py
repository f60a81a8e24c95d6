"""Who is watching: a limit per stream, and the counters of the viewers as one output of the stream."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping

from edgeseg.service._viewer import Viewer
from edgeseg.status import OutputStatus, StreamView
from edgeseg.types import State

MAX_VIEWERS = 8


class TooManyViewersError(Exception):
    """The stream has as many viewers as it may; the text says so."""


class Viewers:
    """The seats of all streams. Lives on the service's event loop."""

    def __init__(self, streams: Mapping[str, StreamView], limit: int = MAX_VIEWERS) -> None:
        self._streams = streams
        self._limit = limit
        self._statuses: dict[str, OutputStatus] = {}
        self._seated: dict[str, set[Viewer]] = {}
        for name in list(streams):
            self.status(name)

    def status(self, name: str) -> OutputStatus:
        """The counters of one stream's viewers; they appear among the stream's outputs."""
        status = self._statuses.get(name)
        if status is None:
            status = OutputStatus("http", "viewers", f"/streams/{name}/", state=State.RUNNING, starts=1)
            self._statuses[name] = status
        stream = self._streams[name].status
        if not any(output is status for output in stream.outputs):
            stream.outputs.append(status)
            # Looked at after the append: who turns a stream off says so to the outputs that it has by then.
            if stream.state is State.FAILED:
                status.state, status.reason = State.STOPPED, "the stream is off"
        return status

    @contextlib.contextmanager
    def seat(self, name: str) -> Iterator[tuple[Viewer, OutputStatus]]:
        """A viewer of the stream ``name`` that gets its tags until the block is left.

        Raises TooManyViewersError when there is no seat.
        """
        status, seated = self.status(name), self._seated.setdefault(name, set())
        if len(seated) >= self._limit:
            raise TooManyViewersError(f"stream {name} has {self._limit} viewers already, that is the limit")
        viewer = Viewer(asyncio.get_running_loop(), status)
        seated.add(viewer)
        status.viewers = len(seated)
        view = self._streams[name]
        try:
            view.subscribe(viewer)
            yield viewer, status
        finally:
            view.unsubscribe(viewer)
            seated.discard(viewer)
            status.viewers = len(seated)

    def end(self) -> None:
        """Tell every viewer that it is over; no one is seated after that."""
        self._limit = 0
        for seated in self._seated.values():
            for viewer in list(seated):
                viewer.end()
        for status in self._statuses.values():
            status.state = State.STOPPED
