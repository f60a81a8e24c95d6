"""The fused blend against a slow reference: the shortcuts must not show."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.effects._blend import Blender
from edgeseg.types import U8

MODELS = [(256, 256), (144, 256), (64, 64), (33, 17), (513, 513)]


def enlarge(alpha: U8, height: int, width: int) -> np.ndarray:
    """Bilinear with pixel centres, borders repeated, in float: the definition."""

    def axis(cells: int, pixels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        at = np.clip((np.arange(pixels) + 0.5) * cells / pixels - 0.5, 0, cells - 1)
        low = np.floor(at).astype(int)
        return low, np.minimum(low + 1, cells - 1), at - low

    top, bottom, down = axis(alpha.shape[0], height)
    left, right, across = axis(alpha.shape[1], width)
    rows = alpha[top] * (1 - down)[:, None] + alpha[bottom] * down[:, None]
    return rows[:, left] * (1 - across) + rows[:, right] * across


def reference(keep: U8, other: U8, alpha: U8) -> tuple[np.ndarray, np.ndarray]:
    weight = enlarge(alpha, *keep.shape) / 255
    return keep * weight + other * (1 - weight), weight


def check(alpha: U8, shape: tuple[int, int], blender: Blender, seed: int = 0) -> None:
    dice = np.random.default_rng(seed)
    keep, other = (dice.integers(0, 256, shape, np.uint8) for _ in range(2))
    out = np.full(shape, 77, np.uint8)
    blender.blend(keep, other, alpha, out)
    expected, weight = reference(keep, other, alpha)
    # Half a step each for the enlarged alpha and the two products, and half for what is rounded at last.
    assert np.abs(out - expected).max() <= 2.0
    assert np.abs(out - expected).mean() <= 0.5
    np.testing.assert_array_equal(out[weight == 0], other[weight == 0])
    np.testing.assert_array_equal(out[weight == 1], keep[weight == 1])


def portrait(shape: tuple[int, int]) -> U8:
    y, x = np.indices(shape) / np.array(shape)[:, None, None]
    distance = np.hypot((x - 0.55) / 0.3, (y - 0.6) / 0.4)
    return np.clip(255 * (1.15 - distance) / 0.3, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", [(720, 1280), (360, 640), (361, 641), (90, 160), (17, 31), (256, 256)], ids=str)
@pytest.mark.parametrize("model", MODELS, ids=str)
def test_a_portrait(model: tuple[int, int], shape: tuple[int, int]) -> None:
    blender = Blender()
    check(portrait(model), shape, blender)
    check(255 - portrait(model), shape, blender)


sides = st.integers(2, 90)


@st.composite
def masks(draw: st.DrawFn) -> U8:
    """Blobs, specks, frames and noise; often all but empty or all but full."""
    height, width = draw(sides), draw(sides)
    alpha = np.full((height, width), draw(st.sampled_from([0, 0, 255, 255, 128])), np.uint8)
    for _ in range(draw(st.integers(0, 4))):
        top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        tall, wide = draw(st.integers(1, height)), draw(st.integers(1, width))
        alpha[top : top + tall, left : left + wide] = draw(st.integers(0, 255))
    if draw(st.booleans()) and draw(st.booleans()):
        alpha = np.random.default_rng(draw(st.integers(0, 9))).integers(0, 256, alpha.shape, np.uint8)
    return alpha


@settings(max_examples=150, deadline=None)
@given(alpha=masks(), height=sides, width=sides, scale=st.sampled_from([0, 1, 2, 3, 4]))
def test_any_mask_and_any_size(alpha: U8, height: int, width: int, scale: int) -> None:
    """``scale`` makes planes that are an exact multiple of the mask, where only a part of it is enlarged."""
    shape = (alpha.shape[0] * scale, alpha.shape[1] * scale) if scale else (height, width)
    check(alpha, shape, Blender())


@settings(max_examples=60, deadline=None)
@given(row=st.integers(0, 35), column=st.integers(0, 63), full=st.booleans())
def test_a_single_speck_is_seen_wherever_it_is(row: int, column: int, full: bool) -> None:
    alpha = np.full((36, 64), 255 if full else 0, np.uint8)
    alpha[row, column] = 0 if full else 255
    keep, other = np.full((180, 320), 200, np.uint8), np.full((180, 320), 50, np.uint8)
    out = np.empty_like(keep)
    Blender().blend(keep, other, alpha, out)
    expected, _ = reference(keep, other, alpha)
    assert np.abs(out - expected).max() <= 2
    assert len(np.unique(out)) > 2


@pytest.mark.parametrize(("value", "which"), [(0, "other"), (255, "keep")])
@pytest.mark.parametrize("shape", [(45, 80), (44, 81), (720, 1280)], ids=str)
def test_nothing_to_mix_is_a_copy(value: int, which: str, shape: tuple[int, int]) -> None:
    planes = {
        name: np.random.default_rng(n).integers(0, 256, shape, np.uint8) for n, name in enumerate(["keep", "other"])
    }
    out = np.empty(shape, np.uint8)
    Blender().blend(planes["keep"], planes["other"], np.full((36, 64), value, np.uint8), out)
    np.testing.assert_array_equal(out, planes[which])


def test_buffers_used_again_leave_no_trace() -> None:
    blender = Blender()
    for seed in range(12):
        dice = np.random.default_rng(seed)
        alpha = np.zeros((48, 64), np.uint8)
        top, left = dice.integers(0, 40, 2)
        alpha[top : top + dice.integers(1, 30), left : left + dice.integers(1, 30)] = dice.integers(1, 256)
        check(alpha, [(96, 128), (101, 67), (48, 64)][seed % 3], blender, seed)


def test_views_of_larger_planes() -> None:
    """Decoded planes have gaps between their rows, and so has the part of a canvas within its bars."""
    dice = np.random.default_rng(0)
    keep, other = (dice.integers(0, 256, (100, 200), np.uint8)[10:82, 20:148] for _ in range(2))
    canvas = np.full((100, 200), 9, np.uint8)
    alpha = portrait((36, 64))
    Blender().blend(keep, other, alpha, canvas[10:82, 20:148])
    expected, _ = reference(keep, other, alpha)
    assert np.abs(canvas[10:82, 20:148] - expected).max() <= 2
    canvas[10:82, 20:148] = 9
    assert (canvas == 9).all()
