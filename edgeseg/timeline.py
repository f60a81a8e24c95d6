"""From the source's timestamps to the stream's own clock, which starts at 0 and never steps back."""

from __future__ import annotations

from fractions import Fraction

_JUMP_S = 10.0


class Timeline:
    """Maps source times to output milliseconds across restarts and jumps of the source.

    Within one run of a source the distance between two pictures is kept exactly. A new run, or a jump of more than ten
    seconds or backwards, is joined on at the moment it arrives, as far from the previous picture as the
    monotonic clock says.
    """

    def __init__(self) -> None:
        self._last_ms = -1
        self._last_time: Fraction | None = None
        self._last_arrival = 0.0
        self._offset_ms: Fraction | None = None

    def restart(self) -> None:
        """The source was opened again: its times have nothing to do with those before."""
        self._offset_ms = None

    def video(self, pts: int, time_base: Fraction, arrival: float) -> int:
        """The output time in ms of a picture that arrived at ``arrival`` (monotonic seconds). Always grows."""
        time = pts * time_base
        if self._offset_ms is None or self._jumped(time):
            gap_ms = round((arrival - self._last_arrival) * 1000) if self._last_ms >= 0 else 0
            start_ms = self._last_ms + max(1, gap_ms) if self._last_ms >= 0 else 0
            self._offset_ms = start_ms - time * 1000
        ms = max(self._last_ms + 1, round(time * 1000 + self._offset_ms))
        self._last_ms, self._last_time, self._last_arrival = ms, time, arrival
        return ms

    def audio(self, pts: int, time_base: Fraction) -> int | None:
        """The output time in ms of a sound packet; None before the first picture of the run, and for what lies before it."""
        if self._offset_ms is None:
            return None
        ms = round(pts * time_base * 1000 + self._offset_ms)
        return ms if ms >= 0 else None

    def _jumped(self, time: Fraction) -> bool:
        assert self._last_time is not None
        return not -1 < time - self._last_time < _JUMP_S
