"""Keeps one stream running: states, back-off, and the order in which it stops."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from edgeseg.backoff import Backoff
from edgeseg.encoding.command import EncoderSettings, usable_settings
from edgeseg.encoding.hub import Hub
from edgeseg.errors import EdgesegError, StreamError
from edgeseg.governor import GovernorSettings
from edgeseg.opening import Ahead
from edgeseg.pipeline import Stages
from edgeseg.reader import VideoSettings
from edgeseg.slate import SlateSettings
from edgeseg.status import LatestFrame, StreamStatus, Subscriber
from edgeseg.stream import Stream
from edgeseg.types import Source, State

_log = logging.getLogger(__name__)


class Fed(Protocol):
    """An output with its own thread, as the supervisor sees it."""

    def warm_up(self) -> None: ...

    def start(self, source: Hub) -> None: ...

    def close(self, timeout_s: float = ...) -> None: ...


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What a stream is made of, before any of it is open. ``load`` may take seconds and raises EdgesegError; with
    ``open_ahead`` the source is opened meanwhile.
    """

    status: StreamStatus
    make_source: Callable[[], Source]
    load: Callable[[], Stages]
    unload: Callable[[], None]
    video: VideoSettings
    encoder: EncoderSettings
    outputs: Sequence[Fed]
    slate: SlateSettings | None = None
    governor: GovernorSettings | None = None
    open_ahead: bool = False


