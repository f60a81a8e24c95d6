"""Opens a source while model and encoder are still being prepared: a camera takes its time too."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from edgeseg.errors import EdgesegError
from edgeseg.types import Source, SourceFormat

_log = logging.getLogger(__name__)

# What a live source may have waiting; more would be delay, and a camera that is not read gives up or loses packets.
_BACKLOG_S = 0.3


class Ahead:
    """A source that was opened before somebody needs it. Belongs to one thread, the source's.

    The constructor returns when ``wanted`` is set. Until then a live source's pictures are thrown away, so that the
    next one is of now; what is not live waits. What the source raised comes from ``take``.

    Args:
        make: gives the source, not open yet.
        wanted: set when the source is needed, or when it will not be.
    """

    def __init__(self, make: Callable[[], Source], wanted: threading.Event) -> None:
        self._source: Source | None = None
        self._format: SourceFormat | None = None
        self._problem: EdgesegError | None = None
        try:
            self._source = make()
            self._format = self._source.open()
            if not self._format.waits and not wanted.wait(_BACKLOG_S):
                while not wanted.is_set() and self._source.read() is not None:
                    pass
        except EdgesegError as exc:
            _log.debug("opened ahead: %s", exc)
            self._problem = exc
            self.close()
        wanted.wait()

    def take(self) -> tuple[Source, SourceFormat]:
        """The source and what it is; to be closed by the caller.

        Raises:
            EdgesegError: what it raised when it was made, opened or read.
        """
        if self._problem is not None:
            raise self._problem
        assert self._source is not None
        assert self._format is not None
        source, self._source = self._source, None
        return source, self._format

    def close(self) -> None:
        """Close the source, if nobody took it."""
        source, self._source = self._source, None
        if source is not None:
            source.close()
