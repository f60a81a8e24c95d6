"""From the model's answer to the mask: what each setting does, and what it must not do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeseg.masks import MaskRefiner, RefineSettings
from edgeseg.types import U8

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def flat(value: int) -> U8:
    return np.full((16, 16), value, np.uint8)


def refine(answer: U8, **settings: object) -> U8:
    """One answer refined, without feather unless asked for."""
    return MaskRefiner(RefineSettings(**{"feather": 0.0, **settings})).refine(answer, 0).alpha  # type: ignore[arg-type]


def test_carries_the_time_of_its_frame() -> None:
    mask = MaskRefiner(RefineSettings()).refine(RAMP, 4711)
    assert mask.of == 4711
    assert mask.alpha.shape == RAMP.shape
    assert mask.alpha.dtype == np.uint8


def test_smooth_step_is_the_curve_of_its_name() -> None:
    x = np.clip((np.arange(256) / 255 - 0.2) / 0.6, 0, 1)
    expected = 255 * (3 * x**2 - 2 * x**3)
    assert np.abs(refine(RAMP, smooth_step=(0.2, 0.8)).ravel() - expected).max() <= 0.5


@given(low=st.floats(0, 0.9), width=st.floats(0.01, 0.5))
def test_smooth_step_grows_and_reaches_both_ends(low: float, width: float) -> None:
    curve = refine(RAMP, smooth_step=(low, min(1.0, low + width))).ravel().astype(int)
    assert curve[0] == 0
    assert curve[255] == 255
    assert (np.diff(curve) >= 0).all()


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.9])
def test_a_threshold_cuts_hard(threshold: float) -> None:
    alpha = refine(RAMP, threshold=threshold)
    np.testing.assert_array_equal(alpha.ravel() == 255, np.arange(256) / 255 >= threshold)
    assert set(np.unique(alpha)) == {0, 255}


def test_invert_keeps_the_rest() -> None:
    np.testing.assert_array_equal(refine(RAMP, invert=True), 255 - refine(RAMP))


def edge() -> U8:
    answer = np.zeros((32, 64), np.uint8)
    answer[:, 32:] = 255
    return answer


def test_feather_softens_an_edge_where_it_is() -> None:
    hard, soft = refine(edge()), refine(edge(), feather=2.0, smooth_step=(0.25, 0.75))
    assert set(np.unique(hard)) == {0, 255}
    profile = soft[16].astype(int)
    assert (np.diff(profile) >= 0).all()
    assert profile[:26].max() == 0
    assert profile[38:].min() == 255
    assert profile[31] + profile[32] == pytest.approx(255, abs=2)
    assert len(np.unique(profile)) > 2


def test_feather_does_not_darken_the_borders_of_the_picture() -> None:
    assert refine(flat(255), feather=4.0).min() == 255


@given(st.lists(st.integers(0, 255), min_size=1, max_size=12), st.floats(0.05, 0.95))
def test_the_average_stays_between_what_was_seen(values: list[int], temporal: float) -> None:
    refiner = MaskRefiner(RefineSettings(temporal=temporal, smooth_step=(0.0, 1.0)))
    plain = MaskRefiner(RefineSettings(smooth_step=(0.0, 1.0)))
    seen = []
    for pts, value in enumerate(values):
        seen.append(int(plain.refine(flat(value), pts).alpha[0, 0]))
        average = int(refiner.refine(flat(value), pts).alpha[0, 0])
        assert min(seen) - 2 <= average <= max(seen) + 2


def test_the_average_calms_flicker() -> None:
    """Answers that waver by 20 steps around the middle waver much less afterwards."""
    refiner = MaskRefiner(RefineSettings(temporal=0.8, smooth_step=(0.0, 1.0)))
    plain = MaskRefiner(RefineSettings(smooth_step=(0.0, 1.0)))
    dice = np.random.default_rng(1)
    answers = [flat(int(value)) for value in dice.integers(108, 149, 60)]
    calm = [int(refiner.refine(answer, 0).alpha[0, 0]) for answer in answers][10:]
    wild = [int(plain.refine(answer, 0).alpha[0, 0]) for answer in answers][10:]
    assert np.std(calm) < 0.6 * np.std(wild)


def test_what_has_really_changed_leaves_no_ghost() -> None:
    refiner = MaskRefiner(RefineSettings(temporal=0.9))
    for pts in range(20):
        refiner.refine(flat(255), pts)
    assert refiner.refine(flat(0), 20).alpha.max() == 0
    assert refiner.refine(flat(255), 21).alpha.min() == 255


@pytest.mark.parametrize(("start", "target"), [(60, 0), (195, 255), (0, 100), (255, 140)])
def test_the_average_arrives_and_does_not_stick(start: int, target: int) -> None:
    refiner = MaskRefiner(RefineSettings(temporal=0.9, smooth_step=(0.0, 1.0)))
    wanted = MaskRefiner(RefineSettings(smooth_step=(0.0, 1.0))).refine(flat(target), 0).alpha[0, 0]
    refiner.refine(flat(start), 0)
    for pts in range(120):
        alpha = refiner.refine(flat(target), pts).alpha
    assert int(alpha[0, 0]) == int(wanted)


def test_reset_forgets() -> None:
    refiner = MaskRefiner(RefineSettings(temporal=0.9, smooth_step=(0.0, 1.0)))
    fresh = MaskRefiner(RefineSettings(temporal=0.9, smooth_step=(0.0, 1.0)))
    refiner.refine(flat(100), 0)
    wavering = refiner.refine(flat(140), 1).alpha
    refiner.reset()
    np.testing.assert_array_equal(refiner.refine(flat(140), 2).alpha, fresh.refine(flat(140), 0).alpha)
    assert not np.array_equal(wavering, fresh.refine(flat(140), 0).alpha)


def test_an_answer_of_another_size_starts_over() -> None:
    refiner = MaskRefiner(RefineSettings(temporal=0.9))
    refiner.refine(flat(255), 0)
    assert refiner.refine(np.zeros((8, 8), np.uint8), 1).alpha.max() == 0


@pytest.mark.parametrize(
    "settings", [{}, {"temporal": 0.5}, {"threshold": 0.5}, {"feather": 1.0}, {"invert": True}], ids=str
)
def test_the_answer_is_neither_changed_nor_kept(settings: dict[str, float]) -> None:
    """The backend writes the next answer into the same memory while this mask is still in use."""
    refiner = MaskRefiner(RefineSettings(**settings))  # type: ignore[arg-type]
    answer = RAMP.copy()
    refiner.refine(answer, 0)
    mask = refiner.refine(answer, 1)
    np.testing.assert_array_equal(answer, RAMP)
    before = mask.alpha.copy()
    answer[...] = 7
    np.testing.assert_array_equal(mask.alpha, before)
    answer[...] = RAMP
    np.testing.assert_array_equal(refiner.refine(answer, 2).alpha, before)
