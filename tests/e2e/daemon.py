"""The daemon as users run it: a process with a configuration file, asked over HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.ports import free_port
from tests.waiting import wait_until

Labels = frozenset[tuple[str, str]]


class Daemon:
    """A context manager that runs ``edgeseg run`` on ``streams`` and waits until HTTP answers.

    Nothing of it is left behind: at the end the process is killed if need be, and its children are waited for.

    Args:
        folder: where the configuration and the log go.
        streams: the configuration's ``streams``.
        env: added to the environment.
        **rest: further keys of the configuration; ``http.port`` is a free one unless given.
    """

    def __init__(
        self, folder: Path, streams: Mapping[str, Any], *, env: Mapping[str, str] | None = None, **rest: Any
    ) -> None:
        self.port = free_port()
        self.config = folder / "edgeseg.yaml"
        self._log, self._out = folder / "edgeseg.log", folder / "edgeseg.out"
        self._env = {**os.environ, **(env or {})}
        self.config.write_text(yaml.safe_dump({"http": {"port": self.port}, **rest, "streams": dict(streams)}))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        children = descendants(self.pid)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        wait_until(lambda: not any(map(is_alive, children)), 10, "the end of the daemon's children")

    def start(self) -> None:
        """Run it (again) on the same configuration and log, and wait until it answers."""
        with self._log.open("ab") as log, self._out.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "edgeseg", "run", "-c", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                env=self._env,
                start_new_session=True,
            )
        wait_until(self._answers, 30, "an answer of the daemon")

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def log(self) -> str:
        return self._log.read_text()

    def printed(self) -> str:
        return self._out.read_text()

    def get(self, path: str, timeout_s: float = 10) -> tuple[int, bytes]:
        """Status and body of an address of the daemon."""
        try:
            with urllib.request.urlopen(self.base + path, timeout=timeout_s) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.read()

    def metrics(self) -> dict[tuple[str, Labels], float]:
        """Every sample by its name and labels."""
        families = text_string_to_metric_families(self.get("/metrics")[1].decode())
        return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples that have these labels; 0 when there is none."""
        wanted = labels.items()
        return sum(value for (n, found), value in self.metrics().items() if n == name and wanted <= dict(found).items())

    def state(self, stream: str) -> str:
        """The stream's state by the metrics."""
        states = [
            dict(labels)["state"]
            for (name, labels), value in self.metrics().items()
            if name == "edgeseg_stream_state" and ("stream", stream) in labels and value == 1
        ]
        assert len(states) == 1, states
        return states[0]

    def api(self, stream: str) -> dict[str, Any]:
        """One stream of ``/api/streams``."""
        streams = json.loads(self.get("/api/streams")[1])["streams"]
        return dict(next(entry for entry in streams if entry["name"] == stream))

    def wait_for_state(self, stream: str, state: str, timeout_s: float = 20) -> None:
        wait_until(lambda: self.state(stream) == state, timeout_s, f"the state {state} of {stream}")

    def wait_end(self, timeout_s: float) -> int:
        """The exit code, when it ends by itself."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the daemon did not end within {timeout_s} s: {self.log()[-2000:]}") from None

    def stop(self, timeout_s: float = 10) -> tuple[int, float]:
        """SIGTERM; gives the exit code and how many seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.wait_end(timeout_s), time.monotonic() - began

    def kill(self) -> None:
        """Give it no chance: SIGKILL."""
        self.process.kill()
        self.process.wait(10)

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"the daemon ended with {self.process.returncode}: {self.log()[-2000:]}")
        try:
            return self.get("/healthz", 2)[0] == 200
        except OSError:
            return False


def descendants(pid: int) -> list[int]:
    """The processes below ``pid``, itself left out."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        try:
            children = [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *descendants(child)]
    return found


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that is dead and not yet reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
