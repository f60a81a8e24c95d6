"""The blurred background against its definition: all of them give the same picture."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseg.effects import blur
from edgeseg.effects._soften import CompiledSoftener, Softener
from edgeseg.effects._soften_opencv import OpenCvSoftener
from edgeseg.kernels import library, softening
from edgeseg.types import U8
from tests.reference.resampling import F64, blurred, linear, resized

KINDS = ("opencv", *library.VARIANTS)
# Half a level for what is rounded at last; OpenCV rounds the weights and each of the means before that as well.
FARTHEST, MEAN = {"opencv": 1.6}, {"opencv": 0.5}
SHAPES = [(720, 1280), (361, 641), (144, 144), (90, 160), (17, 31), (1, 1)]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    if kind != "opencv" and softening.load(kind) is None:
        pytest.skip(f"the kernel {kind!r} was not compiled here, or this processor does not run it")
    return kind


def made(kind: str) -> Softener:
    soften = softening.load(kind)
    return CompiledSoftener(soften) if soften else OpenCvSoftener()


def noise(shape: tuple[int, int], seed: int = 0) -> U8:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def portrait(shape: tuple[int, int]) -> U8:
    y, x = np.indices(shape) / np.array(shape)[:, None, None]
    return np.clip(255 * (1.15 - np.hypot((x - 0.5) / 0.3, (y - 0.6) / 0.4)) / 0.3, 0, 255).astype(np.uint8)


def softened(kind: str, planes: list[U8], alpha: U8, sigma: float) -> list[U8]:
    out = [np.full(blur._halved(*plane.shape), 77, np.uint8) for plane in planes]
    made(kind).soften(planes, alpha, [blur._half_gaussian(sigma)] * len(planes), out)
    return out


def means(plane: F64, shape: tuple[int, int]) -> F64:
    """Of the boxes that whole pixels of ``shape`` stand for."""
    side = 1
    while plane.shape[0] // (2 * side) >= shape[0]:
        side *= 2
    whole = plane[: shape[0] * side, : shape[1] * side]
    return whole.reshape(shape[0], side, shape[1], side).mean((1, 3))


def definition(plane: U8, alpha: U8, shape: tuple[int, int], sigma: float) -> F64:
    weight = resized(255.0 - alpha, shape, linear) + 0.5
    radius = len(blur._half_gaussian(sigma)) - 1
    top = blurred(means(plane.astype(np.float64), shape) * weight, sigma, radius)
    return top / blurred(weight, sigma, radius)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("model", [(256, 256), (144, 256), (33, 17), (1, 1)], ids=str)
@pytest.mark.parametrize("sigma", [0.4, 2.2, 5.0])
def test_it_is_what_it_is_said_to_be(kind: str, model: tuple[int, int], shape: tuple[int, int], sigma: float) -> None:
    plane, alpha = noise(shape), portrait(model)
    (soft,) = softened(kind, [plane], alpha, sigma)
    difference = np.abs(soft - definition(plane, alpha, soft.shape, sigma))
    shows = resized(255.0 - alpha, soft.shape, linear) / 255
    assert (difference * shows).max() <= FARTHEST.get(kind, 0.51)
    assert difference.mean() <= MEAN.get(kind, 0.3)


def test_each_plane_is_its_own(kind: str) -> None:
    """Three planes of two sizes in one call are as three calls of one."""
    alpha = portrait((256, 256))
    planes = [noise((200, 321)), noise((100, 161), 1), noise((100, 161), 2)]
    together = softened(kind, planes, alpha, 2.0)
    for plane, soft in zip(planes, together, strict=True):
        np.testing.assert_array_equal(soft, softened(kind, [plane], alpha, 2.0)[0])


def test_what_is_kept_does_not_shine_through(kind: str) -> None:
    """The hidden half is 40 and the kept half is 200: the mean has none of that near what is hidden."""
    plane, alpha = np.full((180, 320), 40, np.uint8), np.zeros((64, 64), np.uint8)
    plane[:, 176:], alpha[:, 32:] = 200, 255
    (soft,) = softened(kind, [plane], alpha, 2.0)
    assert soft[:, :80].max() <= 41
    assert soft[:, -20:].min() == 200  # there is nothing but what is kept


def test_rows_may_lie_apart(kind: str) -> None:
    wide, alpha = noise((180, 400)), portrait((64, 64))
    part = wide[:, 3:323]
    np.testing.assert_array_equal(softened(kind, [part], alpha, 2.0)[0], softened(kind, [part.copy()], alpha, 2.0)[0])


def test_what_is_too_large_for_the_kernel_is_blurred_all_the_same(kind: str) -> None:
    """Boxes of 32x32: a plane of 8K. The kernel says no, and does nothing."""
    plane, alpha = np.full((32 * 4, 32 * 5), 90, np.uint8), portrait((64, 64))
    out, taps = np.full((4, 5), 77, np.uint8), blur._half_gaussian(1.0)
    made(kind).soften([plane], alpha, [taps], [out])
    assert (out == 90).all()
    if native := softening.load(kind):
        out[:] = 77
        assert not native([plane], alpha, [taps], [out])
        assert (out == 77).all()


@pytest.mark.parametrize("name", library.VARIANTS)
def test_what_the_kernel_cannot_do_is_refused_before_it_is_called(name: str) -> None:
    native = softening.load(name)
    if native is None:
        pytest.skip(f"the kernel {name!r} was not compiled here, or this processor does not run it")
    plane, alpha, taps, out = noise((8, 8)), portrait((4, 4)), blur._half_gaussian(1.0), np.empty((4, 4), np.uint8)
    with pytest.raises(ValueError, match="does not become"):
        native([plane], alpha, [taps], [np.empty((4, 3), np.uint8)])
    with pytest.raises(ValueError, match="2 planes cannot be softened into 1"):
        native([plane] * 2, alpha, [taps], [out])
    with pytest.raises(ValueError, match="cannot be softened into 5"):
        native([plane] * 5, alpha, [taps] * 5, [out] * 5)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        native([plane], alpha, [taps], [out])
