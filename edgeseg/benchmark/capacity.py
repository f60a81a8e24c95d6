"""Which number of streams to try next."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgeseg.benchmark.figures import Trial

TRIALS = 4


def next_count(outcomes: Mapping[int, bool], first: int, most: int) -> int | None:
    """The number to try after ``outcomes`` (number: held?); None when the answer is known.

    Begins with ``first``, goes up or down from there in steps that double, and halves what is left between the largest
    number that held and the smallest above that did not.
    """
    first = max(1, min(first, most))
    if not outcomes:
        return first
    held = max((count for count, well in outcomes.items() if well), default=0)
    failed = min((count for count, well in outcomes.items() if not well and count > held), default=None)
    step = max(1, first // 8) << (len(outcomes) - 1)
    if failed is None:
        return None if held >= most else min(most, held + step)
    if failed - held == 1:
        return None
    return (held + failed) // 2 if held else max(1, failed - step)


def search(first: int, most: int, attempt: Callable[[int], Trial], trials: int = TRIALS) -> list[Trial]:
    """Try numbers of streams from 1 to ``most`` until it is known how many hold, ``trials`` times at most."""
    made: dict[int, Trial] = {}
    while len(made) < trials:
        count = next_count({count: trial.held for count, trial in made.items()}, first, most)
        if count is None:
            break
        made[count] = attempt(count)
    return list(made.values())
