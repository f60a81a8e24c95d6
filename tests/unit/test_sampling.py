"""Frame to tensor, against a slow and plain reference in floating point."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest

from edgeseg.colour import rgb_from_yuv
from edgeseg.kernels import library
from edgeseg.kernels import sampling as kernel
from edgeseg.sampling import DeviceSampler, Sampler
from edgeseg.types import Colour, Frame, Matrix, PlaneFormat, Recipe
from tests.fakes_source import picture
from tests.reference.model import sampled

VARIANTS = [Colour(matrix, full) for matrix in Matrix for full in (False, True)]
NAMES = [f"{colour.matrix.name}-{'full' if colour.full_range else 'limited'}" for colour in VARIANTS]
SIZES = [(1280, 720), (641, 361), (639, 481), (256, 256), (160, 90), (31, 17), (360, 640)]


def recipe(width: int = 256, height: int = 256, order: str = "RGB") -> Recipe:
    return Recipe("any", "", width, height, color_order=order)


def smooth(size: tuple[int, int], colour: Colour) -> Frame:
    """Slow waves in all three planes, which no resampling may change much."""
    width, height = size

    def wave(w: int, h: int, phase: float) -> np.ndarray:
        x, y = (np.arange(w) + 0.5) / w, (np.arange(h) + 0.5) / h
        waves = np.outer(np.cos(np.pi * (y + phase)), np.sin(2 * np.pi * (x + phase)))
        return np.rint(128 + 70 * waves).astype(np.uint8)

    half = ((width + 1) // 2, (height + 1) // 2)
    return Frame(wave(width, height, 0), wave(*half, 0.3), wave(*half, 0.6), 0, Fraction(1, 25), colour, 0.0)


def reference(frame: Frame, width: int, height: int) -> np.ndarray:
    """Each plane by exact area or linear resampling in float, then the textbook formulas, R'G'B' 0..255."""
    planes = []
    for plane in frame.planes:
        shrinks = plane.shape[0] > height and plane.shape[1] > width
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        planes.append(cv2.resize(plane.astype(np.float64), (width, height), interpolation=method))
    y, u, v = planes
    kr, kb = {Matrix.BT601: (0.299, 0.114), Matrix.BT709: (0.2126, 0.0722)}[frame.colour.matrix]
    if frame.colour.full_range:
        luma, cb, cr = y / 255, (u - 128) / 255, (v - 128) / 255
    else:
        luma, cb, cr = (y - 16) / 219, (u - 128) / 224, (v - 128) / 224
    red, blue = luma + 2 * (1 - kr) * cr, luma + 2 * (1 - kb) * cb
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    return np.clip(255 * np.stack([red, green, blue], axis=-1), 0, 255)


