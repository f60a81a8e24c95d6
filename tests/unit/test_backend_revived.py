"""A model that keeps failing is loaded again; meanwhile there is no mask, and nobody waits."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from edgeseg.backends.revived import Revived
from edgeseg.backoff import Backoff
from edgeseg.errors import InferenceError, ModelError
from edgeseg.types import U8, Recipe
from tests.waiting import wait_until

RECIPE = Recipe("door", "door.xml", 2, 2)
PICTURE = np.zeros((1, 2, 2, 3), np.uint8)
MASK = np.full((2, 2), 7, np.uint8)


class Model:
    """Answers unless it is told to fail; knows on which devices it can be loaded."""

    def __init__(self, house: House) -> None:
        self._house = house

    def load(self, recipe: Recipe, device: str) -> None:
        self._house.tried.append(device)
        if self._house.careless:
            raise RuntimeError("out of memory")
        if device in self._house.lost:
            raise ModelError(f"no device {device!r} on this machine")

    def infer(self, tensor: U8) -> U8:
        if self._house.broken:
            raise InferenceError("it does not answer")
        return MASK

    def distrust(self) -> None:
        self._house.distrusted += 1

    def close(self) -> None:
        self._house.closed += 1


class House:
    def __init__(self) -> None:
        self.tried: list[str] = []
        self.lost: set[str] = set()
        self.told: list[str] = []
        self.reloaded: list[bool] = []
        self.broken = self.careless = False
        self.closed = 0
        self.distrusted = 0

    @contextmanager
    def backend(self, fallback: str | None = None) -> Iterator[Revived]:
        made = Revived(
            lambda: Model(self),
            fallback,
            self.told.append,
            failing_s=0.0,
            backoff=Backoff(0.01, 0.05),
            reloaded=self.reloaded.append,
        )
        try:
            yield made
        finally:
            made.close()


def answers(backend: Revived) -> Callable[[], bool]:
    def asked() -> bool:
        try:
            return bool((backend.infer(PICTURE) == MASK).all())
        except InferenceError:
            return False

    return asked


def test_a_model_that_recovers_by_itself_is_left_alone() -> None:
    house = House()
    made = Revived(lambda: Model(house), failing_s=60)
    made.load(RECIPE, "CPU")
    house.broken = True
    for _ in range(3):
        with pytest.raises(InferenceError, match="it does not answer"):
            made.infer(PICTURE)
    house.broken = False
    assert answers(made)()
    assert house.tried == ["CPU"]
    made.close()


def test_one_that_keeps_failing_is_loaded_again(caplog: pytest.LogCaptureFixture) -> None:
    house = House()
    with house.backend() as backend, caplog.at_level(logging.INFO):
        backend.load(RECIPE, "CPU")
        house.broken = True
        with pytest.raises(InferenceError, match="it does not answer"):
            backend.infer(PICTURE)
        house.broken = False
        wait_until(answers(backend), 5, "the new one")
        assert house.tried == ["CPU", "CPU"]
        assert (house.closed, house.distrusted) == (1, 1)
    assert [record.message for record in caplog.records] == [
        "model 'door' has failed for 0 s and is loaded again",
        "model 'door' is loaded again",
    ]


def test_until_it_is_there_pictures_are_refused_at_once(caplog: pytest.LogCaptureFixture) -> None:
    house = House()
    with house.backend() as backend:
        backend.load(RECIPE, "CPU")
        house.broken, house.lost = True, {"CPU"}
        with pytest.raises(InferenceError):
            backend.infer(PICTURE)
        with pytest.raises(InferenceError, match="model 'door' is being loaded again"):
            backend.infer(PICTURE)
        wait_until(lambda: len(house.tried) > 4, 5, "several tries")
        house.broken, house.lost = False, set()
        wait_until(answers(backend), 5, "the device's return")
        assert house.reloaded.pop()
        assert len(house.reloaded) >= 4
        assert not any(house.reloaded)
    told = [record.message for record in caplog.records if "trying again" in record.message]
    assert told == ["no device 'CPU' on this machine; trying again until it works"]  # once


def test_a_backend_that_raises_anything_while_it_is_loaded_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    house = House()
    with house.backend() as backend:
        backend.load(RECIPE, "CPU")
        house.broken = house.careless = True
        with pytest.raises(InferenceError):
            backend.infer(PICTURE)
        wait_until(lambda: len(house.tried) > 3, 5, "several tries")
        house.broken = house.careless = False
        wait_until(answers(backend), 5, "the new one")
    told = [record.message for record in caplog.records if "trying again" in record.message]
    assert told == ["model 'door': RuntimeError: out of memory; trying again until it works"]


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (None, "NoneType"),
        (np.zeros((2, 2)), r"float64 \(2, 2\)"),
        (np.zeros((1, 2, 2), np.uint8), r"uint8 \(1, 2, 2\)"),
    ],
    ids=["nothing", "floats", "shape"],
)
def test_what_is_no_mask_is_refused(answer: object, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House()
    monkeypatch.setattr(Model, "infer", lambda *_: answer)
    with house.backend() as backend:
        backend.load(RECIPE, "CPU")
        with pytest.raises(InferenceError, match=f"answered with {what}, and a mask is uint8"):
            backend.infer(PICTURE)


def test_a_lost_device_gives_way_to_the_fallback() -> None:
    house = House()
    with house.backend(fallback="CPU") as backend:
        backend.load(RECIPE, "GPU")
        house.broken, house.lost = True, {"GPU"}
        with pytest.raises(InferenceError):
            backend.infer(PICTURE)
        house.broken = False
        wait_until(answers(backend), 5, "the fallback")
    assert house.told == ["GPU", "CPU"]
    assert house.reloaded == [True]


def test_the_fallback_is_taken_at_the_start_too() -> None:
    house = House()
    house.lost = {"GPU"}
    with house.backend(fallback="CPU") as backend:
        backend.load(RECIPE, "GPU")
        assert answers(backend)()
    assert house.tried == ["GPU", "CPU"]


@pytest.mark.parametrize("fallback", [None, "GPU", "NPU"])
def test_without_another_device_the_first_complaint_counts(fallback: str | None) -> None:
    house = House()
    house.lost = {"GPU", "NPU"}
    with house.backend(fallback) as backend, pytest.raises(ModelError, match="no device 'GPU'"):
        backend.load(RECIPE, "GPU")


def test_closed_while_it_is_loaded_again_nothing_stays_open() -> None:
    house = House()
    with house.backend() as backend:
        backend.load(RECIPE, "CPU")
        house.broken = True
        with pytest.raises(InferenceError):
            backend.infer(PICTURE)
        backend.close()
        with pytest.raises(InferenceError, match="no model is loaded"):
            backend.infer(PICTURE)
    wait_until(lambda: house.closed == len(house.tried), 5, "all of them closed")
