"""Says how far a measurement is: a bar on a terminal, else a line for each step."""

from __future__ import annotations

import sys
import time
from typing import TextIO

_BAR = 24
_EACH_S = 0.2


class Progress:
    """Steps of about the same length, ``expected`` of them; a step that was not needed is made up for by the next.

    Args:
        expected: how many steps there will be at most.
        out: who reads it; stderr by default.
    """

    def __init__(self, expected: int, out: TextIO | None = None) -> None:
        self._out = sys.stderr if out is None else out
        self._bar = self._out.isatty()
        self._expected = max(1, expected)
        self._done = -1
        self._words = ""
        self._last_at = 0.0

    def step(self, words: str, done: int | None = None) -> None:
        """The step ``words`` begins; ``done`` of the expected steps are over (default: one more than before)."""
        self._done = self._done + 1 if done is None else done
        self._words = words
        if self._bar:
            self._draw(0.0)
        else:
            self._out.write(f"{words} ...\n")
            self._out.flush()

    def within(self, share: float) -> None:
        """So much of the step is over, 0 to 1."""
        if self._bar and time.monotonic() - self._last_at >= _EACH_S:
            self._draw(share)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar:
            self._out.write("\r\033[K")
            self._out.flush()

    def _draw(self, share: float) -> None:
        whole = min(1.0, (max(0, self._done) + min(1.0, share)) / self._expected)
        full = round(whole * _BAR)
        self._out.write(f"\r[{'#' * full}{'.' * (_BAR - full)}] {whole:4.0%}  {self._words}\033[K")
        self._out.flush()
        self._last_at = time.monotonic()
