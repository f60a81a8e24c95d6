"""How long to wait before something is tried again, and when not to wait at all."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

STABLE_S = 60.0


class Backoff:
    """1, 2, 4 … 60 s with jitter, from the start again after a stable minute."""

    def __init__(self, first_s: float = 1.0, longest_s: float = 60.0, stable_s: float = STABLE_S) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._stable_s = stable_s
        self._failures = 0

    def next_s(self, ran_s: float) -> float:
        """The wait after a failure of something that had run for ``ran_s`` seconds."""
        if ran_s >= self._stable_s:
            self._failures = 0
        pause_s = min(self._longest_s, self._first_s * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return pause_s * random.uniform(0.8, 1.2)  # noqa: S311 - spreads reconnects, hides nothing


class Budget:
    """What one thing may spend on immediate restarts: one in ``every_s`` seconds. After that, others decide."""

    def __init__(self, every_s: float = STABLE_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s = every_s
        self._clock = clock
        self._spent_at: float | None = None

    def spend(self) -> bool:
        """Whether one is allowed now; then it is spent."""
        now = self._clock()
        if self._spent_at is not None and now - self._spent_at < self._every_s:
            return False
        self._spent_at = now
        return True
