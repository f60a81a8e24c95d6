"""What every effect has to keep to: a new one is one line in ``EFFECTS``."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeseg.effects.blur import Blur
from edgeseg.effects.matte import Matte
from edgeseg.effects.overlay import Overlay
from edgeseg.effects.passthrough import Passthrough
from edgeseg.effects.replace import Replace
from edgeseg.types import U8, Colour, Effect, Frame, Mask, Matrix
from tests.fakes_effect import KeepOrGrey
from tests.fakes_source import FakeSource, picture, pictures

EFFECTS: dict[str, Callable[[Path], Effect]] = {
    "replace by a colour": lambda photo: Replace(color=(255, 0, 255)),
    "replace by a picture": lambda photo: Replace(picture=photo),
    "replace by a picture, contained": lambda photo: Replace(picture=photo, fit="contain"),
    "replace by a picture, stretched": lambda photo: Replace(picture=photo, fit="stretch"),
    "replace by a video": lambda photo: Replace(video=FakeSource(pictures(50, (32, 18)))),
    "blur": lambda photo: Blur(),
    "blur strongly": lambda photo: Blur(strength=4.0),
    "overlay": lambda photo: Overlay(),
    "overlay the rest": lambda photo: Overlay(color=(0, 0, 255), opacity=0.3, region="other"),
    "matte": lambda photo: Matte(),
    "passthrough": lambda photo: Passthrough(),
    "fake": lambda photo: KeepOrGrey(),
}
# The pipeline crops to even sides; these are an effect's whole world.
SIZES = [(64, 48), (2, 2), (34, 18), (322, 182)]
MASKS = [(48, 64), (144, 256), (1, 1), (33, 17)]
VARIANTS = [Colour(matrix, full) for matrix in Matrix for full in (False, True)]


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    cv2.imwrite(str(path), np.random.default_rng(1).integers(0, 256, (30, 50, 3), np.uint8))
    return path


@pytest.fixture(params=EFFECTS)
def effect(request: pytest.FixtureRequest, photo: Path) -> Effect:
    return EFFECTS[request.param](photo)


def noise_mask(shape: tuple[int, int], seed: int = 0) -> U8:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def blank(frame: Frame, poison: int) -> Frame:
    planes = [np.full(plane.shape, poison, np.uint8) for plane in frame.planes]
    return Frame(*planes, frame.pts, frame.time_base, frame.colour, frame.captured_at)


def frozen(alpha: U8, frame: Frame) -> Mask:
    alpha.flags.writeable = False
    return Mask(alpha, frame.pts, 0.0)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_fills_every_pixel_and_touches_nothing_else(effect: Effect, size: tuple[int, int]) -> None:
    """Frame and mask are read-only here; what was in ``out`` before leaves no trace."""
    frame = picture(3, size)
    masks = [(noise_mask(shape), np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)) for shape in MASKS]
    for alpha in [mask for group in masks for mask in group]:
        outs = [blank(frame, poison) for poison in (1, 254)]
        for out in outs:
            effect.apply(frame, frozen(alpha, frame), out)
        for a, b in zip(outs[0].planes, outs[1].planes):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("colour", VARIANTS, ids=str)
def test_works_in_every_colour_and_changes_with_it(effect: Effect, colour: Colour) -> None:
    first, second = picture(1, colour=Colour(Matrix.BT601)), picture(1, colour=colour)
    for frame in (first, second, first):
        out, fresh = blank(frame, 9), blank(frame, 9)
        effect.apply(frame, frozen(noise_mask((24, 32)), frame), out)
        effect.apply(frame, frozen(noise_mask((24, 32)), frame), fresh)
        for a, b in zip(out.planes, fresh.planes):
            np.testing.assert_array_equal(a, b)


def test_one_after_the_other_in_other_sizes(effect: Effect, photo: Path) -> None:
    """Buffers that an effect keeps must not carry a picture over to the next."""
    for number, size in enumerate([(64, 48), (322, 182), (64, 48), (34, 18)]):
        frame = picture(0, size, pts=0)
        out = blank(frame, 7)
        effect.apply(frame, frozen(noise_mask((24, 32), number), frame), out)
        assert all(np.isfinite(plane).all() for plane in out.planes)
        assert out.y.shape == size[::-1]


def test_keeps_no_reference(effect: Effect) -> None:
    frame = picture(1)
    out = blank(frame, 5)
    effect.apply(frame, frozen(noise_mask((24, 32)), frame), out)
    was = [plane.copy() for plane in out.planes]
    other = picture(2)
    effect.apply(other, frozen(noise_mask((24, 32), 9), other), blank(other, 6))
    for plane, before in zip(out.planes, was):
        np.testing.assert_array_equal(plane, before)


def test_writes_into_the_middle_of_a_larger_picture(effect: Effect) -> None:
    """Bars lie round the place: its planes are strided views."""
    frame = picture(4)
    canvas = np.full((3, 100, 120), 9, np.uint8)
    views = canvas[0, 20:68, 30:94], canvas[1, 20:44, 30:62], canvas[2, 20:44, 30:62]
    place = Frame(*views, frame.pts, frame.time_base, frame.colour, 0.0)
    whole = blank(frame, 9)
    mask = frozen(noise_mask((24, 32)), frame)
    effect.apply(frame, mask, place)
    effect.apply(frame, mask, whole)
    for view, plane in zip(views, whole.planes):
        np.testing.assert_array_equal(view, plane)
        view[...] = 9
    assert (canvas == 9).all()


HIDING = ["replace by a colour", "replace by a picture", "replace by a video", "matte"]


@pytest.mark.parametrize("name", HIDING)
def test_nothing_of_what_is_hidden_gets_through(name: str, photo: Path) -> None:
    """Two pictures that differ only where the mask is 0 come out alike, bit for bit."""
    alpha = np.zeros((48, 64), np.uint8)
    alpha[16:32, 16:32] = 255
    a = picture(1, (128, 96), pts=0)
    b_y, b_u, b_v = (plane.copy() for plane in picture(2, (128, 96)).planes)
    for ours, theirs, scale in zip((b_y, b_u, b_v), a.planes, (2, 1, 1)):
        reach = slice(15 * scale, 33 * scale)  # one cell more on each side, where interpolation reaches
        ours[reach, reach] = theirs[reach, reach]
    b = Frame(b_y, b_u, b_v, 0, a.time_base, a.colour, 0.0)
    assert not np.array_equal(a.y, b.y)
    outs = []
    for frame in (a, b):
        outs.append(blank(frame, 0))
        EFFECTS[name](photo).apply(frame, frozen(alpha.copy(), frame), outs[-1])
    for one, two in zip(outs[0].planes, outs[1].planes):
        np.testing.assert_array_equal(one, two)


def test_blur_hides_what_it_blurs() -> None:
    """Stripes as fine as letters are gone, and the mean brightness stays."""
    y = np.full((360, 640), 40, np.uint8)
    y[:, (np.arange(640) // 6) % 2 == 0] = 200
    half = np.full((180, 320), 128, np.uint8)
    frame = Frame(y, half, half, 0, Fraction(1), Colour(), 0.0)
    out = blank(frame, 0)
    Blur().apply(frame, frozen(np.zeros((144, 256), np.uint8), frame), out)
    inner = out.y[40:-40, 40:-40]
    assert inner.max() - inner.min() <= 16
    assert inner.mean() == pytest.approx(y.mean(), abs=4)


def test_who_is_kept_does_not_glow_into_the_blur() -> None:
    y = np.full((360, 640), 40, np.uint8)
    y[90:270, 200:440] = 230
    half = np.full((180, 320), 128, np.uint8)
    alpha = np.zeros((144, 256), np.uint8)
    alpha[36:108, 80:176] = 255
    frame = Frame(y, half, half, 0, Fraction(1), Colour(), 0.0)
    out = blank(frame, 0)
    Blur().apply(frame, frozen(alpha, frame), out)
    around = out.y.copy()
    around[84:276, 194:446] = 40
    assert around.max() <= 60
    assert (out.y[96:264, 206:434] == 230).all()


def test_a_background_video_moves_and_survives_a_restart_of_the_stream() -> None:
    """The stream's source may begin at 0 again; the background must not freeze until it has caught up."""
    effect = Replace(video=FakeSource(pictures(40, (64, 48))))
    nothing = np.zeros((24, 32), np.uint8)

    def background(ms: int) -> U8:
        frame = picture(0, pts=ms)
        out = blank(frame, 0)
        effect.apply(frame, frozen(nothing.copy(), frame), out)
        return out.y

    first = [background(ms) for ms in (600_000, 600_040, 600_080)]
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[1], first[2])
    second = [background(ms) for ms in (0, 40, 80)]
    assert not np.array_equal(second[0], second[1])
    assert not np.array_equal(second[1], second[2])
    later = [background(ms) for ms in (100_000, 100_010, 100_040)]
    assert np.array_equal(later[0], later[1])
    assert not np.array_equal(later[1], later[2])
