"""From the source's timestamps to the stream's own clock, which starts at 0 and never steps back."""

from __future__ import annotations

import threading
from fractions import Fraction

_JUMP_S = 10.0
# A file says so itself when nothing happened for hours; beyond this it is damaged.
_FILE_JUMP_S = 86_400.0
# After a jump back, what lies further ahead of the pictures is the sound that they have jumped away from.
_AHEAD_MS = 1000


class Timeline:
    """Maps source times to output milliseconds across restarts and jumps of the source.

    Within one run of a source the distance between two pictures is kept exactly. A new run, or a jump backwards (of a
    live source also one of more than ten seconds ahead, of a file of more than a day), is joined on at the moment it
    arrives, as far from the previous picture as the monotonic clock says. While a source gives no pictures, ``idle``
    moves the clock on.
    """

    def __init__(self) -> None:
        self._last_ms = -1
        self._last_audio_ms = -1
        self._run_ms = 0
        self._unsure_until_ms = 0
        self._live = False
        self._last_time_s: float | None = None
        self._last_arrival = 0.0
        # Exactly, as numerator and denominator: calculating with ``Fraction`` is slow, and this is done for each frame.
        self._offset_ms: tuple[int, int] | None = None
        self._lock = threading.Lock()  # the source's thread and the slate's

    def idle(self, now: float) -> int:
        """The output time in ms of a picture that is shown at ``now`` (monotonic seconds) because the source has
        none.
        """
        with self._lock:
            gap_ms = round((now - self._last_arrival) * 1000) if self._last_ms >= 0 else 1
            self._last_ms += max(1, gap_ms)
            self._last_arrival = now
            return self._last_ms

    def restart(self, *, live: bool = False) -> None:
        """The source was opened again: its times have nothing to do with those before."""
        self._offset_ms = None
        self._live = live

    def video(self, pts: int, time_base: Fraction, arrival: float) -> int:
        """The output time in ms of a picture that arrived at ``arrival`` (monotonic seconds). Always grows."""
        time_s = pts * time_base.numerator / time_base.denominator
        with self._lock:
            jumped = self._offset_ms is not None and self._jumped(time_s)
            if self._offset_ms is None or jumped:
                gap_ms = round((arrival - self._last_arrival) * 1000) if self._last_ms >= 0 else 0
                start_ms = self._last_ms + max(1, gap_ms) if self._last_ms >= 0 else 0
                self._offset_ms = (start_ms - pts * time_base * 1000).as_integer_ratio()
                self._run_ms = start_ms
                self._unsure_until_ms = start_ms + round(_JUMP_S * 1000) if jumped else 0
            ms = max(self._last_ms + 1, _placed(pts, time_base, self._offset_ms))
            self._last_ms, self._last_time_s, self._last_arrival = ms, time_s, arrival
            return ms

    def audio(self, pts: int, time_base: Fraction) -> int | None:
        """The output time in ms of a sound packet; None for what cannot be placed and is to be left out.

        That is sound before the first picture of a run, sound that would go back, and sound that has jumped away from
        the pictures: it may meet a step of the camera's clock before they do, or after.
        """
        if self._offset_ms is None or self._last_time_s is None:
            return None
        if abs(pts * time_base.numerator / time_base.denominator - self._last_time_s) >= self._jump_s():
            return None
        ms = _placed(pts, time_base, self._offset_ms)
        if ms < self._run_ms or ms <= self._last_audio_ms:
            return None
        if self._last_ms < self._unsure_until_ms and ms > self._last_ms + _AHEAD_MS:
            return None
        self._last_audio_ms = ms
        return ms

    def _jumped(self, time_s: float) -> bool:
        assert self._last_time_s is not None
        step_s = time_s - self._last_time_s
        return step_s <= -1 or step_s >= self._jump_s()

    def _jump_s(self) -> float:
        return _JUMP_S if self._live else _FILE_JUMP_S


def _placed(pts: int, time_base: Fraction, offset_ms: tuple[int, int]) -> int:
    """``pts`` in milliseconds and ``offset_ms`` later, exactly, to the nearest whole one."""
    over, under = offset_ms
    ticks = time_base.denominator
    numerator, denominator = pts * time_base.numerator * 1000 * under + over * ticks, ticks * under
    return (2 * numerator + denominator) // (2 * denominator)
