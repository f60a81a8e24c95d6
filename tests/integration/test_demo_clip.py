"""The bundled clip is what the README and the end-to-end tests take it for."""

from __future__ import annotations

from itertools import pairwise

import av
import numpy as np
import pytest

from edgeseg.backends.openvino import OpenVinoBackend
from edgeseg.masks import MaskRefiner, RefineSettings
from edgeseg.recipes import find_model, load_recipe
from edgeseg.sampling import Sampler
from edgeseg.sources.av_input import AvSource
from edgeseg.types import Frame
from tests import demo_truth


def test_it_has_the_announced_form() -> None:
    with av.open(str(demo_truth.CLIP)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.width, video.height) == demo_truth.SIZE
        assert video.frames == demo_truth.FRAMES
        assert video.average_rate == demo_truth.FPS
        assert audio.codec_context.name == "aac"
    assert demo_truth.CLIP.stat().st_size < 1_500_000


def test_it_loops_without_a_jump() -> None:
    with av.open(str(demo_truth.CLIP)) as container:
        luma = [frame.to_ndarray(format="gray").astype(float) for frame in container.decode(video=0)]
    steps = [np.abs(b - a).mean() for a, b in pairwise(luma)]
    assert np.abs(luma[-1] - luma[0]).mean() < 1.5 * max(steps)


@pytest.mark.parametrize(("name", "bound"), [("selfie", 0.96), ("selfie-landscape", 0.96)])
def test_the_bundled_models_find_the_person(name: str, bound: float) -> None:
    recipe = load_recipe(find_model(name))
    backend = OpenVinoBackend(precision="f32")
    backend.load(recipe, "CPU")
    sampler, refiner = Sampler(recipe), MaskRefiner(RefineSettings(smooth_step=(0.0, 1.0), feather=0.0))
    source = AvSource(str(demo_truth.CLIP), audio=False)
    source.open()
    overlaps = []
    for n in range(demo_truth.FRAMES):
        frame = source.read()
        assert isinstance(frame, Frame)
        if n % 5:
            continue
        found = refiner.refine(backend.infer(sampler.sample(frame)), frame.pts).alpha > 127
        true = demo_truth.person_alpha(n, recipe.width, recipe.height) > 127
        overlaps.append((found & true).sum() / (found | true).sum())
    source.close()
    backend.close()
    assert min(overlaps) > bound
