"""Keeps one output fed: its own thread, its own queue, its own patience."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import Protocol, runtime_checkable

from edgeseg.backoff import Backoff
from edgeseg.errors import OutputError
from edgeseg.outputs.tagqueue import Ended, TagQueue
from edgeseg.redact import redact
from edgeseg.status import OutputStatus, Subscriber
from edgeseg.types import Output, State, StreamHeader, Tag

_log = logging.getLogger(__name__)

# A server may take this long to accept, and still gets the stream from its first picture.
_OPENING_S = 10.0
# For the next tag; the end wakes it too.
_LONGEST_WAIT_S = 60.0


class TagSource(Protocol):
    """What a feed gets its tags from: a hub, or a stream that has one."""

    def subscribe(self, subscriber: Subscriber) -> None: ...

    def unsubscribe(self, subscriber: Subscriber) -> None: ...


@runtime_checkable
class Cancellable(Protocol):
    """An output whose blocked ``open`` or ``write`` can be cut short from another thread."""

    def cancel(self) -> None: ...


@runtime_checkable
class Prepared(Protocol):
    """An output that can do something ahead of ``open``, which comes with the stream's first picture."""

    def warm_up(self) -> None: ...


class DropLog:
    """Counts what was dropped and says so at most once a second."""

    def __init__(self, name: str, status: OutputStatus) -> None:
        self._name = name
        self._status = status
        self._unsaid = 0
        self._said_at = -1.0

    def dropped(self, tags: int) -> None:
        """Called on the hub's thread."""
        self._status.dropped_tags += tags
        self._unsaid += tags
        now = time.monotonic()
        if now - self._said_at >= 1.0:
            _log.warning("%s: too slow, dropped %d tags up to a keyframe", self._name, self._unsaid)
            self._unsaid, self._said_at = 0, now


