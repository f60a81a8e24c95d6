"""The composition root: builds everything, starts it in order, stops it in the reverse order."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import platform
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from types import FrameType

from edgeseg import __version__
from edgeseg.build import blueprint, build_keeper
from edgeseg.config.schema import Config
from edgeseg.errors import EXIT_OK, EXIT_UNEXPECTED
from edgeseg.kernels import library
from edgeseg.service import notify
from edgeseg.service.app import HttpService
from edgeseg.status import DaemonStatus
from edgeseg.supervisor import StreamSupervisor
from edgeseg.types import State

_log = logging.getLogger(__name__)

_STOP_S = 3.0
_TICK_S = 0.25


def _build() -> dict[str, str]:
    """What the process is made of, for the build info metric."""
    packages = {name: metadata.version(name) for name in ("openvino", "av", "opencv-python-headless", "numpy")}
    versions = {"python": platform.python_version(), **{name.split("-")[0]: found for name, found in packages.items()}}
    return {**versions, "compositing": library.variant() or "opencv"}


class Daemon:
    """One process: the streams of a configuration, and the HTTP service that tells about them.

    ``run`` belongs to the main thread. It returns the exit code when every stream has ended, after ``duration_s``, or
    soon after the first SIGTERM or SIGINT; a second one ends the process at once.
    """

    def __init__(self, config: Config, *, duration_s: float | None = None) -> None:
        self._config = config
        self._duration_s = duration_s
        self._stop = threading.Event()
        self._fatal: tuple[str, BaseException] | None = None
        self.status = DaemonStatus(__version__, build=_build())
        self.keeper = build_keeper(config)
        self.streams = {
            name: StreamSupervisor(blueprint(name, config, self.keeper), self._on_fatal) for name in config.enabled
        }
        http = config.http
        self.http = HttpService(http.host, http.port, http.token, self.streams, self.status)

    def run(self, on_ready: Callable[[], None] = lambda: None) -> int:
        """Run until there is no more to do; ``on_ready`` is called when models and HTTP are up.

        Raises:
            ConfigError, ListenError: the HTTP port cannot be had.
        """
        self._install_signals()
        with contextlib.ExitStack() as stack:
            self.http.begin()
            stack.callback(self.http.stop)
            self.keeper.start()
            stack.callback(self.keeper.close)
            stack.callback(self._stop_streams)
            self._prepare()
            for stream in self.streams.values():
                stream.start()
            self.http.start()
            notify.ready(self._summary())
            on_ready()
            self._watch()
            notify.stopping()
        if self._fatal is not None:
            name, exc = self._fatal
            _log.critical("%s: unexpected %s: %s", name, type(exc).__name__, exc, exc_info=exc)
            return EXIT_UNEXPECTED
        if all(stream.status.state is State.FAILED for stream in self.streams.values()):
            _log.error("no stream could run")
            # The common kind of reason, if there is one: a restart does not bring a model that is not there.
            codes = {stream.failure.exit_code for stream in self.streams.values() if stream.failure is not None}
            return codes.pop() if len(codes) == 1 else EXIT_UNEXPECTED
        return EXIT_OK

    def stop(self) -> None:
        """Ask ``run`` to come to its end. May be called from any thread and from a signal handler."""
        self._stop.set()

    def _prepare(self) -> None:
        """All streams at the same time. A model that several of them run is still compiled once."""
        with ThreadPoolExecutor(len(self.streams) or 1, "prepare") as preparing:
            for done in [preparing.submit(stream.prepare) for stream in self.streams.values()]:
                done.result()
        # What is there now stays: looking through it again and again for garbage would hold up every thread.
        gc.freeze()
        gc.enable()

    def _watch(self) -> None:
        """Wait for the end; tell systemd that we live as long as everything does."""
        started = time.monotonic()
        interval_s = notify.watchdog_interval_s()
        next_feed = 0.0
        summary = ""
        while not self._stop.wait(_TICK_S):
            now = time.monotonic()
            if self._fatal is not None or all(stream.finished for stream in self.streams.values()):
                return
            if self._duration_s is not None and now - started >= self._duration_s:
                return
            if interval_s is not None and now >= next_feed and self._alive():
                notify.watchdog()
                next_feed = now + interval_s
            if self._summary() != summary:
                summary = self._summary()
                notify.status(summary)

    def _alive(self) -> bool:
        return all(stream.alive for stream in self.streams.values()) and self.http.answers()

    def _summary(self) -> str:
        return ", ".join(f"{name} {stream.status.state.value}" for name, stream in self.streams.items())

    def _stop_streams(self) -> None:
        deadline = time.monotonic() + _STOP_S
        for stream in self.streams.values():
            stream.ask_to_stop()
        for name, stream in self.streams.items():
            if not stream.join(deadline - time.monotonic()):
                _log.warning("%s: the source does not let go; leaving without it", name)

    def _on_fatal(self, name: str, exc: BaseException) -> None:
        self._fatal = (name, exc)

    def _install_signals(self) -> None:
        """SIGTERM and SIGINT stop; the handlers stay in place, because a second one has to act while we do."""
        if threading.current_thread() is not threading.main_thread():
            return

        def on_signal(number: int, _frame: FrameType | None) -> None:
            if self._stop.is_set():
                os._exit(128 + number)
            self._stop.set()

        def on_hangup(_number: int, _frame: FrameType | None) -> None:
            """Nothing is reloaded; dying of it would be worse."""

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, on_signal)
        signal.signal(signal.SIGHUP, on_hangup)
