"""An inference that hangs: refused in time, not asked again while it hangs, and back when it returns."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from edgeseg.backends.watched import Watched
from edgeseg.errors import InferenceError, ModelError
from edgeseg.types import U8, Recipe
from tests.fakes_backend import StubBackend, mean_of_channels
from tests.waiting import wait_until

PATIENT = 30.0
LATE = r"model 'slow' did not answer within 0\.05 s"


class Gate:
    """A backend that answers once it is let."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.closed = threading.Event()
        self.asked = 0
        self.backend = StubBackend(answer=self._answer)
        self.threads: set[int] = set()

    def _answer(self, picture: U8) -> U8:
        self.asked += 1
        self.threads.add(threading.get_ident())
        assert self.open.wait(PATIENT)
        return mean_of_channels(picture)

    def load(self, recipe: Recipe, device: str) -> None:
        self.backend.load(recipe, device)
        self.closed.clear()

    def infer(self, tensor: U8) -> U8:
        return self.backend.infer(tensor)

    def close(self) -> None:
        self.backend.close()
        self.closed.set()


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open.set()


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    path = tmp_path / "model.xml"
    path.write_text("<net/>")
    return Recipe("slow", str(path), 8, 4)


def picture(value: int) -> U8:
    return np.full((1, 4, 8, 3), value, np.uint8)


def answers_again(watched: Watched, value: int) -> U8:
    """Ask until the hanging call has returned, which is a matter of a change of thread."""
    answers: list[U8] = []

    def ask() -> bool:
        with suppress(InferenceError):
            answers.append(watched.infer(picture(value)))
        return bool(answers)

    wait_until(ask, PATIENT, "an answer")
    return answers[0]


def loads_again(watched: Watched, recipe: Recipe) -> None:
    """Load as soon as the thread that hung has ended."""

    def load() -> bool:
        with suppress(ModelError):
            watched.load(recipe, "CPU")
            return True
        return False

    wait_until(load, PATIENT, "loading")


def late(gate: Gate, recipe: Recipe) -> Watched:
    """One whose first inference hangs in ``gate`` and was given up."""
    watched = Watched(gate, 0.05)
    watched.load(recipe, "CPU")
    with pytest.raises(InferenceError, match=LATE):
        watched.infer(picture(1))
    return watched


def test_gives_up_in_time_refuses_at_once_and_recovers(gate: Gate, recipe: Recipe) -> None:
    watched = late(gate, recipe)
    started = time.monotonic()
    for _ in range(20):
        with pytest.raises(InferenceError, match="model 'slow' still hangs in an earlier picture"):
            watched.infer(picture(2))
    assert time.monotonic() - started < 0.05 * 20
    assert gate.asked == 1
    gate.open.set()
    assert np.all(answers_again(watched, 3) == 3), "the late answer was taken for a new one"
    assert np.all(watched.infer(picture(4)) == 4)
    assert threading.get_ident() not in gate.threads
    watched.close()
    assert gate.closed.is_set()


def test_what_the_backend_raises_comes_through(recipe: Recipe) -> None:
    watched = Watched(StubBackend(), PATIENT)
    watched.load(recipe, "CPU")
    for _ in range(2):
        with pytest.raises(InferenceError, match="was given"):
            watched.infer(np.zeros((1, 1, 1, 3), np.uint8))
    assert np.all(watched.infer(picture(5)) == 5)
    watched.close()


def test_closing_does_not_wait_for_what_hangs(gate: Gate, recipe: Recipe) -> None:
    watched = late(gate, recipe)
    watched.close()
    watched.close()
    assert not gate.closed.is_set(), "closed under a call that runs"
    with pytest.raises(InferenceError, match="no model is loaded"):
        watched.infer(picture(1))
    with pytest.raises(ModelError, match="still hangs") as caught:
        watched.load(recipe, "CPU")
    assert not caught.value.permanent
    gate.open.set()
    assert gate.closed.wait(PATIENT)


def test_loads_again_once_it_has_returned(gate: Gate, recipe: Recipe) -> None:
    watched = late(gate, recipe)
    watched.close()
    gate.open.set()
    assert gate.closed.wait(PATIENT)
    loads_again(watched, recipe)
    assert np.all(watched.infer(picture(6)) == 6)
    watched.close()


def test_closing_while_another_thread_waits_for_an_answer(gate: Gate, recipe: Recipe) -> None:
    watched = Watched(gate, PATIENT)
    watched.load(recipe, "CPU")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(watched.infer, picture(7))
        try:
            wait_until(lambda: gate.asked, what="the question")
            started = time.monotonic()
            watched.close()
            assert time.monotonic() - started < PATIENT / 3
            assert not gate.closed.is_set(), "closed under a call that runs"
        finally:
            gate.open.set()
        assert np.all(answer.result(PATIENT) == 7), "it came in time"
    assert gate.closed.wait(PATIENT)
    loads_again(watched, recipe)
    assert np.all(watched.infer(picture(8)) == 8)
    watched.close()


def test_a_slow_close_is_waited_for(recipe: Recipe) -> None:
    class Slow(StubBackend):
        closing = False

        def load(self, recipe: Recipe, device: str) -> None:
            assert not self.closing
            super().load(recipe, device)

        def close(self) -> None:
            self.closing = True
            if threading.current_thread().name == "inference":
                threading.Event().wait(0.3)
            super().close()
            self.closing = False

    watched = Watched(Slow(), PATIENT)
    watched.load(recipe, "CPU")
    watched.load(recipe, "CPU")
    assert np.all(watched.infer(picture(9)) == 9)
    watched.close()


def test_no_thread_is_left(recipe: Recipe) -> None:
    before = threading.active_count()
    watched = Watched(StubBackend(), PATIENT)
    for _ in range(3):
        watched.load(recipe, "CPU")
        assert threading.active_count() == before + 1
    watched.close()
    assert threading.active_count() == before