class Feed:
    """Takes a stream's tags from the hub to one output, and starts the output again when it fails.

    Every start subscribes afresh, so it begins with header, cached group and a keyframe. A permanent OutputError ends
    it (FAILED). ``start`` and ``close`` are the owner's; ``start`` before the encoder's first tag loses nothing of the
    stream.

    Args:
        name: for log lines and the thread.
        output: only ever called from the feed's thread while that runs (but for ``cancel``).
        status: where state and counters go.
        queue_s: how many seconds of stream may wait for the output.
        opening_s: and how many while it connects.
        queue_bytes: and how many bytes.
        wait: the source is a file: hold the stream up for ``wait_s`` before anything is dropped.
        wait_s: see ``wait``.
        backoff: the waits between tries.
    """

    def __init__(
        self,
        name: str,
        output: Output,
        status: OutputStatus,
        *,
        queue_s: float = 2.0,
        opening_s: float = _OPENING_S,
        queue_bytes: int = 16 << 20,
        wait: bool = False,
        wait_s: float = 5.0,
        backoff: Backoff | None = None,
    ) -> None:
        self.status = status
        self._name = name
        self._output = output
        self._queue_s = queue_s
        self._opening_s = opening_s
        self._queue_bytes = queue_bytes
        self._wait_s = wait_s if wait else 0.0
        self._backoff = backoff or Backoff()
        self._drops = DropLog(name, status)
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._queue: TagQueue | None = None
        self._running_since: float | None = None
        self._told = ""

    def warm_up(self) -> None:
        """Do what the output can do before there is a stream. May be left out; ``close`` undoes it."""
        if isinstance(self._output, Prepared):
            with contextlib.suppress(OutputError):  # which ``open`` will meet as well
                self._output.warm_up()

    def start(self, source: TagSource) -> None:
        """Subscribe, and begin on a thread of its own."""
        queue = self._subscribe(source)
        self._thread = threading.Thread(target=self._run, args=(source, queue), name=self._name, daemon=True)
        self._thread.start()

    def close(self, timeout_s: float = 3.0) -> None:
        """Let what is queued get out, close the output, end the thread; cut it short after ``timeout_s``."""
        self._closing.set()
        if self._queue is not None:
            self._queue.end()
        if self._thread is None:
            self._close_output()
            self.status.state = State.STOPPED
            return
        deadline = time.monotonic() + timeout_s
        self._thread.join(timeout_s * 0.7)
        if self._thread.is_alive():
            if self._queue is not None:
                self._queue.close()
            if isinstance(self._output, Cancellable):
                self._output.cancel()
            self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._thread.is_alive():
            _log.error("%s: did not stop within %.1f s", self._name, timeout_s)

    def _subscribe(self, source: TagSource) -> TagQueue:
        queue = TagQueue(
            queue_s=self._queue_s,
            opening_s=self._opening_s,
            queue_bytes=self._queue_bytes,
            wait_s=self._wait_s,
            dropped=self._drops.dropped,
        )
        self._queue = queue
        if self._closing.is_set():
            queue.end()
        source.subscribe(queue)
        return queue

    def _run(self, source: TagSource, queue: TagQueue) -> None:
        while True:
            problem = self._run_once(source, queue)
            if problem is not None and problem.permanent:
                self._fail(problem, State.FAILED)
                return
            if problem is None or queue.ended or self._closing.is_set():
                break
            ran_s = time.monotonic() - self._running_since if self._running_since is not None else 0.0
            self._fail(problem, State.BACKING_OFF)
            if self._closing.wait(self._backoff.next_s(ran_s)):
                break
            queue = self._subscribe(source)
        if problem is not None:
            self._fail(problem, State.STOPPED)
        self.status.state = State.STOPPED

    def _run_once(self, source: TagSource, queue: TagQueue) -> OutputError | None:
        self._running_since = None
        try:
            self._pump(queue)
        except OutputError as exc:
            return exc
        except Exception as exc:  # noqa: BLE001
            # Outputs may be other people's: whatever one raises must neither end the daemon nor go unnoticed.
            _log.exception("%s: the output raised what it should not", self._name)
            return OutputError(f"unexpected {type(exc).__name__}")
        finally:
            queue.close()
            source.unsubscribe(queue)
            self.status.queue_length = 0
            self._close_output()
        return None

    def _pump(self, queue: TagQueue) -> None:
        """Write until the stream ends; raises OutputError."""
        header: StreamHeader | None = None
        is_open = False
        while True:
            try:
                item = queue.get(_LONGEST_WAIT_S)
            except Ended:
                return
            self.status.queue_length = len(queue)
            if item is None:
                continue
            if isinstance(item, StreamHeader):
                if is_open:  # the decoder configuration changed: what began with the old one cannot go on
                    self._close_output()
                    is_open = False
                header = item
                continue
            if not is_open:
                assert header is not None, "the hub calls header() first"
                self.status.starts += 1
                self._output.open(header)
                is_open = True
            for tag in (item,) if isinstance(item, Tag) else item:
                self._output.write(tag)
                self.status.sent_tags += 1
                self.status.sent_bytes += len(tag.wire)
            if self._running_since is None:
                queue.opened()
                self._run_begins()

    def _run_begins(self) -> None:
        self._running_since = time.monotonic()
        self.status.state = State.RUNNING
        self.status.reason = ""
        _log.info("%s: %s %s", self._name, "is back on" if self._told else "running on", self.status.where)
        self._told = ""

    def _fail(self, problem: OutputError, state: State) -> None:
        sentence = redact(str(problem))
        self.status.state = state
        self.status.reason = sentence
        if sentence != self._told:
            going_on = "; trying again" if state is State.BACKING_OFF else ""
            _log.error("%s: %s%s", self._name, sentence, going_on)
            self._told = sentence

    def _close_output(self) -> None:
        try:
            self._output.close()
        except Exception as exc:  # noqa: BLE001 -- other people's outputs, as above
            _log.warning("%s: closing failed: %s", self._name, redact(str(exc)))
