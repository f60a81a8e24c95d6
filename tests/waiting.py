"""Waiting for something to become true, with a deadline and a sentence for the failure."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(predicate: Callable[[], T], timeout_s: float = 10.0, what: str = "the condition") -> T:
    """The first true answer of ``predicate``, asked every 20 ms; AssertionError after ``timeout_s``."""
    pause = threading.Event()
    deadline = time.monotonic() + timeout_s
    while True:
        answer = predicate()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {timeout_s} s")
        pause.wait(0.02)
