"""What ``edgeseg bench streams`` advises, by which stage takes most."""

from __future__ import annotations

from typing import Any

import pytest

from edgeseg.benchmark.advice import Advice, Facts, advise, bottleneck, lighter
from edgeseg.benchmark.figures import Costs
from edgeseg.config import StreamConfig

CAMERA = (1280, 720)
FACTS = Facts(CAMERA, (1280, 720), 15.0, has_gpu=False)


def stream(**keys: Any) -> StreamConfig:
    return StreamConfig.model_validate({"source": "/clip.mp4", **keys})


def costs(rest: float = 1.0, fps: float = 30.0, **stages: float) -> Costs:
    spent = dict.fromkeys(("decode", "sample", "infer", "mask", "composite", "encode"), 1.0) | stages
    return Costs(spent, sum(spent.values()) + rest, fps)


def changes(advice: Advice) -> dict[str, float]:
    return {change.what: change.gain for change in advice.changes}


def test_the_bottleneck_is_what_takes_most() -> None:
    assert bottleneck(costs(encode=8.0)) == "encode"
    assert bottleneck(costs(rest=8.0)) == "rest"
    advice = advise(stream(), costs(encode=4.0), FACTS)
    assert (advice.bottleneck, advice.share) == ("encode", pytest.approx(0.4))


def test_the_gain_of_a_lighter_stage_follows_from_what_it_was_measured_to_cost() -> None:
    found = advise(stream(), costs(encode=14.0), Facts(CAMERA, (640, 360), 30.0, has_gpu=False, lighter_ms=9.0))
    assert changes(found) == {"encoder.profile: light": pytest.approx(20 / 15)}
    assert not found.changes[0].at_most


def test_what_was_not_measured_is_not_promised() -> None:
    assert "encoder.profile: light" not in changes(advise(stream(), costs(encode=14.0), FACTS))


def test_half_the_rate_halves_all_but_decoding() -> None:
    found = changes(advise(stream(), costs(), FACTS))
    assert found["video.fps: 15"] == pytest.approx(7 * 30 / (30 + 6 * 15))
    assert not [what for what in changes(advise(stream(), costs(fps=12.0), FACTS)) if what.startswith("video.fps")]


def test_a_smaller_picture_is_an_upper_bound() -> None:
    found = advise(stream(), costs(encode=8.0), Facts(CAMERA, (1920, 1080), 30.0, has_gpu=False))
    change = next(change for change in found.changes if change.what == "video.size: 1280x720")
    assert change.at_most
    assert change.gain == pytest.approx(14 / (14 - 9 * 5 / 9))


def test_the_lighter_setting_is_one_that_the_stream_does_not_have() -> None:
    assert lighter(stream(), "mask") is None
    assert lighter(stream(encoder={"profile": "light"}), "encode") is None
    assert lighter(stream(encoder={"codec": "h264_vaapi"}), "encode") is None
    assert lighter(stream(model="selfie-landscape"), "infer") is None
    assert lighter(stream(effect="replace"), "composite") is None
    light = lighter(stream(encoder={"preset": "veryfast"}), "encode")
    assert light is not None
    assert (light.stream.encoder.profile, light.stream.encoder.preset) == ("light", None)
    small = lighter(stream(), "infer")
    assert small is not None
    assert small.stream.model.name == "selfie-landscape"
    plain = lighter(stream(), "composite")
    assert plain is not None
    assert plain.stream.effect.type == "replace"


@pytest.mark.parametrize(
    ("stage", "what"),
    [
        ("decode", "source.decode: vaapi"),
        ("infer", "model.device: GPU"),
        ("encode", "encoder.codec: h264_vaapi"),
    ],
)
def test_a_gpu_is_proposed_where_there_is_one(stage: str, what: str) -> None:
    spent = costs(**{stage: 8.0})
    with_gpu = advise(stream(), spent, Facts(CAMERA, (640, 360), 30.0, has_gpu=True))
    change = next(change for change in with_gpu.changes if change.what == what)
    assert change.at_most
    assert change.gain == pytest.approx(14 / 6)
    assert what not in changes(advise(stream(), spent, FACTS))


def test_the_smaller_stream_of_a_camera_is_proposed_by_the_size_that_it_sends() -> None:
    small = Facts((640, 360), (640, 360), 30.0, has_gpu=False)
    assert changes(advise(stream(), costs(decode=8.0), small)) == {}
    large = advise(stream(), costs(decode=8.0), Facts(CAMERA, (640, 360), 30.0, has_gpu=False))
    (change,) = large.changes
    assert "smaller stream" in change.what
    assert change.gain == pytest.approx(14 / (14 - 8 * 0.75))


def test_a_gate_is_proposed_where_inference_takes_most() -> None:
    assert "mask.motion_gate: true" in changes(advise(stream(), costs(infer=9.0), FACTS))
    gated = stream(mask={"motion_gate": True})
    assert "mask.motion_gate: true" not in changes(advise(gated, costs(infer=9.0), FACTS))


def test_the_best_comes_first() -> None:
    found = advise(stream(), costs(encode=9.0), Facts(CAMERA, (1280, 720), 5.0, has_gpu=True, lighter_ms=8.9))
    gains = [change.gain for change in found.changes]
    assert gains == sorted(gains, reverse=True)
    assert len(gains) <= 3