@pytest.fixture(autouse=True, params=["opencv", *library.VARIANTS])
def variant(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Everything below holds for the kernels and for OpenCV."""
    name = "" if request.param == "opencv" else request.param
    if name and kernel.load(name) is None:
        pytest.skip(f"the kernel {name!r} was not compiled here, or this processor does not run it")
    monkeypatch.setattr(library, "variant", lambda: name)
    return name


@pytest.mark.parametrize("colour", VARIANTS, ids=NAMES)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_is_what_the_formulas_say(size: tuple[int, int], colour: Colour) -> None:
    check(size, colour)


def test_uhd_is_what_the_formulas_say() -> None:
    check((3840, 2160), VARIANTS[0])


def check(size: tuple[int, int], colour: Colour) -> None:
    frame = smooth(size, colour)
    tensor = Sampler(recipe()).sample(frame)
    assert tensor.shape == (1, 256, 256, 3)
    assert tensor.dtype == np.uint8
    difference = np.abs(tensor[0] - reference(frame, 256, 256))
    # Small sources are all interpolation: their outermost half pixel may be treated in more than one good way.
    limit = 4.0 if min(size) >= 256 else 12.0
    assert difference.mean() < 1.0
    assert np.percentile(difference, 99.5) < limit


@pytest.mark.parametrize("colour", VARIANTS, ids=NAMES)
@pytest.mark.parametrize("grey", [16, 128, 235])
def test_grey_is_grey(colour: Colour, grey: int) -> None:
    frame = Frame(
        np.full((90, 160), grey, np.uint8),
        np.full((45, 80), 128, np.uint8),
        np.full((45, 80), 128, np.uint8),
        0,
        Fraction(1),
        colour,
        0.0,
    )
    expected = grey if colour.full_range else round((grey - 16) * 255 / 219)
    assert np.unique(Sampler(recipe(32, 16)).sample(frame)).tolist() == [expected]


def test_other_colour_than_the_streams_would_show() -> None:
    """The tolerance above is tight enough to catch a wrong matrix or range."""
    frames = [smooth((640, 360), colour) for colour in VARIANTS]
    tensors = [Sampler(recipe()).sample(frame).astype(int) for frame in frames]
    for a in range(4):
        for b in range(a):
            assert np.abs(tensors[a] - tensors[b]).mean() > 2


def test_bgr_is_rgb_the_other_way_round() -> None:
    frame = picture(3, (320, 180))
    rgb = Sampler(recipe(64, 64, "RGB")).sample(frame)
    bgr = Sampler(recipe(64, 64, "bgr")).sample(frame)
    np.testing.assert_array_equal(bgr, rgb[..., ::-1])
    assert not np.array_equal(bgr, rgb)


@pytest.mark.parametrize("model", [(256, 256), (256, 144), (513, 513), (320, 240)], ids=str)
@pytest.mark.parametrize("size", [(1280, 720), (641, 361), (1023, 1023), (3839, 2159), (90, 160), (720, 1280)], ids=str)
def test_nothing_is_shifted(size: tuple[int, int], model: tuple[int, int]) -> None:
    """A blob lies where it lay, in brightness and in colour.

    Odd planes lose their last line when they are halved: that moves the far edge by up to 0.7 pixels of the model. A
    model of odd sides has no exact half for the colours.
    """
    width, height = size
    limit = 0.7 if width % 2 or height % 2 else 0.5 if model[0] % 2 else 0.1
    for cx, cy in [(0.3, 0.4), (0.8, 0.75)]:

        def blob(w: int, h: int, low: int, high: int) -> np.ndarray:
            across = np.exp(-((((np.arange(w) + 0.5) / w - cx) / 0.06) ** 2))  # noqa: B023
            down = np.exp(-((((np.arange(h) + 0.5) / h - cy) / 0.06) ** 2))  # noqa: B023
            return np.rint(low + (high - low) * np.outer(down, across)).astype(np.uint8)

        half = ((width + 1) // 2, (height + 1) // 2)
        flat = np.full(half[::-1], 128, np.uint8)
        bright = Frame(blob(width, height, 0, 255), flat, flat, 0, Fraction(1), Colour(full_range=True), 0.0)
        grey = np.full((height, width), 100, np.uint8)
        red = Frame(grey, flat, blob(*half, 128, 200), 0, Fraction(1), Colour(full_range=True), 0.0)
        for frame in (bright, red):
            seen = Sampler(recipe(*model)).sample(frame)[0, :, :, 0].astype(float)
            seen -= np.median(seen)
            seen[seen < 8] = 0
            rows, columns = np.indices(seen.shape)
            assert abs((seen * (columns + 0.5)).sum() / seen.sum() - cx * model[0]) < limit
            assert abs((seen * (rows + 0.5)).sum() / seen.sum() - cy * model[1]) < limit


def test_fine_detail_becomes_its_mean_and_no_moire() -> None:
    frame = smooth((1024, 1024), Colour(full_range=True))
    frame.y[...] = 0
    frame.y[:, ::2] = 200
    frame.u[...] = frame.v[...] = 128
    assert np.unique(Sampler(recipe()).sample(frame)).tolist() == [100]


def test_fills_the_tensor_that_it_is_given_and_keeps_its_own() -> None:
    sampler = Sampler(recipe(32, 32))
    mine = np.zeros((1, 32, 32, 3), np.uint8)
    assert sampler.sample(picture(1), mine) is mine
    np.testing.assert_array_equal(mine, Sampler(recipe(32, 32)).sample(picture(1)))
    assert sampler.sample(picture(2)) is sampler.tensor


def test_sources_of_several_sizes_do_not_disturb_each_other() -> None:
    sampler = Sampler(recipe(64, 64))
    sizes = [(640, 360), (322, 182), (640, 360), (65, 63)]
    for number, size in enumerate(sizes):
        frame = picture(number, size)
        np.testing.assert_array_equal(sampler.sample(frame), Sampler(recipe(64, 64)).sample(frame))


def test_reads_planes_that_are_views_and_writes_to_none() -> None:
    whole = picture(5, (400, 300))
    view = Frame(whole.y[:200, :300], whole.u[:100, :150], whole.v[:100, :150], 0, Fraction(1), whole.colour, 0.0)
    copies = Frame(view.y.copy(), view.u.copy(), view.v.copy(), 0, Fraction(1), whole.colour, 0.0)
    np.testing.assert_array_equal(Sampler(recipe(32, 32)).sample(view), Sampler(recipe(32, 32)).sample(copies))
    np.testing.assert_array_equal(whole.y, picture(5, (400, 300)).y)


@pytest.mark.parametrize("variant", library.VARIANTS, indirect=True)
@pytest.mark.usefixtures("variant")
def test_a_kernel_rounds_once() -> None:
    """Noise, where OpenCV's rounding after each step adds up to several levels."""
    cases = [((1280, 720), (256, 256)), ((641, 361), (256, 144)), ((50, 1000), (64, 64))]
    for number, (size, model) in enumerate(cases):
        frame = picture(number, size)
        seen = Sampler(recipe(*model)).sample(frame)[0]
        difference = np.abs(seen - sampled(frame, *model))
        assert difference.max() < 0.8
        assert difference.mean() < 0.3


def test_a_frame_that_is_too_large_for_a_kernel_is_sampled_all_the_same() -> None:
    y, half = np.full((700, 900), 128, np.uint8), np.full((350, 450), 128, np.uint8)
    grey = Frame(y, half, half, 0, Fraction(1), Colour(full_range=True), 0.0)
    assert np.unique(Sampler(recipe(16, 16)).sample(grey)).tolist() == [128]


@pytest.mark.parametrize("variant", library.VARIANTS, indirect=True)
def test_what_does_not_fit_is_refused_before_it_is_read(variant: str) -> None:
    sample = kernel.load(variant)
    assert sample is not None
    y, half, tensor = np.zeros((20, 30), np.uint8), np.zeros((10, 15), np.uint8), np.zeros((1, 8, 8, 3), np.uint8)
    weights = kernel.weights_of(rgb_from_yuv(VARIANTS[0].matrix, full_range=False))
    with pytest.raises(ValueError, match=r"planes of colour of \(10, 14\) and \(10, 15\) do not belong"):
        sample((y, half[:, :14], half), weights, tensor)
    with pytest.raises(ValueError, match="no plane of bytes"):
        sample((y[:, ::-1], half, half), weights, tensor)
    for wrong in (tensor[0], tensor[:, :, :, :2], tensor[:, :, ::2], tensor.astype(np.int16)):
        with pytest.raises(ValueError, match="no tensor for a picture"):
            sample((y, half, half), weights, wrong)


def test_frames_are_left_to_a_backend_that_takes_them() -> None:
    """It is asked for each frame: another device may take its place at any time."""
    asked: list[PlaneFormat] = []
    answers = iter([True, False, True])

    def takes(planes: PlaneFormat) -> bool:
        asked.append(planes)
        return next(answers)

    sampler = DeviceSampler(recipe(32, 32), takes)
    frames = [picture(number, (64, 48), colour=Colour(Matrix.BT601, full_range=number == 2)) for number in range(3)]
    assert sampler.sample(frames[0]) is frames[0]
    np.testing.assert_array_equal(sampler.sample(frames[1]), Sampler(recipe(32, 32)).sample(frames[1]))
    assert sampler.sample(frames[2]) is frames[2]
    assert [(planes.width, planes.height) for planes in asked] == [(64, 48)] * 3
    for frame, planes in zip(frames, asked):
        np.testing.assert_array_equal(planes.rgb_from_yuv, rgb_from_yuv(Matrix.BT601, frame.colour.full_range))
