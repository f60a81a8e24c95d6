"""The way of a frame against a slow reference in floating point: optimisation must not be seen in masks and pictures.

``bench/exactness.py`` measures the same over every combination, for ``docs/performance.md``.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import cycle

import numpy as np
import pytest

from edgeseg.backends.openvino import OpenVinoBackend
from edgeseg.effects.blur import Blur
from edgeseg.masks import MaskRefiner, RefineSettings
from edgeseg.recipes import find_model, load_recipe
from edgeseg.sampling import Sampler
from edgeseg.types import U8, Frame, Recipe
from tests.reference import material
from tests.reference.cases import CASES, KERNELS, OPENCV, available, kernel, overlap, psnr, render, worst
from tests.reference.effects import rounded
from tests.reference.masks import Masks
from tests.reference.model import probability, sampled
from tests.shared import shared

WANTED_DB = 50.0
WANTED_OVERLAP = 0.999
MODELS = ("selfie", "selfie-landscape")
COLOURS = list(material.COLOURS)
# Sizes, colours, models and effects meet each other by turns; the three largest sizes share the effects.
SIZES = list(zip(material.SIZES, cycle(COLOURS), strict=False))
WAYS = [(size, colour, MODELS[row % 2]) for row, (size, colour) in enumerate(SIZES)]
LARGE = ("720p", "1080p", "1918x1078")
EFFECTS = [
    (size, effect, COLOURS[(row + column) % len(COLOURS)])
    for row, size in enumerate(material.SIZES)
    for column, effect in enumerate(CASES)
    if size not in LARGE or column % len(LARGE) == LARGE.index(size)
]


@cache
def model(name: str) -> tuple[Recipe, OpenVinoBackend]:
    """In f32: what another precision costs is no matter of exactness."""
    recipe, backend = load_recipe(find_model(name)), OpenVinoBackend("f32")
    backend.load(recipe, "CPU")
    return recipe, backend


@cache
def clip() -> list[U8]:
    return list(material.clip_pictures(material.CLIP, (0, 8, 16)))


@cache
def frame_of_clip(number: int, size: str, colour: str) -> Frame:
    """Pictures of the clip, 80 ms apart."""
    return material.frame_of(clip()[number], material.SIZES[size], material.COLOURS[colour], 80 * number)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("size", "colour"), SIZES)
def test_the_model_sees_the_frame(size: str, colour: str, name: str) -> None:
    """To half a level on average: halving in bytes rounds halves up, and the colours count twice in blue and red."""
    recipe, _ = model(name)
    frame = frame_of_clip(0, size, colour)
    seen, expected = Sampler(recipe).sample(frame)[0], sampled(frame, recipe.width, recipe.height)
    assert np.abs(seen - expected).mean() <= 0.75
    assert np.abs(seen - expected).max() <= 5
    assert psnr(seen, expected) >= WANTED_DB - 1


@pytest.mark.parametrize("name", MODELS)
def test_the_mask_is_the_models_answer_in_bytes(name: str) -> None:
    recipe, backend = model(name)
    sampler = Sampler(recipe)
    for rgb in (*clip(), *material.photographs().values()):
        tensor = sampler.sample(material.frame_of(rgb, (640, 360), material.COLOURS["BT.709 limited"]))
        answer, expected = backend.infer(tensor), probability(tensor[0].astype(np.float64), recipe)
        assert np.abs(answer - 255 * expected).max() <= 0.51  # half a level, and what f32 adds to it
        assert overlap(answer / 255, expected) >= WANTED_OVERLAP


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    "settings",
    [
        RefineSettings(),
        RefineSettings(temporal=0.6),
        RefineSettings(temporal=0.9, feather=0.0, smooth_step=(0.0, 1.0)),
        RefineSettings(feather=4.0, invert=True),
        RefineSettings(threshold=0.5, feather=0.0),
    ],
    ids=["default", "temporal", "average alone", "feather and invert", "threshold"],
)
def test_masks_are_refined_as_described(settings: RefineSettings, name: str) -> None:
    recipe, backend = model(name)
    sampler, refiner, masks = Sampler(recipe), MaskRefiner(settings), Masks(settings)
    for number in range(3):
        frame = frame_of_clip(number, "360p", "BT.709 limited")
        answer = backend.infer(sampler.sample(frame))
        alpha, expected = refiner.refine(answer, frame.pts).alpha, masks.mask(answer / 255)
        assert np.abs(alpha - 255 * expected).max() <= 4  # the curve is three times as steep as what was rounded
        assert psnr(alpha, 255 * expected) >= WANTED_DB
        assert overlap(alpha / 255, expected) >= WANTED_OVERLAP


@pytest.mark.parametrize(("size", "effect", "colour"), EFFECTS)
def test_pictures_are_what_the_formulas_say(size: str, effect: str, colour: str) -> None:
    case, alpha = CASES[effect], material.mask()
    frame = frame_of_clip(0, size, colour)
    expected = rounded(case.reference(frame, alpha / 255))
    for name in available():
        with kernel(name):
            product = case.product()
        assert worst(render(product, frame, alpha), expected) >= WANTED_DB, name


@pytest.mark.parametrize(("size", "colour", "name"), WAYS)
def test_the_whole_way_of_a_frame(size: str, colour: str, name: str) -> None:
    check_way([frame_of_clip(number, size, colour) for number in range(2)], name)


@pytest.mark.parametrize("name", MODELS)
def test_the_whole_way_of_people_who_walk_by(name: str) -> None:
    walkers = material.clip_pictures(shared("video", "one-by-one-person-detection.mp4"), (300, 302))
    check_way([material.frame_of(rgb, (854, 480), material.COLOURS["BT.601 limited"]) for rgb in walkers], name)


def check_way(frames: list[Frame], name: str) -> None:
    """From planes to planes, with nothing rounded on the reference's way but its last step.

    The outlines of the masks may differ by a few pixels more than elsewhere: what a model is not sure of, the last
    bit of its input decides.
    """
    recipe, backend = model(name)
    settings = RefineSettings(temporal=0.4)
    case, sampler = CASES["replace, colour"], Sampler(recipe)
    product, refiner, masks = case.product(), MaskRefiner(settings), Masks(settings)
    for frame in frames:
        alpha = refiner.refine(backend.infer(sampler.sample(frame)), frame.pts).alpha
        expected = masks.mask(probability(sampled(frame, recipe.width, recipe.height), recipe))
        assert overlap(alpha / 255, expected) >= 0.996
        assert worst(render(product, frame, alpha), rounded(case.reference(frame, expected))) >= WANTED_DB


def test_every_kernel_is_compared_where_it_can_run() -> None:
    assert OPENCV in available()
    assert set(available()) <= set(KERNELS)


@pytest.mark.parametrize("effect", ["replace, colour", "matte"])
def test_another_mask_or_colour_would_be_seen(effect: str) -> None:
    """What is asked for is tight enough for a mask that is half a pixel off, and for another matrix and range."""
    case, alpha = CASES[effect], material.mask()
    frame = frame_of_clip(0, "360p", "BT.709 limited")
    expected = rounded(case.reference(frame, alpha / 255))
    shifted = (alpha.astype(np.float64) + np.roll(alpha, 1, axis=1)) / 2 / 255
    other = replace(frame, colour=material.COLOURS["BT.601 full"])
    for wrong in (case.reference(frame, shifted), case.reference(other, alpha / 255)):
        assert worst(rounded(wrong), expected) < WANTED_DB - 5


def test_a_little_more_blur_would_be_seen() -> None:
    case, alpha = CASES["blur"], material.mask()
    frame = frame_of_clip(0, "360p", "BT.709 limited")
    expected = rounded(case.reference(frame, alpha / 255))
    assert worst(render(Blur(strength=1.2), frame, alpha), expected) < WANTED_DB
