"""Decides how much of a live stream an overloaded machine still does: first the rate comes down, then the masks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

# Each is two thirds to three quarters of the one before, and each leaves pictures out evenly.
_RATES = (Fraction(1), Fraction(2, 3), Fraction(1, 2), Fraction(1, 3), Fraction(1, 4), Fraction(1, 6))
_MASK_EVERY = (2, 3)

# Overload is a worker that has no pause and loses pictures. Pictures are lost without it too (a camera behind a weak
# radio sends them in heaps), and a worker that just keeps up loses none.
_BUSY = 0.8
_LOST = 0.05
# What the work of the step before may take of the time. Between this and overload nothing changes.
_FITS = 0.85
# The encoder tells no such share: it is asked how long it had not taken the last picture yet.
_BEHIND = 0.8
_ABREAST = 0.2
# A measured rate wavers: within this it is the same, and what is shown may be less than the least by as much.
_WAVERS = 0.1
# Two spells of this length have to agree on a rate: a camera's pause or heap is none.
_SPELL_S = 5.0

HOLD_S = 3.0
FIRST_PATIENCE_S = 5.0
LONGEST_PATIENCE_S = 300.0
# A step back that held for so long was right.
_STABLE_S = 60.0


@dataclass(frozen=True, slots=True)
class GovernorSettings:
    """How far the governor may go.

    ``min_fps`` is the lowest rate. ``max_mask_age_s`` is the longest time between a picture and the one that its mask
    was made of; 0 means that each picture has its own.
    """

    min_fps: float = 5.0
    max_mask_age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """What is done: ``keep`` of the source's pictures are shown, and every ``mask_every``-th of these is segmented."""

    level: int = 0
    keep: Fraction = Fraction(1)
    mask_every: int = 1


@dataclass(frozen=True, slots=True)
class Load:
    """What was measured during ``seconds``.

    ``offered`` pictures came from the source. The worker spent ``own_s`` on ``own`` pictures with a mask of their own
    and ``reused_s`` on ``reused`` ones with an older mask; ``dropped`` were lost before it, and ``encoder_dropped``
    behind it. For ``behind_s`` the encoder had not taken what it was given.
    """

    seconds: float
    offered: int
    own: int = 0
    own_s: float = 0.0
    reused: int = 0
    reused_s: float = 0.0
    dropped: int = 0
    encoder_dropped: int = 0
    behind_s: float = 0.0

    @property
    def rate(self) -> float:
        """Pictures of the source a second."""
        return self.offered / self.seconds

    @property
    def overloaded(self) -> bool:
        """Whether pictures are lost because the worker or the encoder has no time."""
        done = self.own + self.reused
        busy = self.own_s + self.reused_s >= _BUSY * self.seconds
        worker = busy and self.dropped >= _LOST * (done + self.dropped)
        encoder = self.behind_s >= _BEHIND * self.seconds and self.encoder_dropped >= _LOST * done
        return worker or encoder

    def share_at(self, step: Step) -> float:
        """The share of its time that the worker would spend at ``step``, which reuses no more masks."""
        own_s = self.own_s / self.own
        reused_s = self.reused_s / self.reused if self.reused else 0.0
        segmented = 1 / step.mask_every
        return self.rate * float(step.keep) * (own_s * segmented + reused_s * (1 - segmented))


def ladder(rate: float, settings: GovernorSettings) -> tuple[Step, ...]:
    """The steps for a source of ``rate`` pictures a second, the full work first.

    The rate comes down as far as ``min_fps``; then, at that rate, fewer pictures are segmented as far as the age of
    masks allows.
    """
    rates = [keep for keep in _RATES if keep == 1 or rate * float(keep) >= settings.min_fps]
    period_s = 1 / (rate * float(rates[-1]))
    every = [n for n in _MASK_EVERY if (n - 1) * period_s <= settings.max_mask_age_s]
    work = [(keep, 1) for keep in rates] + [(rates[-1], n) for n in every]
    return tuple(Step(level, keep, n) for level, (keep, n) in enumerate(work))


def _same_rate(one: float, other: float) -> bool:
    return abs(one - other) <= _WAVERS * max(one, other)


class _Pace:
    """The source's rate, as far as two spells that follow one another agree on it."""

    def __init__(self) -> None:
        self._seconds, self._offered = 0.0, 0
        self._before: float | None = None

    def settled(self, load: Load) -> float | None:
        """The rate with ``load``, or None: the spell is not over, or had another rate than the one before."""
        self._seconds += load.seconds
        self._offered += load.offered
        if self._seconds < _SPELL_S:
            return None
        before, rate = self._before, self._offered / self._seconds
        self._seconds, self._offered, self._before = 0.0, 0, rate
        return rate if rate and before is not None and _same_rate(before, rate) else None


