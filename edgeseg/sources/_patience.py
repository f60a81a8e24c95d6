"""How long a container may read on without a picture, whatever else it finds meanwhile."""

from __future__ import annotations

import threading
import time
from typing import Any

import av.container.core

# Further than any time limit.
_LEAP_S = 1e6


class _Clock(threading.local):
    """What PyAV takes for the module ``time``: the monotonic clock, which runs away once a thread's patience is over.

    PyAV's time limit is on each packet, and packets of streams that were not there when it opened (a camera that
    changes its codec makes such) are read past in a loop that never gives control back. But it asks the time before
    each packet and while it waits: with a leap between two questions FFmpeg gives up by itself, and can be closed.
    """

    def __init__(self) -> None:
        self.deadline: float | None = None
        self._leapt_s = 0.0

    def monotonic(self) -> float:
        now = time.monotonic()
        if self.deadline is None or now < self.deadline:
            return now
        self._leapt_s += _LEAP_S
        return now + self._leapt_s

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)  # whatever else PyAV may ask of the module


_clock = _Clock()
# The only place where a limit can be put to that loop (PyAV 14 to 18); tests/integration/test_sources_silence.py tells
# when it no longer is.
av.container.core.time = _clock  # type: ignore[attr-defined]


class Patience:
    """Lets FFmpeg's reading on this thread, within ``with``, end with ``av.error.ExitError`` at ``deadline``."""

    __slots__ = ("_deadline",)

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline  # monotonic seconds

    def __enter__(self) -> None:
        _clock.deadline = self._deadline

    def __exit__(self, *_: object) -> None:
        _clock.deadline = None
