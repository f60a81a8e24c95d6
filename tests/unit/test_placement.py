"""Where the source's picture goes in the output's: nothing distorted, nothing odd, black bars that are black."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.effects.matte import Matte
from edgeseg.frames import Canvas, copy
from edgeseg.placement import Placement
from edgeseg.types import Colour, Frame, SourceFormat
from tests.fakes_source import picture

MARK = 77


def source(width: int, height: int, sar: Fraction = Fraction(1)) -> SourceFormat:
    return SourceFormat(width, height, Fraction(25), Colour(), False, None, sar)


def placed(placement: Placement, frame: Frame, colour: Colour | None = None) -> tuple[Canvas, Frame, Frame]:
    """The canvas with the picture in it, the part that was shown and the part of the canvas it went to."""
    canvas = Canvas(placement.width, placement.height, colour or Colour())
    canvas.buffer[...] = MARK
    shown, place = placement.prepare(frame), placement.place(canvas.frame)
    copy(shown, place)
    return canvas, shown, place


def box(canvas: Canvas, place: Frame) -> tuple[int, int, int, int]:
    """x, y, width, height of a place in its canvas."""
    offset = place.y.__array_interface__["data"][0] - canvas.frame.y.__array_interface__["data"][0]
    return offset % canvas.frame.width, offset // canvas.frame.width, place.width, place.height


@pytest.mark.parametrize("size", [(64, 48), (65, 49), (64, 49), (65, 48)], ids=str)
def test_as_the_source_less_odd_sides(size: tuple[int, int]) -> None:
    placement = Placement(source(*size), None, "contain")
    frame = picture(1, size)
    _, shown, _ = placed(placement, frame)
    assert (placement.width, placement.height) == (64, 48)
    np.testing.assert_array_equal(shown.y, frame.y[:48, :64])
    np.testing.assert_array_equal(shown.u, frame.u[:24, :32])
    np.testing.assert_array_equal(shown.v, frame.v[:24, :32])
    assert (shown.pts, shown.colour) == (frame.pts, frame.colour)


def test_what_fits_is_not_copied() -> None:
    frame = picture(1, (64, 48))
    for fit in ("contain", "cover", "stretch"):
        assert Placement(source(64, 48), (64, 48), fit).prepare(frame).y is frame.y


@pytest.mark.parametrize(
    ("size", "sar", "output", "expected"),
    [
        ((640, 360), 1, (1280, 720), (0, 0, 1280, 720)),
        ((640, 480), 1, (1280, 720), (160, 0, 960, 720)),
        ((360, 640), 1, (1280, 720), (438, 0, 404, 720)),
        ((1280, 544), 1, (640, 480), (0, 104, 640, 272)),
        ((720, 576), Fraction(16, 15), (640, 480), (0, 0, 640, 480)),
        ((720, 576), Fraction(64, 45), (640, 480), (0, 60, 640, 360)),
        ((641, 361), 1, (320, 180), (0, 0, 320, 180)),
    ],
)
def test_contain_shows_everything(
    size: tuple[int, int], sar: Fraction, output: tuple[int, int], expected: tuple[int, int, int, int]
) -> None:
    placement = Placement(source(*size, Fraction(sar)), output, "contain")
    canvas, _, place = placed(placement, picture(1, size))
    assert box(canvas, place) == expected
    assert placement.sample_aspect_ratio == 1


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("size", [(48, 64), (128, 32)], ids=["beside", "above"])
def test_bars_are_black_in_the_range_of_the_stream(size: tuple[int, int], full: bool) -> None:
    placement = Placement(source(*size), (96, 64), "contain")
    canvas, _, place = placed(placement, picture(1, size), Colour(full_range=full))
    place.y[...] = place.u[...] = place.v[...] = MARK
    black = 0 if full else 16
    assert set(np.unique(canvas.frame.y)) == {black, MARK}
    assert set(np.unique(canvas.frame.u)) == set(np.unique(canvas.frame.v)) == {128, MARK}
    assert (canvas.frame.y == MARK).sum() == place.width * place.height
    assert (canvas.frame.u == MARK).sum() == place.width * place.height / 4


def ramp(size: tuple[int, int]) -> Frame:
    """Brightness grows from left to right, U from top to bottom: what is shown tells where it was."""
    width, height = size
    y = np.tile(np.linspace(0, 255, width), (height, 1)).astype(np.uint8)
    u = np.tile(np.linspace(0, 255, height // 2)[:, None], (1, width // 2)).astype(np.uint8)
    return Frame(y, u, u.copy(), 0, Fraction(1), Colour(), 0.0)


@pytest.mark.parametrize(
    ("size", "sar", "left", "top"),
    [
        ((640, 360), 1, 0.21875, 0.0),  # a square of it: 360 of 640 columns
        ((360, 640), 1, 0.0, 0.21875),
        ((720, 576), Fraction(16, 15), 0.125, 0.0),  # shown as 768x576
    ],
)
def test_cover_cuts_the_middle_out(size: tuple[int, int], sar: Fraction, left: float, top: float) -> None:
    placement = Placement(source(*size, Fraction(sar)), (200, 200), "cover")
    canvas, shown, place = placed(placement, ramp(size))
    assert box(canvas, place) == (0, 0, 200, 200)
    assert shown.y[100, 0] == pytest.approx(255 * left, abs=3)
    assert shown.y[100, -1] == pytest.approx(255 * (1 - left), abs=3)
    assert shown.u[0, 50] == pytest.approx(255 * top, abs=3)
    assert shown.u[-1, 50] == pytest.approx(255 * (1 - top), abs=3)


def test_stretch_fills_and_distorts() -> None:
    placement = Placement(source(640, 360), (200, 200), "stretch")
    canvas, shown, place = placed(placement, ramp((640, 360)))
    assert box(canvas, place) == (0, 0, 200, 200)
    assert (shown.y[0, 0], shown.y[0, -1]) == (pytest.approx(0, abs=2), pytest.approx(255, abs=2))
    assert (shown.u[0, 0], shown.u[-1, 0]) == (pytest.approx(0, abs=2), pytest.approx(255, abs=2))


sides = st.integers(16, 400)
evens = st.integers(8, 200).map(lambda n: 2 * n)


@settings(max_examples=60, deadline=None)
@given(
    sides,
    sides,
    evens,
    evens,
    st.sampled_from(["contain", "cover", "stretch"]),
    st.fractions("1/3", 3, max_denominator=60),
)
def test_always_whole_even_and_in_the_middle(
    width: int, height: int, out_width: int, out_height: int, fit: str, sar: Fraction
) -> None:
    placement = Placement(source(width, height, sar), (out_width, out_height), fit)
    frame = Frame(
        np.zeros((height, width), np.uint8),
        *(np.zeros((-(-height // 2), -(-width // 2)), np.uint8) for _ in range(2)),
        0,
        Fraction(1),
        Colour(),
        0.0,
    )
    canvas, shown, place = placed(placement, frame)
    x, y, w, h = box(canvas, place)
    assert (shown.width, shown.height) == (w, h)
    assert x % 2 == y % 2 == w % 2 == h % 2 == 0
    assert abs(out_width - w - 2 * x) <= 2
    assert abs(out_height - h - 2 * y) <= 2
    if fit != "contain":
        assert (w, h) == (out_width, out_height)
    elif min(w, h) > 8:
        assert w == out_width or h == out_height
        assert float(w / h * (height & ~1) / (width & ~1) / sar) == pytest.approx(1, abs=2 / w + 2 / h + 0.02)


def test_the_picture_fills_its_place_with_an_effect_too() -> None:
    """Effects write into the place: strided views, which some OpenCV calls would silently replace by a copy."""
    from edgeseg.types import Mask

    placement = Placement(source(48, 64), (96, 64), "contain")
    canvas = Canvas(96, 64, Colour())
    place = placement.place(canvas.frame)
    place.y[...] = MARK
    Matte().apply(placement.prepare(picture(1, (48, 64))), Mask(np.full((16, 16), 255, np.uint8), 0, 0.0), place)
    assert set(np.unique(canvas.frame.y)) == {16, 235}