class Governor:
    """Goes one step up when overload holds for three seconds, and one back when that would fit for longer.

    How much longer, the patience, is 5 s at first. It doubles, up to five minutes, whenever a step back turns out to
    have been one too many, and is forgotten when one holds for a minute. A source that has had another rate for ten
    seconds gets the steps of that rate, and goes on with the one that is nearest in work. Time is what the measurements
    say it is: the same measurements give the same steps.
    """

    def __init__(self, settings: GovernorSettings) -> None:
        self._settings = settings
        self._steps: tuple[Step, ...] = (Step(),)
        self._recent: deque[Load] = deque()
        self._pace = _Pace()
        self._fits_s = 0.0
        self._patience_s = FIRST_PATIENCE_S
        self._since_step_back_s: float | None = None
        self.step = Step()
        self.rate: float | None = None  # of the source, that the steps are made for; none: no step was needed yet

    @property
    def top(self) -> int:
        """The highest level, as far as it is known: the source's rate decides when it is first needed."""
        return self._steps[-1].level

    def judge(self, load: Load) -> Step:
        """The step to take after ``load``, which was measured at the step before and follows the load before."""
        self._grow_calm(load.seconds)
        if self._fit_ladder(load):
            return self.step
        self._recent.append(load)
        while sum(known.seconds for known in self._recent) - self._recent[0].seconds >= HOLD_S:
            self._recent.popleft()
        lately = _sum(self._recent)
        if lately.seconds < HOLD_S or not lately.own:
            return self.step  # nothing is known, say because the model fails
        if lately.overloaded:
            self._fits_s = 0.0
            self._step_up(lately.rate)
        elif self.step.level and self._would_fit(lately):
            self._fits_s += load.seconds
            if self._fits_s >= self._patience_s:
                self._step_back()
        else:
            self._fits_s = 0.0
        return self.step

    def forget(self) -> None:
        """What was measured last has nothing to do with what comes next: the source was away."""
        self._pace = _Pace()
        self._start_measuring()

    def _start_measuring(self) -> None:
        self._recent.clear()
        self._fits_s = 0.0

    def _fit_ladder(self, load: Load) -> bool:
        """Whether the source has another rate than the steps were made for, and has got others."""
        rate = self._pace.settled(load)
        if rate is None or self.rate is None or _same_rate(self.rate, rate):
            return False
        self.rate = rate
        steps = ladder(rate, self._settings)
        if steps == self._steps:
            return False
        self._steps = steps
        # What was learned about going back holds for the old rate.
        self._patience_s, self._since_step_back_s = FIRST_PATIENCE_S, None
        self._take(_nearest(steps, self.step).level)
        return True

    def _would_fit(self, load: Load) -> bool:
        heavier = self._steps[self.step.level - 1]
        return load.share_at(heavier) <= _FITS and load.behind_s <= _ABREAST * load.seconds

    def _step_up(self, rate: float) -> None:
        if not self.step.level:
            self.rate, self._steps = rate, ladder(rate, self._settings)
        if self.step.level == self.top:
            return
        keep = self._steps[self.step.level + 1].keep
        if keep < self.step.keep and rate * float(keep) < (1 - _WAVERS) * self._settings.min_fps:
            return  # the source has become slower than the steps know
        if self._since_step_back_s is not None:
            self._patience_s = min(2 * self._patience_s, LONGEST_PATIENCE_S)
            self._since_step_back_s = None
        self._take(self.step.level + 1)

    def _step_back(self) -> None:
        self._since_step_back_s = 0.0
        self._take(self.step.level - 1)

    def _take(self, level: int) -> None:
        self.step = self._steps[level]
        self._start_measuring()

    def _grow_calm(self, seconds: float) -> None:
        if self._since_step_back_s is not None:
            self._since_step_back_s += seconds
            if self._since_step_back_s >= _STABLE_S:
                self._since_step_back_s = None
                self._patience_s = FIRST_PATIENCE_S


def _nearest(steps: tuple[Step, ...], present: Step) -> Step:
    """The one that segments a share of the source's pictures nearest to what ``present`` does; the lighter of two."""
    share = present.keep / present.mask_every

    def distance(step: Step) -> Fraction:
        ratio = step.keep / step.mask_every / share
        return max(ratio, 1 / ratio)

    return min(reversed(steps), key=distance)


def _sum(loads: Iterable[Load]) -> Load:
    loads = list(loads)
    return Load(
        seconds=sum(load.seconds for load in loads),
        offered=sum(load.offered for load in loads),
        own=sum(load.own for load in loads),
        own_s=sum(load.own_s for load in loads),
        reused=sum(load.reused for load in loads),
        reused_s=sum(load.reused_s for load in loads),
        dropped=sum(load.dropped for load in loads),
        encoder_dropped=sum(load.encoder_dropped for load in loads),
        behind_s=sum(load.behind_s for load in loads),
    )