class StreamSupervisor:
    """One stream and the thread that looks after it.

    A StreamError is logged once, waited out (1 to 60 s) and tried again, a permanent one ends the stream; other
    streams are not concerned. Anything else is our bug: ``fatal`` is told, and the process ends.
    """

    def __init__(
        self, blueprint: Blueprint, fatal: Callable[[str, BaseException], None], backoff: Backoff | None = None
    ) -> None:
        self.status = blueprint.status
        self.failure: EdgesegError | None = None  # why it stays off
        self.latest = LatestFrame()
        self._blueprint = blueprint
        self._fatal = fatal
        self._backoff = backoff or Backoff()
        self._hub = Hub(self.status.name)
        self._stop = threading.Event()
        self._stream: Stream | None = None
        self._prepared = threading.Event()  # or never will be
        self._thread = threading.Thread(target=self._guarded, name=f"{self.status.name}:source", daemon=True)

    def subscribe(self, subscriber: Subscriber) -> None:
        self._hub.subscribe(subscriber)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        self._hub.unsubscribe(subscriber)

    def prepare(self) -> None:
        """Load the model and try the encoder. What fails makes this stream FAILED, and is logged; nothing is raised."""
        if self._blueprint.open_ahead:
            self._thread.start()
        try:
            # At the same time: outputs start their children, and the encoder is tried in another one.
            for output in self._blueprint.outputs:
                output.warm_up()
            with ThreadPoolExecutor(1, f"{self.status.name}:probe") as probing:
                usable = probing.submit(usable_settings, self._blueprint.encoder)
                stages = self._blueprint.load()
                encoder, remark = usable.result()
            if remark:
                _log.warning("%s: %s", self.status.name, remark)
            self._stream = self._make_stream(stages, encoder)
        except EdgesegError as exc:
            self._stay_off(exc)
        except Exception as exc:  # noqa: BLE001 - a plug-in may be anybody's; the other streams are not concerned
            _log.debug("%s: preparing failed", self.status.name, exc_info=exc)
            self._stay_off(StreamError(f"unexpected {type(exc).__name__}: {exc}", hint="is a plug-in the cause?"))

    def _make_stream(self, stages: Stages, encoder: EncoderSettings) -> Stream:
        return Stream(
            self.status,
            stages,
            self._blueprint.video,
            encoder,
            self._hub,
            self.latest,
            self._stop,
            self._blueprint.slate,
            self._blueprint.governor,
        )

    def _stay_off(self, exc: EdgesegError) -> None:
        self._give_up(exc)
        self._prepared.set()
        self._blueprint.unload()
        self._close_outputs(1.5)
        for status in self.status.outputs:
            status.state, status.reason = State.STOPPED, "the stream is off"

    def start(self) -> None:
        """Start the outputs, then let the source come. Without a model there is nothing to start."""
        if self._stream is None or self.finished:
            return
        for output in self._blueprint.outputs:
            output.start(self._hub)
        self._stream.expect()
        self._prepared.set()
        if not self._blueprint.open_ahead:
            self._thread.start()

    @property
    def finished(self) -> bool:
        """Whether the stream has come to an end and will not start again by itself."""
        return self.status.state in (State.FAILED, State.STOPPED)

    @property
    def alive(self) -> bool:
        """Whether its thread does what it should; false only when it died without a word."""
        return self.finished or self._thread.ident is None or self._thread.is_alive()

    def ask_to_stop(self) -> None:
        """Let the stream end soon; returns at once."""
        self._stop.set()
        self._prepared.set()

    def join(self, timeout_s: float) -> bool:
        """Wait for the stream's end; False when its thread did not come back, say from a dead camera's driver."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, timeout_s))
        if self._thread.is_alive():
            # The source does not answer; what was encoded so far still gets out and is closed properly.
            self._close_outputs(1.0)
            return False
        return True

    def _guarded(self) -> None:
        try:
            self._run()
        except BaseException as exc:  # noqa: BLE001 - told to the daemon, which ends the process
            self.status.state, self.status.reason = State.FAILED, f"unexpected {type(exc).__name__}"
            self._fatal(self.status.name, exc)
            self._close_outputs(1.5)  # a recording is worth a second even now

    def _run(self) -> None:
        ahead = Ahead(self._blueprint.make_source, self._prepared) if self._blueprint.open_ahead else None
        if self._stream is not None:
            self._play(self._stream, ahead)
        if ahead is not None:
            ahead.close()

    def _play(self, stream: Stream, ahead: Ahead | None) -> None:
        """Play sources, one after the other, until there is no more to do; ``ahead`` is the first of them."""
        told = ""
        while not self._stop.is_set():
            started = time.monotonic()
            before = self.status.frames.get(("encode", "in"), 0)
            try:
                if ahead is None:
                    stream.play(self._blueprint.make_source())
                else:
                    first, ahead = ahead, None
                    stream.play(*first.take())
                break
            except StreamError as exc:
                if exc.permanent:
                    self._give_up(exc)
                    break
                if self._stop.is_set():
                    break
                if self.status.frames.get(("encode", "in"), 0) > before:
                    told = ""  # it ran in between, so it is news
                pause_s = self._backoff.next_s(time.monotonic() - started)
                self.status.state, self.status.reason = State.BACKING_OFF, str(exc)
                if str(exc) != told:
                    _log.error("%s: %s; trying again until it works", self.status.name, exc)
                    told = str(exc)
                self._stop.wait(pause_s)
            except EdgesegError as exc:  # a plug-in that cannot be loaded, say
                self._give_up(exc)
                break
        # A file that has ended may take its time; somebody who waits for the daemon to stop may not.
        stream.finish(2.0 if self._stop.is_set() else 10.0)
        self._close_outputs(1.5 if self._stop.is_set() else 10.0)
        self._blueprint.unload()
        if self.status.state is not State.FAILED:
            self.status.state, self.status.reason = State.STOPPED, ""
            _log.info("%s: %s", self.status.name, "stopped" if self._stop.is_set() else "the source has ended")

    def _close_outputs(self, timeout_s: float) -> None:
        self._hub.end()
        closing = [
            threading.Thread(target=output.close, args=(timeout_s,), daemon=True) for output in self._blueprint.outputs
        ]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join(timeout_s + 0.5)

    def _give_up(self, exc: EdgesegError) -> None:
        self.failure = exc
        self.status.state, self.status.reason = State.FAILED, str(exc)
        _log.error("%s: %s; this stream stays off until the daemon is restarted", self.status.name, exc)
