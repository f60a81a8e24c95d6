"""Measures what a live stream costs, asks the governor once a second, and does what it says to the rate."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from edgeseg.governor import Governor, GovernorSettings, Load, Step
from edgeseg.status import GovernorStatus, StreamStatus

_log = logging.getLogger(__name__)

_WINDOW_S = 1.0
# Of a longer window nothing can be learned: for some of it the camera gave no pictures.
_TOO_LONG_S = 3.0
_ORDINALS = {2: "2nd", 3: "3rd"}


@dataclass(slots=True)
class _Work:
    pictures: int = 0
    seconds: float = 0.0


class Throttle:
    """Between a live source and its worker. ``admit`` is the source's thread's, ``worked`` the worker's.

    Args:
        settings: how far the governor may go.
        status: of the stream; its counts are read, and the level is written there.
        clock: monotonic seconds.
    """

    def __init__(
        self, settings: GovernorSettings, status: StreamStatus, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.max_mask_age_s = settings.max_mask_age_s
        self._governor = Governor(settings)
        self._status = status
        self._clock = clock
        self._credit = Fraction(0)
        self._begin(clock())

    def _begin(self, now: float) -> None:
        self._began = self._last_at = now
        self._offered, self._behind_s = 0, 0.0
        self._counted = self._counts()
        # New ones, as the other thread may be writing: what it adds to the old ones now is lost, and is little.
        self._own, self._reused = _Work(), _Work()

    @property
    def step(self) -> Step:
        """What is in force."""
        return self._governor.step

    def start_anew(self) -> None:
        """The source was opened again. The level stays: the machine is what it was."""
        self._governor.forget()
        self._tell()
        self._begin(self._clock())

    def admit(self, encoder_waits: bool) -> bool:
        """Whether the picture that has just come is to be shown.

        ``encoder_waits`` tells that the encoder has not taken the last one yet.
        """
        now = self._clock()
        self._offered += 1
        if encoder_waits:
            # By time and not by pictures: of a heap that comes at once, the encoder always has some left.
            self._behind_s += now - self._last_at
        paused = now - self._last_at > _TOO_LONG_S
        self._last_at = now
        if now - self._began >= _WINDOW_S:
            self._judge(now)
        # A source that gives so little is no load, and is never judged.
        self._credit += 1 if paused else self.step.keep
        if self._credit < 1:
            self._status.count("governor", "skipped")
            return False
        self._credit -= 1
        return True

    def worked(self, seconds: float, *, reused: bool) -> None:
        """The worker has spent so long on a picture with its own mask, or with an older one."""
        work = self._reused if reused else self._own
        work.pictures += 1
        work.seconds += seconds

    def _counts(self) -> tuple[int, ...]:
        frames = self._status.frames
        return tuple(frames.get(key, 0) for key in (("queue", "dropped"), ("encode", "dropped"), ("encode", "out")))

    def _judge(self, now: float) -> None:
        seconds = now - self._began
        counts = zip(self._counts(), self._counted, strict=True)
        dropped, encoder_dropped, encoded = (after - before for after, before in counts)
        # An encoder that is given more than it takes and gives nothing hangs, or is being started: that is not load.
        if seconds > _TOO_LONG_S or (encoder_dropped and not encoded):
            self._governor.forget()
            self._begin(now)
            return
        before, top, rate = self.step, self._governor.top, self._governor.rate
        own, reused = self._own, self._reused
        load = Load(
            seconds,
            self._offered,
            own.pictures,
            own.seconds,
            reused.pictures,
            reused.seconds,
            dropped,
            encoder_dropped,
            self._behind_s,
        )
        step = self._governor.judge(load)
        self._begin(now)
        if (step, self._governor.top) != (before, top):
            self._tell()
        if step != before:
            self._credit = Fraction(0)
            self._say(before, step, load.rate, other_rate=bool(before.level) and self._governor.rate != rate)

    def _tell(self) -> None:
        step = self.step
        self._status.governor = GovernorStatus(step.level, self._governor.top, float(step.keep), step.mask_every)

    def _say(self, before: Step, step: Step, rate: float, *, other_rate: bool) -> None:
        name = self._status.name
        if not step.level and other_rate:
            _log.info("%s: the source gives only %.3g pictures a second now: each is shown (level 0)", name, rate)
            return
        if not step.level:
            _log.info("%s: no longer overloaded: every picture is shown (level 0)", name)
            return
        what = f"{rate * float(step.keep):.3g} of {rate:.3g} pictures a second are shown"
        if step.mask_every > 1:
            what += f", every {_ORDINALS[step.mask_every]} with a mask of its own"
        level = f"level {step.level} of {self._governor.top}"
        if other_rate:
            _log.info("%s: the source has another rate now: %s (%s)", name, what, level)
        elif step.level > before.level:
            _log.warning("%s: the machine is overloaded: %s (%s)", name, what, level)
        else:
            _log.info("%s: less overloaded: %s (%s)", name, what, level)
