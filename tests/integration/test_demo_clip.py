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

BT709, LIMITED = 1, 1  # as H.264 and FFmpeg number them


def test_it_has_the_announced_form() -> None:
    with av.open(str(demo_truth.CLIP)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.width, video.height) == demo_truth.SIZE
        assert video.frames == demo_truth.FRAMES
        assert video.average_rate == demo_truth.FPS
        assert audio.codec_context.name == "aac"
        assert (video.codec_context.colorspace, video.codec_context.color_range) == (BT709, LIMITED)
    assert demo_truth.CLIP.stat().st_size < 1_500_000


def test_it_loops_without_a_jump() -> None:
    with av.open(str(demo_truth.CLIP)) as container:
        planes = (frame.to_ndarray() for frame in container.decode(video=0))  # I420: luma is the upper part
        luma = [plane[: demo_truth.SIZE[1] : 4, ::4].astype(float) for plane in planes]
    steps = [np.abs(b - a).mean() for a, b in pairwise(luma)]
    assert np.abs(luma[-1] - luma[0]).mean() < 1.5 * max(steps)


def test_its_sound_loops_without_a_click() -> None:
    with av.open(str(demo_truth.CLIP)) as container:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
        rate = container.streams.audio[0].rate
    sound = sound[: demo_truth.FRAMES * rate // demo_truth.FPS]
    assert len(sound) == demo_truth.FRAMES * rate // demo_truth.FPS
    assert np.abs(sound).max() > 0.05
    assert abs(sound[-1] - sound[0]) < np.abs(np.diff(sound)).max()


def test_she_is_cut_off_by_the_frame_and_by_nothing_else() -> None:
    for n in range(0, demo_truth.FRAMES, 10):
        alpha = demo_truth.person_alpha(n)
        assert alpha[-1].max() == 255, "her cut-out ends above the bottom of the frame"
        assert not alpha[0].any()
        assert not alpha[:, 0].any()
        assert not alpha[:, -1].any()


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
        if n % 10:
            continue
        found = refiner.refine(backend.infer(sampler.sample(frame)), frame.pts).alpha > 127
        true = demo_truth.person_alpha(n, recipe.width, recipe.height) > 127
        overlaps.append((found & true).sum() / (found | true).sum())
    source.close()
    backend.close()
    assert min(overlaps) > bound
