"""The arithmetic of ``edgeseg bench streams``: costs, capacities, and the search for the number that holds."""

from __future__ import annotations

import pytest

from edgeseg.benchmark.capacity import TRIALS, next_count, search
from edgeseg.benchmark.figures import Capacity, Costs, Trial, streams_that_fit

STAGES = {"decode": 3.0, "sample": 0.5, "infer": 6.0, "mask": 0.1, "composite": 1.4, "encode": 8.0}


def trial(count: int, share: float = 1.0, *, cpu: float = 1.9, others: float = 0.0) -> Trial:
    rates = (30.0,) * (count - 1) + (30.0 * share,)
    return Trial(rates, (30.0,) * count, cpu, others, 100_000_000 * count, 5.0)


def test_the_rest_is_what_the_stages_do_not_explain() -> None:
    costs = Costs(STAGES, 20.5, 30.0)
    assert costs.floor == pytest.approx(17.0)
    assert costs.rest == pytest.approx(1.5)


def test_a_lower_rate_saves_all_but_decoding() -> None:
    costs = Costs(STAGES, 20.0, 30.0)
    assert costs.per_second() == pytest.approx(600.0)
    assert costs.per_second(15.0) == pytest.approx(3.0 * 30 + 17.0 * 15)


def test_streams_of_different_cost_take_turns() -> None:
    one, other = Costs(STAGES, 20.0, 30.0), Costs(STAGES, 20.0, 10.0)
    assert streams_that_fit([one], 3) == pytest.approx(5.0)
    assert streams_that_fit([one, other], 4) == pytest.approx(10.0)
    # The slow one is slower than the floor already.
    assert streams_that_fit([one, other], 4, 15.0) == pytest.approx(4000 / ((3 * 30 + 17 * 15 + 200) / 2))


def test_the_slowest_stream_decides() -> None:
    mixed = Trial((25.0, 9.0, 30.5), (25.0, 10.0, 30.0), 1.0, 0.0, 0, 5.0)
    assert mixed.share == pytest.approx(0.9)
    assert mixed.slowest == 9.0
    assert not mixed.held
    assert trial(2, 0.97).held
    assert not trial(2, 0.96).held
    assert Trial((33.0,), (30.0,), 1.0, 0.0, 0, 5.0).share == 1.0


def test_what_is_carried_and_what_is_too_many() -> None:
    capacity = Capacity(None, 3.4, 64, [trial(3), trial(5, 0.6), trial(4, 0.9)])
    assert capacity.carried is not None
    assert capacity.too_many is not None
    assert (capacity.carried.count, capacity.too_many.count) == (3, 4)
    assert Capacity(None, 1.0, 64, [trial(1, 0.5)]).carried is None
    assert Capacity(None, 1.0, 1, [trial(1)]).too_many is None


def test_a_limit_that_is_not_the_processor() -> None:
    def limited(cpu: float, others: float) -> bool:
        return Capacity(None, 9.0, 64, [trial(1), trial(2, 0.5, cpu=cpu, others=others)]).limited_otherwise(4)

    assert limited(1.5, 0.1)
    assert not limited(3.9, 0.0)
    assert not limited(1.5, 2.4)  # somebody else had the rest
    assert not Capacity(None, 9.0, 1, [trial(1, cpu=0.5)]).limited_otherwise(4)


@pytest.mark.parametrize("true", range(30))
@pytest.mark.parametrize("first", [0, 1, 3, 12, 40, 100])
def test_the_search_ends_and_finds_what_holds(true: int, first: int) -> None:
    """On a machine that carries ``true`` streams, however wrong the estimate."""
    tried: list[int] = []

    def attempt(count: int) -> Trial:
        tried.append(count)
        return trial(count, 1.0 if count <= true else 0.5)

    found = Capacity(None, float(first), 64, search(first, 64, attempt, trials=64))
    assert (found.carried.count if found.carried else 0) == true
    assert found.too_many is not None
    assert found.too_many.count == true + 1
    assert len(set(tried)) == len(tried)
    assert all(1 <= count <= 64 for count in tried)


def test_a_good_estimate_needs_two_trials_and_no_search_more_than_it_may() -> None:
    tried: list[int] = []

    def attempt(true: int, count: int) -> Trial:
        tried.append(count)
        return trial(count, 1.0 if count <= true else 0.5)

    search(5, 64, lambda count: attempt(5, count))
    assert tried == [5, 6]
    tried.clear()
    search(50, 64, lambda count: attempt(1, count))
    assert len(tried) == TRIALS


def test_the_search_stays_within_what_memory_allows() -> None:
    assert next_count({}, 9, 4) == 4
    assert next_count({4: True}, 9, 4) is None
    assert next_count({3: True}, 3, 4) == 4


def test_one_number_that_failed_by_chance_does_not_confuse_the_search() -> None:
    assert next_count({3: False, 2: True, 4: True}, 3, 8) in (5, 6, 8)
