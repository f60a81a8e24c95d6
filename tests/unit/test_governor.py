"""Steps under load: up when it holds, back when there is room, and no to and fro; time is what the test says it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.governor import HOLD_S, LONGEST_PATIENCE_S, Governor, GovernorSettings, Load, Step, ladder

SHARING = GovernorSettings(min_fps=5, max_mask_age_s=0.5)


@dataclass
class Machine:
    """A worker and an encoder that need so long for a picture; what they have no time for is lost."""

    governor: Governor
    rate: float = 25.0
    own_s: float = 0.01
    reused_s: float = 0.002
    encode_s: float = 0.0
    levels: list[int] = field(default_factory=list)
    _begun: dict[str, float] = field(default_factory=dict)

    def run(self, seconds: int, cost: Callable[[int], float] | None = None) -> list[int]:
        """The level after each second; ``cost`` tells ``own_s`` by the level in force."""
        for _ in range(seconds):
            self.levels.append(self.governor.judge(self._second(cost)).level)
        return self.levels[-seconds:]

    def _second(self, cost: Callable[[int], float] | None) -> Load:
        step = self.governor.step
        own_s = cost(step.level) if cost else self.own_s
        shown = self.rate * float(step.keep)
        mean_s = (own_s + (step.mask_every - 1) * self.reused_s) / step.mask_every
        done = min(shown, 1 / mean_s)
        encoded = min(done, 1 / self.encode_s) if self.encode_s else done
        own = self._whole("own", done / step.mask_every)
        reused = self._whole("reused", done - done / step.mask_every)
        return Load(
            seconds=1.0,
            offered=self._whole("offered", self.rate),
            own=own,
            own_s=own * own_s,
            reused=reused,
            reused_s=reused * self.reused_s,
            dropped=self._whole("dropped", shown - done),
            encoder_dropped=self._whole("encoder_dropped", done - encoded),
            behind_s=min(1.0, done * self.encode_s) if encoded < done else 0.0,
        )

    def _whole(self, what: str, pictures: float) -> int:
        """How many of ``pictures`` are over within this second; what is begun counts in the next one."""
        done = self._begun.get(what, 0.0) + pictures
        self._begun[what] = done - int(done + 1e-9)
        return int(done + 1e-9)

    @property
    def changes(self) -> int:
        return changes(self.levels)


def changes(levels: Iterable[int]) -> int:
    return sum(a != b for a, b in pairwise(levels))


def steps(rate: float, min_fps: float, max_mask_age_s: float) -> list[tuple[str, int]]:
    return [(str(s.keep), s.mask_every) for s in ladder(rate, GovernorSettings(min_fps, max_mask_age_s))]


@pytest.mark.parametrize(
    ("rate", "min_fps", "age_s", "expected"),
    [
        (30, 5, 0, [("1", 1), ("2/3", 1), ("1/2", 1), ("1/3", 1), ("1/4", 1), ("1/6", 1)]),
        (25, 5, 0, [("1", 1), ("2/3", 1), ("1/2", 1), ("1/3", 1), ("1/4", 1)]),
        (25, 12, 0.1, [("1", 1), ("2/3", 1), ("1/2", 1), ("1/2", 2)]),
        (25, 12, 0.2, [("1", 1), ("2/3", 1), ("1/2", 1), ("1/2", 2), ("1/2", 3)]),
        (5, 5, 0, [("1", 1)]),
        (5, 5, 0.2, [("1", 1), ("1", 2)]),
    ],
)
def test_first_the_rate_then_the_masks(
    rate: float, min_fps: float, age_s: float, expected: list[tuple[str, int]]
) -> None:
    assert steps(rate, min_fps, age_s) == expected


def test_levels_count_from_nothing() -> None:
    assert [step.level for step in ladder(30, SHARING)] == list(range(8))
    assert ladder(30, SHARING)[0] == Step()


def test_a_machine_that_keeps_up_does_everything() -> None:
    machine = Machine(Governor(SHARING), own_s=0.039)
    machine.run(600)
    assert set(machine.levels) == {0}


def test_overload_has_to_hold() -> None:
    machine = Machine(Governor(SHARING))
    for _ in range(20):
        machine.own_s = 0.08
        machine.run(1)
        machine.own_s = 0.01
        machine.run(4)
    assert set(machine.levels) == {0}


def test_it_takes_one_step_at_a_time_and_goes_back_the_same_way() -> None:
    machine = Machine(Governor(SHARING), own_s=0.35)
    down = machine.run(60)
    top = max(down)
    assert [level for level, after in pairwise(down) if after != level] == list(range(top))
    assert machine.governor.step == Step(top, Fraction(1, 4), 3)
    machine.own_s = 0.01
    back = machine.run(120)
    assert [level for level, after in pairwise([top, *back]) if after != level] == list(range(top, 0, -1))
    assert back[-1] == 0
    assert machine.governor.step == Step()


def test_each_step_up_waits_until_the_one_before_has_shown_what_it_does() -> None:
    machine = Machine(Governor(SHARING), own_s=0.35)
    levels = machine.run(60)
    times = [n for n, (a, b) in enumerate(pairwise(levels)) if a != b]
    assert all(b - a >= HOLD_S for a, b in pairwise(times))


@given(
    rate=st.floats(1, 120),
    own_s=st.floats(0.0005, 3),
    share=st.floats(0, 1),
    min_fps=st.floats(3, 30),
    age_s=st.sampled_from([0.0, 0.1, 0.3, 1.0]),
)
@settings(max_examples=50, deadline=None)
def test_a_constant_load_is_settled_once(rate: float, own_s: float, share: float, min_fps: float, age_s: float) -> None:
    """Whatever it is: the level climbs to where it fits, or to the top, and stays."""
    machine = Machine(Governor(GovernorSettings(min_fps, age_s)), rate, own_s, own_s * share)
    levels = machine.run(200)
    assert levels == sorted(levels)
    assert changes(levels[60:]) == 0
    machine.own_s, machine.reused_s = 0.0001, 0.00001
    assert machine.run(150)[-1] == 0


RATES = st.floats(1, 120).map(round).map(float)


@given(
    before=RATES,
    after=RATES,
    own_before=st.floats(0.002, 1),
    own_after=st.floats(0.002, 1),
    share=st.floats(0, 0.5),
    min_fps=st.floats(3, 30),
    age_s=st.sampled_from([0.0, 0.1, 0.3, 1.0]),
)
@settings(max_examples=80, deadline=None)
def test_a_camera_that_changes_its_rate_gets_the_steps_of_the_new_one(
    before: float, after: float, own_before: float, own_after: float, share: float, min_fps: float, age_s: float
) -> None:
    """At least 0.9 of the least rate is shown again soon, what has to be left out can be, and it comes to rest."""
    governor = Governor(GovernorSettings(min_fps, age_s))
    machine = Machine(governor, before, own_before, own_before * share)
    machine.run(60)
    machine.rate, machine.own_s, machine.reused_s = after, own_after, own_after * share
    machine.run(15)
    for _ in range(145):
        keep = governor.step.keep
        assert keep == 1 or after * float(keep) >= 0.9 * min_fps - 1e-9
        machine.run(1)
    assert changes(machine.levels[-60:]) == 0
    steps = ladder(after, GovernorSettings(min_fps, age_s))
    if after * own_after > 1.2 and governor.rate == after:
        assert governor.step in steps[1:] or len(steps) == 1


def test_a_camera_that_slows_down_at_night_is_shown_at_the_least_rate() -> None:
    machine = Machine(Governor(GovernorSettings(5, 0)), rate=30, own_s=1 / 5.5)
    machine.run(60)
    assert machine.governor.step.keep == Fraction(1, 6)
    machine.rate = 10
    machine.run(15)
    assert machine.governor.step == Step(2, Fraction(1, 2), 1)
    assert changes(machine.run(600)) == 0


def test_a_camera_that_speeds_up_can_be_slowed_down_further() -> None:
    machine = Machine(Governor(GovernorSettings(5, 0.3)), rate=10, own_s=1 / 3)
    machine.run(60)
    assert machine.governor.step == Step(3, Fraction(1, 2), 2)
    machine.rate = 30
    machine.run(60)
    assert machine.governor.step == Step(6, Fraction(1, 6), 2)
    assert machine.governor.top == 6


def test_a_camera_that_gives_less_than_the_least_rate_is_shown_whole() -> None:
    machine = Machine(Governor(GovernorSettings(5, 0)), rate=30, own_s=0.19)
    machine.run(60)
    machine.rate = 4
    machine.run(15)
    assert machine.governor.step == Step()


def test_a_rate_that_wavers_is_the_same() -> None:
    governor = Governor(SHARING)
    machine = Machine(governor, rate=30, own_s=0.35)
    machine.run(60)
    rate = governor.rate
    for n in range(300):
        machine.rate = 30 * (1 + (0.09, -0.09, 0.05, -0.07)[n // 7 % 4])
        machine.run(1)
    assert governor.rate == rate
    assert changes(machine.levels[60:]) == 0


def test_a_pause_and_the_heap_after_it_are_not_another_rate() -> None:
    governor = Governor(GovernorSettings(5, 0))
    machine = Machine(governor, rate=30, own_s=0.18)
    machine.run(60)
    step = governor.step
    for _ in range(20):
        machine.rate = 2
        machine.run(3)
        machine.rate = 45
        machine.run(4)
        machine.rate = 30
        machine.run(8)
    assert governor.rate == 30
    assert governor.step == step


def test_another_rate_makes_patience_young() -> None:
    machine = Machine(Governor(GovernorSettings(5, 0)))
    machine.run(1000, lambda level: 0.06 if level == 0 else 0.01)
    machine.rate, machine.own_s = 15, 0.1
    machine.run(20)
    assert machine.levels[-1]
    machine.own_s = 0.001
    assert machine.run(20)[-1] == 0


@given(st.lists(st.floats(0.001, 0.3), min_size=8, max_size=8))
@settings(max_examples=25, deadline=None)
def test_a_load_that_answers_to_the_step_does_not_make_it_swing(costs: list[float]) -> None:
    """The same work takes another time at each level, as it does when others want the processor too."""
    machine = Machine(Governor(SHARING))
    machine.run(1200, lambda level: costs[level])
    # The first tries come soon, the later ones each after five minutes.
    late = machine.levels[600:]
    assert changes(late) <= 2 * (len(late) / LONGEST_PATIENCE_S + 1)


def test_the_lowest_rate_holds_although_the_first_pictures_came_in_a_heap() -> None:
    machine = Machine(Governor(SHARING), rate=36, own_s=0.7)
    machine.run(5)
    assert machine.governor.step.level == 1
    machine.rate = 20
    machine.run(60)
    assert machine.governor.step == Step(6, Fraction(1, 4), 3)


def test_an_encoder_that_is_too_slow_brings_the_rate_down_too() -> None:
    machine = Machine(Governor(SHARING), encode_s=0.07)
    machine.run(600)
    assert machine.governor.step.keep in (Fraction(1, 2), Fraction(1, 3))
    assert changes(machine.levels[300:]) <= 4
    machine.encode_s = 0.01
    assert machine.run(900)[-1] == 0


def test_a_camera_that_sends_heaps_is_not_overload() -> None:
    governor = Governor(SHARING)
    for _ in range(60):
        assert governor.judge(Load(1.0, 25, own=8, own_s=0.1, dropped=17, encoder_dropped=3, behind_s=0.1)).level == 0


def test_a_slow_camera_is_not_overload() -> None:
    governor = Governor(SHARING)
    for _ in range(60):
        assert governor.judge(Load(1.0, 2, own=2, own_s=0.9)).level == 0


def test_a_model_that_fails_is_neither() -> None:
    machine = Machine(Governor(SHARING), own_s=0.08)
    machine.run(30)
    level = machine.levels[-1]
    assert level > 0
    for _ in range(100):
        assert machine.governor.judge(Load(1.0, 25, own=0)).level == level
        assert machine.governor.judge(Load(1.0, 25, own=0, dropped=24)).level == level


def test_a_step_back_that_was_one_too_many_costs_patience_and_a_good_one_pays_it_back() -> None:
    machine = Machine(Governor(SHARING))

    def contended(level: int) -> float:
        return 0.06 if level == 0 else 0.01

    machine.run(1000, contended)
    tries = [n for n, (a, b) in enumerate(pairwise(machine.levels)) if b < a]
    waits = [b - a for a, b in pairwise(tries)]
    assert len(waits) >= 4
    assert all(longer >= 1.5 * wait for wait, longer in pairwise(waits) if longer < LONGEST_PATIENCE_S)
    machine.run(400)
    assert machine.levels[-1] == 0
    machine.run(5, contended)
    assert machine.levels[-1] == 1
    assert 0 in machine.run(20)
