"""The memory of everything that this process has started, at its highest."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import processes

_LOOK_S = 0.1


@dataclass(slots=True)
class Peak:
    """Bytes, all processes together; pages that several share are counted once."""

    pss: int = 0


@contextlib.contextmanager
def peak_of_children() -> Iterator[Peak]:
    """Looks ten times a second while the block runs. The RTMP server that takes edgeseg's stream is not counted."""
    peak, done = Peak(), threading.Event()

    def watch() -> None:
        while not done.wait(_LOOK_S):
            started = (pid for pid in processes.tree(os.getpid())[1:] if not _is_server(pid))
            peak.pss = max(peak.pss, sum(processes.memory(pid).pss for pid in started))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def _is_server(pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return b"-listen" in words or words[0].endswith(b"nginx")
    except OSError:
        return False
