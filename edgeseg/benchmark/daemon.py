"""A daemon of our own under watch: ``edgeseg run`` in a child process."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from edgeseg.benchmark import processes
from edgeseg.errors import EdgesegError
from edgeseg.redact import redact

# A GPU takes up to a minute to compile a model.
_READY_S = 120.0
# It stops by itself after this, should nobody be left to stop it.
_LONGEST_S = 600
_STOP_S = 15.0
_EACH_S = 0.1
_ADDRESS = re.compile(r"(http://127\.0\.0\.1:\d+)/metrics")


class TrialError(EdgesegError):
    """The daemon that was to be measured did not run."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the daemon told: pictures put out by stream, CPU seconds by process and of the whole machine.

    ``at`` is in monotonic seconds.
    """

    at: float
    frames: dict[str, int]
    cpu_s: dict[int, float]
    machine_s: float


class WatchedDaemon:
    """``edgeseg run`` on ``config``, ready when the block is entered and gone when it is left.

    Raises:
        TrialError: it did not come up, or a stream of it cannot run.
    """

    def __init__(self, config: Path) -> None:
        self._words, self._log = config.with_suffix(".out"), config.with_suffix(".log")
        with self._words.open("wb") as words, self._log.open("wb") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "edgeseg", "run", "-c", str(config), "--duration", str(_LONGEST_S)],
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=log,
                start_new_session=True,
            )
        self._address = ""
        # The daemon is on this machine: no proxy knows the way.
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
        self._pause = threading.Event()

    def __enter__(self) -> WatchedDaemon:
        try:
            until = time.monotonic() + _READY_S
            while not (found := _ADDRESS.search(self._words.read_text(errors="replace"))):
                self.wait(_EACH_S)
                if time.monotonic() >= until:
                    raise TrialError(f"the daemon was not ready within {_READY_S:g} s{self._last_words()}")
            self._address = found[1]
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self._end()

    def wait(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            TrialError: the daemon has ended.
        """
        self._pause.wait(seconds)
        if self._child.poll() is not None:
            raise TrialError(f"the daemon ended with {self._child.returncode}{self._last_words()}")

    def look(self) -> Look:
        """What it is doing.

        Raises:
            TrialError: it does not answer, or one of its streams does not run.
        """
        asked = time.monotonic()
        try:
            with self._open(f"{self._address}/api/streams", timeout=30) as answer:
                report: dict[str, Any] = json.load(answer)
        except (OSError, ValueError) as exc:
            raise TrialError(f"the daemon does not answer: {exc}{self._last_words()}") from exc
        at = (asked + time.monotonic()) / 2
        for stream in report["streams"]:
            if stream["state"] in ("backing_off", "failed"):
                raise TrialError(f"a stream does not run: {redact(stream['reason'])}{self._last_words()}")
        cpu = {pid: processes.cpu_s(pid) for pid in processes.tree(self._child.pid)}
        frames = {stream["name"]: int(stream["frames"].get("encode.out", 0)) for stream in report["streams"]}
        return Look(at, frames, cpu, processes.machine_cpu_s())

    def pss(self) -> int:
        """Bytes of the daemon and its children; pages that they share count once."""
        return sum(processes.memory(pid).pss for pid in processes.tree(self._child.pid))

    def _last_words(self) -> str:
        lines = redact(self._log.read_text(errors="replace")).strip().splitlines()
        return f": {lines[-1]}" if lines else ""

    def _end(self) -> None:
        self._child.terminate()
        try:
            self._child.wait(_STOP_S)
        except BaseException as exc:
            self._child.kill()
            self._child.wait()
            if not isinstance(exc, subprocess.TimeoutExpired):
                raise
