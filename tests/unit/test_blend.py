"""The blends against a slow reference: the shortcuts must not show, and all of them give the same picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.effects._blend import Blender, CompiledBlender, make_blender, plain
from edgeseg.effects._blend_opencv import OpenCvBlender
from edgeseg.kernels import compositing, library
from edgeseg.types import U8

KINDS = ("opencv", *library.VARIANTS)
# Half a step of the enlarged alpha, half for what is rounded at last, and a little because OpenCV's resize truncates.
FARTHEST = 1.3
MODELS = [(256, 256), (144, 256), (64, 64), (33, 17), (513, 513)]


def made(kind: str) -> Blender:
    if kind == "opencv":
        return OpenCvBlender()
    blend = compositing.load(kind)
    if blend is None:
        pytest.skip(f"the kernel {kind!r} was not compiled here, or this processor does not run it (apt install gcc)")
    return CompiledBlender(blend)


@pytest.fixture(params=KINDS)
def blender(request: pytest.FixtureRequest) -> Blender:
    return made(request.param)


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
    blender.blend_planes([keep], [other], alpha, [out])
    expected, weight = reference(keep, other, alpha)
    assert np.abs(out - expected).max() <= FARTHEST
    assert np.abs(out - expected).mean() <= 0.4
    np.testing.assert_array_equal(out[weight == 0], other[weight == 0])
    np.testing.assert_array_equal(out[weight == 1], keep[weight == 1])


def portrait(shape: tuple[int, int]) -> U8:
    y, x = np.indices(shape) / np.array(shape)[:, None, None]
    distance = np.hypot((x - 0.55) / 0.3, (y - 0.6) / 0.4)
    return np.clip(255 * (1.15 - distance) / 0.3, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", [(720, 1280), (360, 640), (361, 641), (90, 160), (17, 31), (256, 256)], ids=str)
@pytest.mark.parametrize("model", MODELS, ids=str)
def test_a_portrait(blender: Blender, model: tuple[int, int], shape: tuple[int, int]) -> None:
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


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150, deadline=None)
@given(alpha=masks(), height=sides, width=sides, scale=st.sampled_from([0, 1, 2, 3, 4]))
def test_any_mask_and_any_size(kind: str, alpha: U8, height: int, width: int, scale: int) -> None:
    """``scale`` makes planes that are an exact multiple of the mask, where only a part of it is enlarged."""
    shape = (alpha.shape[0] * scale, alpha.shape[1] * scale) if scale else (height, width)
    check(alpha, shape, made(kind))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(row=st.integers(0, 35), column=st.integers(0, 63), full=st.booleans())
def test_a_single_speck_is_seen_wherever_it_is(kind: str, row: int, column: int, full: bool) -> None:
    alpha = np.full((36, 64), 255 if full else 0, np.uint8)
    alpha[row, column] = 0 if full else 255
    keep, other = np.full((180, 320), 200, np.uint8), np.full((180, 320), 50, np.uint8)
    out = np.empty_like(keep)
    made(kind).blend_planes([keep], [other], alpha, [out])
    expected, _ = reference(keep, other, alpha)
    assert np.abs(out - expected).max() <= FARTHEST
    assert len(np.unique(out)) > 2


@pytest.mark.parametrize(("value", "which"), [(0, "other"), (255, "keep")])
@pytest.mark.parametrize("shape", [(45, 80), (44, 81), (720, 1280)], ids=str)
def test_nothing_to_mix_is_a_copy(blender: Blender, value: int, which: str, shape: tuple[int, int]) -> None:
    planes = {
        name: np.random.default_rng(n).integers(0, 256, shape, np.uint8) for n, name in enumerate(["keep", "other"])
    }
    out = np.empty(shape, np.uint8)
    blender.blend_planes([planes["keep"]], [planes["other"]], np.full((36, 64), value, np.uint8), [out])
    np.testing.assert_array_equal(out, planes[which])


def test_buffers_used_again_leave_no_trace(blender: Blender) -> None:
    for seed in range(12):
        dice = np.random.default_rng(seed)
        alpha = np.zeros((48, 64), np.uint8)
        top, left = dice.integers(0, 40, 2)
        alpha[top : top + dice.integers(1, 30), left : left + dice.integers(1, 30)] = dice.integers(1, 256)
        check(alpha, [(96, 128), (101, 67), (48, 64)][seed % 3], blender, seed)


def test_views_of_larger_planes(blender: Blender) -> None:
    """Decoded planes have gaps between their rows, and so has the part of a canvas within its bars."""
    dice = np.random.default_rng(0)
    keep, other = (dice.integers(0, 256, (100, 200), np.uint8)[10:82, 20:148] for _ in range(2))
    canvas = np.full((100, 200), 9, np.uint8)
    alpha = portrait((36, 64))
    blender.blend_planes([keep], [other], alpha, [canvas[10:82, 20:148]])
    expected, _ = reference(keep, other, alpha)
    assert np.abs(canvas[10:82, 20:148] - expected).max() <= FARTHEST
    canvas[10:82, 20:148] = 9
    assert (canvas == 9).all()


@pytest.mark.parametrize("shape", [(720, 1280), (361, 641), (90, 160)], ids=str)
def test_a_smaller_background_is_enlarged(blender: Blender, shape: tuple[int, int]) -> None:
    dice = np.random.default_rng(0)
    keep, small = dice.integers(0, 256, shape, np.uint8), dice.integers(0, 256, (45, 80), np.uint8)
    alpha = portrait((64, 64))
    out = np.empty(shape, np.uint8)
    blender.blend_planes([keep], [small], alpha, [out])
    background = enlarge(small, *shape)
    weight = enlarge(alpha, *shape) / 255
    assert np.abs(out - (keep * weight + background * (1 - weight))).max() <= 2  # half a step more: it is rounded first
    np.testing.assert_array_equal(out[weight == 1], keep[weight == 1])


def test_a_background_may_be_where_the_picture_will_be(blender: Blender) -> None:
    dice = np.random.default_rng(0)
    keep, other = (dice.integers(0, 256, (90, 160), np.uint8) for _ in range(2))
    alpha = portrait((64, 64))
    apart, within = np.empty_like(keep), other.copy()
    blender.blend_planes([keep], [other], alpha, [apart])
    blender.blend_planes([keep], [within], alpha, [within])
    np.testing.assert_array_equal(within, apart)


@pytest.mark.parametrize("kind", library.VARIANTS)
def test_the_kernel_gives_the_picture_of_opencv_to_within_one(kind: str) -> None:
    dice = np.random.default_rng(5)
    for seed, shape in enumerate([(720, 1280), (360, 640), (361, 641)] * 3):
        keep, other = (dice.integers(0, 256, shape, np.uint8) for _ in range(2))
        alpha = np.roll(portrait((256, 256)), seed * 9, axis=1)
        pictures = [np.empty(shape, np.uint8), np.empty(shape, np.uint8)]
        for blender, out in zip((made("opencv"), made(kind)), pictures, strict=True):
            blender.blend_planes([keep], [other], alpha, [out])
        assert np.abs(pictures[0].astype(int) - pictures[1]).max() <= 1


@pytest.mark.parametrize("background", ["whole", "small", "plain"])
def test_planes_together_are_what_each_is_alone(blender: Blender, background: str) -> None:
    """A kernel takes all planes of a picture in one go, and what belongs to planes of one size once for both."""
    dice = np.random.default_rng(0)
    shapes = [(90, 160), (45, 80), (45, 80)]
    keep = [dice.integers(0, 256, shape, np.uint8) for shape in shapes]
    if background == "plain":
        other = [plain(shape, value) for shape, value in zip(shapes, (20, 120, 220), strict=True)]
    else:
        sizes = shapes if background == "whole" else [(20, 33), (20, 33), (11, 17)]
        other = [dice.integers(0, 256, size, np.uint8) for size in sizes]
    alpha = portrait((64, 64))
    together, alone = ([np.empty(shape, np.uint8) for shape in shapes] for _ in range(2))
    blender.blend_planes(keep, other, alpha, together)
    for number in range(3):
        one = slice(number, number + 1)
        blender.blend_planes(keep[one], other[one], alpha, alone[one])
        np.testing.assert_array_equal(together[number], alone[number])


def test_what_does_not_fit_is_refused_before_it_is_touched() -> None:
    blend = compositing.load(library.variant())
    if blend is None:
        pytest.skip("no kernel was compiled here")
    plane, alpha = np.zeros((20, 30), np.uint8), np.zeros((4, 4), np.uint8)
    for wrong in (plane[:10], plane[:, ::2], plane.astype(np.uint16), plane[None]):
        with pytest.raises(ValueError, match=r"plane"):
            blend([wrong], [plane], alpha, [plane])
    with pytest.raises(ValueError, match="2 and 1 planes cannot be mixed into 2"):
        blend([plane] * 2, [plane], alpha, [plane] * 2)
    with pytest.raises(ValueError, match="5 and 5 planes cannot be mixed into 5"):
        blend([plane] * 5, [plane] * 5, alpha, [plane] * 5)
    sealed = plane.copy()
    sealed.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        blend([plane], [plane], alpha, [sealed])
    endless = np.lib.stride_tricks.as_strided(plane, (2**31, 1), (0, 1))
    with pytest.raises(ValueError, match="a side above 2147483647"):
        blend([plane], [endless], alpha, [plane])
    for wrong in (plane[:, ::2], np.zeros((0, 4), np.uint8)):
        with pytest.raises(ValueError, match="no plane of bytes"):
            blend([plane], [wrong], alpha, [plane])
        with pytest.raises(ValueError, match="no plane of bytes"):
            blend([plane], [plane], wrong, [plane])


def test_without_a_kernel_it_is_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "variant", lambda: "")
    assert isinstance(make_blender(), OpenCvBlender)
