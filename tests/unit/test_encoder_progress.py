"""When an encoder counts as hung, and how often it is replaced at once: the decisions, without any child."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from itertools import count

import pytest

from edgeseg.backoff import Budget
from edgeseg.encoding.progress import Progress, Seen, Stopwatch, cpu_seconds

STEP_S = 0.05
STALL_S, SILENT_S = 1.25, 10.0
FULL = 1 << 20


def hung_after(sights: Iterator[Seen], limit_s: float = 60.0) -> tuple[float, float] | None:
    """When the encoder that looks so is taken for hung, and by which limit; None if never within ``limit_s``."""
    progress = Progress(STALL_S, SILENT_S)
    for step in count():
        now = step * STEP_S
        if now > limit_s:
            return None
        passed_s = progress.hung_for(now, next(sights))
        if passed_s is not None:
            return now, passed_s
    raise AssertionError


def test_reads_nothing_says_nothing_does_nothing() -> None:
    found = hung_after(Seen(FULL, FULL, 50, 3.0) for _ in count())
    assert found is not None
    assert found == (pytest.approx(STALL_S, abs=3 * STEP_S), STALL_S)


def test_before_its_first_tag_it_may_take_longer() -> None:
    found = hung_after(Seen(FULL, FULL, 0, 0.0) for _ in count())
    assert found == (pytest.approx(SILENT_S, abs=3 * STEP_S), SILENT_S)


def test_reading_without_ever_saying_anything_is_hung_too() -> None:
    found = hung_after(Seen(n * 1000, FULL, 50, 3.0 + n * STEP_S) for n in count())
    assert found == (pytest.approx(SILENT_S, abs=3 * STEP_S), SILENT_S)


@pytest.mark.parametrize(
    "sight",
    [
        pytest.param(
            lambda n: Seen(FULL, 0, 50, 3.0, excused=False) if n % 100 else Seen(FULL, 0, 50 + n, 3.0), id="idle"
        ),
        pytest.param(lambda n: Seen(n // 20 * 5000, FULL, 50 + n // 100, 3.0), id="reads a little each second"),
        pytest.param(lambda n: Seen(FULL, FULL, 50 + n // 20, 3.0), id="one picture each second"),
        pytest.param(lambda n: Seen(FULL, FULL, 50 + n // 100, 3.0 + n * 0.003), id="works, one picture in 5 s"),
        pytest.param(lambda n: Seen(FULL, FULL, 50, 3.0, excused=True), id="somebody holds its tag up"),
    ],
)
def test_slow_is_not_hung(sight) -> None:  # type: ignore[no-untyped-def]
    assert hung_after(sight(n) for n in count()) is None


def test_waking_up_now_and_then_is_no_work() -> None:
    found = hung_after(Seen(FULL, FULL, 50, 3.0 + n * STEP_S * 0.01) for n in count())
    assert found is not None
    assert found[1] == STALL_S


def test_what_nobody_has_looked_at_does_not_count() -> None:
    """A machine that slept, or a daemon that did not run itself."""
    watch = Stopwatch(1.0)
    assert not watch.look(0.0, still=True)
    assert not watch.look(3600.0, still=True)
    assert not watch.look(3600.1, still=True)
    assert [watch.look(3600.1 + n * 0.2, still=True) for n in range(1, 6)][-1]


def test_a_look_that_comes_late_says_nothing() -> None:
    """The sound's thread saw an older state than the worker has judged by meanwhile: no sign of life, nor the end."""
    progress = Progress(STALL_S, SILENT_S)
    for step in range(40):
        now = step * STEP_S
        passed_s = progress.hung_for(now, Seen(FULL, FULL, 50, 3.0))
        late = progress.hung_for(now - STEP_S / 2, Seen(FULL - 5000, FULL, 49, 2.0))
        assert late is None
        if passed_s is not None:
            break
    assert passed_s == STALL_S
    assert now == pytest.approx(STALL_S, abs=3 * STEP_S)


def test_threads_that_look_at_once_count_the_time_once() -> None:
    progress = Progress(STALL_S, SILENT_S)
    began, hung = threading.Barrier(2), []

    def look() -> None:
        for step in range(24):
            began.wait(5.0)
            hung.append(progress.hung_for(step * STEP_S, Seen(FULL, FULL, 50, 3.0)))

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10.0)
    assert hung == [None] * 48
    assert progress.hung_for(1.5, Seen(FULL, FULL, 50, 3.0)) == STALL_S


def test_a_sign_of_life_starts_it_over() -> None:
    watch = Stopwatch(1.0)
    answers = [watch.look(n * 0.2, still=n % 5 != 0) for n in range(100)]
    assert not any(answers)


def test_a_process_that_works_is_seen_to() -> None:
    before = cpu_seconds(os.getpid())
    n = 0
    while cpu_seconds(os.getpid()) < before + 0.02:
        n += 1
    assert n
    assert cpu_seconds(2**22 + 1) == 0


def test_one_immediate_restart_a_minute() -> None:
    now = [0.0]
    budget = Budget(60.0, lambda: now[0])
    assert budget.spend()
    for now[0] in (0.1, 30.0, 59.9):
        assert not budget.spend()
    now[0] = 60.0
    assert budget.spend()
    now[0] = 61.0
    assert not budget.spend()
