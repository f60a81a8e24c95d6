"""What was measured, as text and as JSON."""

from __future__ import annotations

from typing import Any

from edgeseg.benchmark.advice import Change
from edgeseg.benchmark.chart import rate_name
from edgeseg.benchmark.figures import FLOOR, STAGES, Capacity, Trial
from edgeseg.benchmark.job import Result, StreamResult
from edgeseg.config.schema import StreamConfig
from edgeseg.redact import redact, redact_url
from edgeseg.table import table

_MB = 1e6
# A core's share that is worth a word when somebody else takes it.
_BUSY = 0.1


def text(result: Result) -> str:
    """For people."""
    head = f"{result.processor or 'this machine'}; cores: {result.cores:g}, load before: {result.load_before:.1f}"
    parts = [head + "\n", *(_stream_text(stream) for stream in result.streams), _capacity_text(result)]
    parts += [_advice_text(stream, result) for stream in result.streams]
    if result.others > _BUSY * result.cores:
        parts.append(
            f"other programs kept {result.others:.1f} cores busy meanwhile: on an idle machine the figures are better\n"
        )
    return "\n".join(parts)


def _stream_text(result: StreamResult) -> str:
    costs, played = result.costs, result.played
    rows = [[name, f"{costs.stages[name]:.2f}", f"{costs.stages[name] / costs.whole:.0%}"] for name in STAGES]
    rows += [["rest", f"{costs.rest:.2f}", f"{costs.rest / costs.whole:.0%}"]]
    rows += [["whole", f"{costs.whole:.2f}", "100%"]]
    rows += [["floor", f"{costs.floor:.2f}", f"{costs.floor / costs.whole:.0%}"]]
    return (
        f"{played.name}: {source_name(played.stream)}{f' ({played.made})' if played.made else ''}, "
        f"{played.width}x{played.height} at {played.source_fps:.4g} a second\n"
        f"  {_made_of(result)}\n"
        f"  CPU ms for each picture; the floor is {' + '.join(FLOOR)}\n"
        + "".join(f"    {line}\n" for line in table(["stage", "ms", "share"], rows).splitlines())
        + ("  the rest is below 0, so the machine was not steady: try more --seconds\n" if costs.rest < 0 else "")
    )


def source_name(stream: StreamConfig) -> str:
    """The source without secrets."""
    if stream.source.kind == "test":
        return "the test pattern, which has nobody in it"
    return redact_url(stream.source.url) or stream.source.kind


def _made_of(result: StreamResult) -> str:
    stream, (width, height) = result.played.stream, result.played.size
    encoder = f"{stream.encoder.codec} {stream.encoder.preset or stream.encoder.profile}"
    model = redact(stream.model.name.rsplit("/", 1)[-1])
    return f"{model} on {result.device}, {stream.effect.type}, {encoder}, {width}x{height} at {result.costs.fps:.4g}"


def _capacity_text(result: Result) -> str:
    rows = [_capacity_row(capacity, result) for capacity in result.capacities]
    names = ["streams", "estimated", "carried", "CPU", "memory", "too many", "which gave"]
    lines = ["how many of these streams this machine carries, each recorded and not published\n"]
    lines += [f"    {line}\n" for line in table(names, rows).splitlines()]
    for capacity in result.capacities:
        at = rate_name(capacity, result)
        if capacity.limited_otherwise(result.cores):
            trial = capacity.too_many
            assert trial is not None
            lines.append(
                f"  {at}, {trial.count} were too many with {trial.cpu:.1f} of {result.cores:g} cores busy: not the "
                "processor is the limit, but one step of a stream, or the model's device\n"
            )
        if capacity.carried is not None and capacity.too_many is None:
            why = (
                "memory for more is not free" if capacity.carried.count >= capacity.most else "it was tried no further"
            )
            lines.append(f"  {at}, it may be more: {why}\n")
    return "".join(lines)


def _capacity_row(capacity: Capacity, result: Result) -> list[str]:
    carried, failed = capacity.carried, capacity.too_many
    held = [str(carried.count), f"{carried.cpu:.2f} cores", f"{carried.pss / _MB:.0f} MB"] if carried else ["0", "", ""]
    beyond = [str(failed.count), f"{failed.share:.0%} of its rate"] if failed else ["", ""]
    return [rate_name(capacity, result), f"{capacity.estimated:.1f}", *held, *beyond]


def _advice_text(stream: StreamResult, result: Result) -> str:
    advice = stream.advice
    what = "the daemon around the stages takes" if advice.bottleneck == "rest" else f"{advice.bottleneck} takes"
    lines = [f"{stream.played.name}: {what} most, {advice.share:.0%}. Estimated from the stages above:\n"]
    before = result.cores * 1000 / stream.costs.per_second()
    lines += [f"  {_change_text(change, before)}\n" for change in advice.changes]
    if not advice.changes:
        lines = [f"{stream.played.name}: {what} most, {advice.share:.0%}; no setting is known that would help\n"]
    return "".join(lines)


def _change_text(change: Change, before: float) -> str:
    most = "at most " if change.at_most else ""
    return f"{change.what}: {before:.1f} -> {most}{before * change.gain:.1f} streams ({change.why})"


def json_of(result: Result) -> dict[str, Any]:
    """The same for programs."""
    return {
        "processor": result.processor,
        "cores": result.cores,
        "load_before": result.load_before,
        "seconds": result.seconds,
        "others_cores": result.others,
        "streams": [_stream_json(stream, result) for stream in result.streams],
        "capacity": [_capacity_json(capacity, result) for capacity in result.capacities],
    }


def _stream_json(result: StreamResult, whole: Result) -> dict[str, Any]:
    costs, played, advice = result.costs, result.played, result.advice
    before = whole.cores * 1000 / costs.per_second()
    return {
        "name": played.name,
        "source": source_name(played.stream),
        "played": played.made or "as it is",
        "width": played.width,
        "height": played.height,
        "source_fps": played.source_fps,
        "fps": costs.fps,
        "size": list(played.size),
        "model": redact(played.stream.model.name.rsplit("/", 1)[-1]),
        "device": result.device,
        "effect": played.stream.effect.type,
        "encoder": played.stream.encoder.codec,
        "cpu_ms": {**costs.stages, "rest": costs.rest, "whole": costs.whole, "floor": costs.floor},
        "bottleneck": advice.bottleneck,
        "advice": [
            {
                "change": change.what,
                "why": change.why,
                "streams_before": before,
                "streams_after": before * change.gain,
                "at_most": change.at_most,
                "estimated": True,
            }
            for change in advice.changes
        ],
    }


def _capacity_json(capacity: Capacity, result: Result) -> dict[str, Any]:
    return {
        "fps": capacity.fps,
        "estimated": capacity.estimated,
        "carried": capacity.carried.count if capacity.carried else 0,
        "too_many": capacity.too_many.count if capacity.too_many else None,
        "limited_by_processor": not capacity.limited_otherwise(result.cores),
        "trials": [_trial_json(trial) for trial in capacity.trials],
    }


def _trial_json(trial: Trial) -> dict[str, Any]:
    return {
        "streams": trial.count,
        "held": trial.held,
        "share": trial.share,
        "slowest_fps": trial.slowest,
        "cpu_cores": trial.cpu,
        "others_cores": trial.others,
        "pss_bytes": trial.pss,
        "seconds": trial.seconds,
    }
