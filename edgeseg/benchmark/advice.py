"""What to change when the machine is to carry more, and what each change would bring, by arithmetic on the costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgeseg.benchmark.figures import Costs
from edgeseg.config import StreamConfig
from edgeseg.config.effects import ReplaceEffect
from edgeseg.config.values import COLOURS

_LIGHT_MODEL = "selfie-landscape"  # the lightest that edgeseg ships
_SMALL = 640 * 360
MOST = 3
# A gain that is less than this is noise.
_WORTH = 1.02


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to change: ``what`` in the configuration, ``why`` it helps or what it costs.

    ``gain`` is the factor by which the number of streams grows; ``at_most`` where only its upper bound is known.
    """

    what: str
    why: str
    gain: float
    at_most: bool = False


@dataclass(frozen=True, slots=True)
class Advice:
    """The step that takes most, its share of the whole, and what to change, the best first."""

    bottleneck: str
    share: float
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the advice depends on beside the costs: width and height of the source and of what is put out, the lowest
    rate wanted, whether there is a GPU.

    ``lighter_ms`` is what the bottleneck costs with what ``lighter`` proposed; None where nothing was tried.
    """

    source: tuple[int, int]
    size: tuple[int, int]
    fps_floor: float
    has_gpu: bool
    lighter_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Lighter:
    """A setting with which one stage costs less, to be measured: ``stream`` has it."""

    what: str
    why: str
    stream: StreamConfig


def lighter(stream: StreamConfig, stage: str) -> Lighter | None:
    """The setting that makes ``stage`` lighter on any machine; None where there is none."""
    encoder = stream.encoder
    if (
        stage == "encode"
        and encoder.codec == "libx264"
        and encoder.profile != "light"
        and encoder.preset != "ultrafast"
    ):
        light = encoder.model_copy(update={"profile": "light", "preset": None})
        return Lighter("encoder.profile: light", "coarser picture", stream.model_copy(update={"encoder": light}))
    if stage == "infer" and stream.model.name == "selfie":
        model = stream.model.model_copy(update={"name": _LIGHT_MODEL})
        return Lighter(f"model: {_LIGHT_MODEL}", "coarser masks", stream.model_copy(update={"model": model}))
    if stage == "composite" and stream.effect.type == "blur":
        plain = stream.model_copy(update={"effect": ReplaceEffect(color=COLOURS["green"])})
        return Lighter("effect: replace", "a plain background instead of a soft one", plain)
    return None


def bottleneck(costs: Costs) -> str:
    """The stage, or the rest of the daemon, that takes most."""
    parts = costs.stages | {"rest": costs.rest}
    return max(parts, key=lambda name: parts[name])


def advise(stream: StreamConfig, costs: Costs, facts: Facts) -> Advice:
    """What limits ``stream`` and what would help it."""
    worst = bottleneck(costs)
    found = [*_measured(stream, worst, costs, facts), *_of_stage(stream, worst, costs, facts)]
    if facts.fps_floor < costs.fps:
        gain = _gain(costs, {}, fps=facts.fps_floor)
        found.append(Change(f"video.fps: {facts.fps_floor:g}", "fewer pictures; all are decoded still", gain))
    useful = sorted((change for change in found if change.gain >= _WORTH), key=lambda change: -change.gain)
    share = (costs.rest if worst == "rest" else costs.stages[worst]) / costs.whole
    return Advice(worst, share, tuple(useful[:MOST]))


def _measured(stream: StreamConfig, worst: str, costs: Costs, facts: Facts) -> Iterator[Change]:
    option = lighter(stream, worst)
    if option is not None and facts.lighter_ms is not None:
        yield Change(option.what, option.why, _gain(costs, {worst: facts.lighter_ms}))


def _of_stage(stream: StreamConfig, worst: str, costs: Costs, facts: Facts) -> Iterator[Change]:
    """Changes whose best is known by arithmetic only."""
    free = _gain(costs, {worst: 0.0}) if worst in costs.stages else 1.0
    if worst == "infer":
        if stream.model.name not in ("selfie", _LIGHT_MODEL):
            yield Change("a smaller model", "`edgeseg bench model` and `edgeseg eval` compare them", free, at_most=True)
        if not stream.mask.motion_gate.enabled:
            yield Change("mask.motion_gate: true", "no inference while nothing moves", free, at_most=True)
        if facts.has_gpu and stream.model.device in (None, "CPU"):
            yield Change("model.device: GPU", "`edgeseg bench model` tells how fast it is", free, at_most=True)
    elif worst == "decode":
        if facts.has_gpu and stream.source.decode.hwaccel is None:
            yield Change("source.decode: vaapi", "the GPU decodes, as far as it can", free, at_most=True)
        share = _SMALL / (facts.source[0] * facts.source[1])
        if share < 1:
            gain = _gain(costs, {"decode": costs.stages["decode"] * share})
            yield Change("the camera's smaller stream as source.url", "fewer pixels to decode", gain, at_most=True)
    else:
        if worst == "encode" and facts.has_gpu and stream.encoder.codec == "libx264":
            yield Change("encoder.codec: h264_vaapi", "the GPU encodes, as far as it can", free, at_most=True)
        yield from _smaller(costs, facts)


def _smaller(costs: Costs, facts: Facts) -> Iterator[Change]:
    """A smaller picture is cheaper from where it is made small; scaling itself is not counted."""
    width, height = facts.size
    if width * height > _SMALL:
        small = (1280, 720) if width * height > 1280 * 720 else (width // 4 * 2, height // 4 * 2)
        share = small[0] * small[1] / (width * height)
        after = {name: costs.stages[name] * share for name in ("composite", "encode")}
        yield Change(f"video.size: {small[0]}x{small[1]}", "fewer pixels put out", _gain(costs, after), at_most=True)


def _gain(costs: Costs, after: dict[str, float], *, fps: float | None = None) -> float:
    """Streams after by streams before, when the steps in ``after`` cost that many ms instead, at ``fps`` at most."""
    stages = costs.stages | after
    saved = sum(costs.stages.values()) - sum(stages.values())
    changed = Costs(stages, costs.whole - saved, costs.fps)
    return costs.per_second() / changed.per_second(fps)
