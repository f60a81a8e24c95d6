"""Whether a call lets the other threads of the process run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


def assert_others_run_during(call: Callable[[], object]) -> None:
    """Another thread has its turns in the middle of ``call``, which is native code and takes 5 ms or more."""
    span: list[float] = []

    def run() -> None:
        span.append(time.perf_counter())
        call()
        span.append(time.perf_counter())

    thread = threading.Thread(target=run)
    ticks: list[float] = []
    thread.start()
    while thread.is_alive():
        ticks.append(time.perf_counter())
    quarter = (span[1] - span[0]) / 4
    inside = [tick for tick in ticks if span[0] + quarter < tick < span[1] - quarter]
    assert span[1] - span[0] > 0.005, "too quick to tell anything"
    assert len(inside) > 50, f"{len(inside)} turns in {quarter * 2:.3f} s: the GIL was held"
