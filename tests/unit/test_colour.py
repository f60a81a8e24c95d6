"""Colour: pure colours against the tables of the standards, round trips, and swscale as an independent witness."""

from __future__ import annotations

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter
from hypothesis import given
from hypothesis import strategies as st

from edgeseg.colour import i420_from_rgb, rgb_from_i420, rgb_from_yuv, yuv_from_rgb, yuv_of
from edgeseg.types import Colour, Matrix

VARIANTS = [Colour(matrix, full) for matrix in Matrix for full in (False, True)]
NAMES = [f"{colour.matrix.name}-{'full' if colour.full_range else 'limited'}" for colour in VARIANTS]

# 8 bit values of ITU-R BT.601-7 and BT.709-6 (limited) and JFIF (BT.601 full), worked out by hand.
PURE = {
    (Matrix.BT601, False): {
        (0, 0, 0): (16, 128, 128),
        (255, 255, 255): (235, 128, 128),
        (255, 0, 0): (81, 90, 240),
        (0, 255, 0): (145, 54, 34),
        (0, 0, 255): (41, 240, 110),
        (255, 0, 255): (106, 202, 222),
    },
    (Matrix.BT709, False): {
        (0, 0, 0): (16, 128, 128),
        (255, 255, 255): (235, 128, 128),
        (255, 0, 0): (63, 102, 240),
        (0, 255, 0): (173, 42, 26),
        (0, 0, 255): (32, 240, 118),
        (255, 0, 255): (78, 214, 230),
    },
    (Matrix.BT601, True): {
        (0, 0, 0): (0, 128, 128),
        (255, 255, 255): (255, 128, 128),
        (255, 0, 0): (76, 85, 255),
        (0, 255, 0): (150, 44, 21),
        (0, 0, 255): (29, 255, 107),
    },
    (Matrix.BT709, True): {
        (255, 255, 255): (255, 128, 128),
        (255, 0, 0): (54, 99, 255),
        (0, 255, 0): (182, 30, 12),
        (0, 0, 255): (18, 255, 116),
    },
}


@pytest.mark.parametrize(
    ("colour", "rgb", "yuv"),
    [(Colour(*key), rgb, yuv) for key, table in PURE.items() for rgb, yuv in table.items()],
)
def test_pure_colours_are_those_of_the_standard(
    colour: Colour, rgb: tuple[int, int, int], yuv: tuple[int, int, int]
) -> None:
    assert yuv_of(rgb, colour) == yuv


@pytest.mark.parametrize("colour", VARIANTS, ids=NAMES)
def test_the_two_matrices_undo_each_other(colour: Colour) -> None:
    there = np.vstack([yuv_from_rgb(colour.matrix, colour.full_range), [0, 0, 0, 1]])
    back = np.vstack([rgb_from_yuv(colour.matrix, colour.full_range), [0, 0, 0, 1]])
    np.testing.assert_allclose(there @ back, np.eye(4), atol=2e-4)


@pytest.mark.parametrize("colour", VARIANTS, ids=NAMES)
@given(rgb=st.tuples(*[st.integers(0, 255)] * 3))
def test_a_colour_survives_the_round_trip(colour: Colour, rgb: tuple[int, int, int]) -> None:
    """Within what rounding three bytes costs: one step of chroma is up to 2.1 of R or B."""
    planes = [np.full(shape, value, np.uint8) for shape, value in zip([(4, 4), (2, 2), (2, 2)], yuv_of(rgb, colour))]
    back = rgb_from_i420(*planes, colour)
    assert np.abs(back.astype(int) - rgb).max() <= 3


def smooth_rgb(width: int = 64, height: int = 48) -> np.ndarray:
    """Ramps that 4:2:0 can hold, over most of the colour cube."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return np.rint(255 * np.stack([x, y, 1 - 0.5 * (x + y)], axis=-1)).astype(np.uint8)


@pytest.mark.parametrize("colour", VARIANTS, ids=NAMES)
def test_a_picture_survives_the_round_trip(colour: Colour) -> None:
    rgb = smooth_rgb()
    y, u, v = i420_from_rgb(rgb, colour)
    assert (y.shape, u.shape, v.shape) == ((48, 64), (24, 32), (24, 32))
    assert all(plane.flags.c_contiguous for plane in (y, u, v))
    difference = np.abs(rgb_from_i420(y, u, v, colour).astype(int) - rgb)
    assert difference.max() <= 6
    assert difference.mean() < 1.0


@pytest.mark.parametrize("colour", VARIANTS, ids=NAMES)
def test_ffmpeg_reads_the_planes_as_we_do(colour: Colour) -> None:
    """Its plain converter rounds coarsely; but of all ways to read the planes, the right one has to fit best."""
    rgb = smooth_rgb()
    planes = i420_from_rgb(rgb, colour)
    differences = {variant: np.abs(swscale(planes, variant).astype(int) - rgb) for variant in VARIANTS}
    assert min(VARIANTS, key=lambda variant: differences[variant].mean()) == colour
    assert differences[colour].mean() < 3.0
    assert np.percentile(differences[colour], 99) <= 8


def swscale(planes: tuple[np.ndarray, ...], colour: Colour) -> np.ndarray:
    picture = av.VideoFrame(planes[0].shape[1], planes[0].shape[0], "yuv420p")
    for plane, ours in zip(picture.planes, planes):
        padded = np.zeros((plane.height, plane.line_size), np.uint8)
        padded[:, : plane.width] = ours
        plane.update(padded.tobytes())
    matrix = 1 if colour.matrix is Matrix.BT709 else 5
    converted = VideoReformatter().reformat(
        picture,
        format="rgb24",
        src_colorspace=matrix,
        dst_colorspace=matrix,
        src_color_range=2 if colour.full_range else 1,
        dst_color_range=2,
    )
    return converted.to_ndarray()


def test_the_variants_differ_as_much_as_they_should() -> None:
    """Mixing them up must be visible to the tests above: a matrix costs tens, a range too."""
    green = {yuv_of((0, 255, 0), colour) for colour in VARIANTS}
    assert len(green) == len(VARIANTS)
