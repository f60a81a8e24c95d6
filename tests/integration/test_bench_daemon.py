"""The benchmarks that drive a daemon do run, and say what they should. No test asserts a speed."""

from __future__ import annotations

import math
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from edgeseg.ffmpeg import find_ffmpeg

BENCH = Path(__file__).resolve().parents[2] / "bench"
CLIP = BENCH.parent / "demo" / "clip.mp4"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Gives the scripts' modules by name, as they find one another when run; their pictures are small."""
    monkeypatch.syspath_prepend(str(BENCH))
    clips = import_module("clips")
    for sizes in (clips.SIZES, clips.ALL_SIZES):
        for name in sizes:
            monkeypatch.setitem(sizes, name, (320, 180))
    return import_module


@pytest.fixture
def setting(bench: Any, tmp_path: Path) -> Any:
    return bench("script").Setting(find_ffmpeg(), CLIP, 1, True, tmp_path)


def test_the_steps_of_a_daemon_are_seen(bench: Any, setting: Any) -> None:
    stages = bench("stages")
    figures = stages.Cell(setting, "720p", "blur").measure(bench("floor").Inference())
    for name in ("decode", "infer", "encode", "sample", "mask", "composite", "hub", "publisher", "recorder", "ours"):
        assert figures[name] > 0, name
    assert figures["all"] > figures["ours"]
    assert "| composite " in stages.text({"targets": stages.TARGETS, "results": {"720p": {"blur": figures}}})


def test_more_streams_are_counted_together(bench: Any, setting: Any, monkeypatch: Any) -> None:
    streams = bench("streams")
    monkeypatch.setattr(streams, "_TURN", 20)
    figures = streams.measure_one(setting, "360p", 2)
    # Twenty pictures more are not much beside two starts on a busy machine: which of both runs took longer is not said.
    assert math.isfinite(figures["cpu_ms"])
    assert figures["all_rss"] > figures["daemon_rss"] > figures["daemon_pss"] > 20


def test_a_picture_is_followed_from_the_camera_to_the_hub(bench: Any, setting: Any, monkeypatch: Any) -> None:
    latency = bench("latency")
    monkeypatch.setattr(latency, "_WARM_S", 1.5)
    found, sent, came = latency.run(setting, "720p", "replace", 1.5)
    assert 0 < came <= sent
    for part in latency.PARTS:
        assert len(found[part]) == came
    whole = [sum(parts) for parts in zip(*(found[part] for part in latency.PARTS[:3]), strict=True)]
    assert found["sent to out"] == pytest.approx(whole)
    assert min(found["sent to captured"]) > 0


def test_the_first_picture_arrives_at_a_server(bench: Any, setting: Any) -> None:
    start = bench("start")
    figures = start.run(setting, {"url": str(CLIP), "audio": False}, False, inside=True)
    steps = ("import to", "build the daemon to", "open the source to", "captured", "out", "published")
    times = [figures[step] for step in steps]
    assert times == sorted(times)
    assert start.text(
        {"targets": {"published_s": 2}, "results": [{"source": "file", "cache": True, **_twice(figures)}]}
    )


def _twice(figures: dict[str, float]) -> dict[str, float]:
    return figures | {"published inside": figures["published"]}


def test_a_slate_is_what_a_daemon_at_rest_costs(bench: Any, setting: Any, monkeypatch: Any) -> None:
    rest = bench("rest")
    monkeypatch.setattr(rest, "_SETTLE_S", 4.5)
    monkeypatch.setattr(rest, "_QUICK_S", 1.0)
    figures = rest.measure_one(setting, rest.CASES[0])
    assert figures["encoder"] > 0
    assert figures["all"] == pytest.approx(sum(figures.values()) - figures["all"])
