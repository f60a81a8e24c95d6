"""The benchmark counts what it says it counts. No test asserts a speed."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from edgeseg.encoding.command import EncoderSettings, encode_command
from edgeseg.encoding.matroska import RawFormat
from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.service.metrics import build_registry, exposition
from edgeseg.status import DaemonStatus, LatestFrame, StreamStatus
from edgeseg.types import Colour
from tests.equipment.write_clip import blank, write_clip

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Gives the scripts' modules by name, as they find one another when run."""
    monkeypatch.syspath_prepend(str(BENCH))

    def module(name: str) -> ModuleType:
        return import_module(name)

    return module


def test_starting_costs_cancel_out(bench: Any) -> None:
    starting_s, frame_s = 3.0, 0.016

    def run(frames: int) -> tuple[int, float]:
        return frames, starting_s + frames * frame_s

    assert bench("cost").slope_ms(run(60), run(600)) == pytest.approx(16.0)
    with pytest.raises(ValueError, match="not longer"):
        bench("cost").slope_ms(run(60), run(60))


def test_cpu_of_grandchildren_is_counted(bench: Any) -> None:
    burn = "import time\nwhile time.process_time() < 0.15: pass"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}], check=True)"
    assert 0.15 <= bench("cost").run([sys.executable, "-c", parent]) < 5


def test_the_clocks_and_the_memory_of_other_processes_are_read(bench: Any) -> None:
    processes = bench("processes")
    burn = "import sys, time\nwhile time.process_time() < 0.1: pass\nprint(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert processes.tree(child.pid) == [child.pid]
        assert child.pid in processes.tree(os.getpid())
        assert 0.1 <= processes.cpu_s(child.pid) < 5
        assert processes.memory(child.pid).rss >= processes.memory(child.pid).pss > 1_000_000
        assert processes.role(child.pid) == "daemon"
        child.communicate()
    assert (processes.cpu_s(child.pid), processes.memory(child.pid).rss, processes.role(child.pid)) == (0, 0, "")


def test_a_command_that_fails_is_no_measurement(bench: Any) -> None:
    cost = bench("cost")
    with pytest.raises(cost.MeasurementError, match=r"ended with 3: no camera"):
        cost.run([sys.executable, "-c", "import sys; print('no camera', file=sys.stderr); sys.exit(3)"])
    with pytest.raises(cost.MeasurementError, match="ended with -9"):
        cost.run(["sleep", "60"], timeout_s=0.1)


def test_skipped_pictures_are_no_measurement(bench: Any, tmp_path: Path) -> None:
    cost, target = bench("cost"), tmp_path / "five.flv"
    source = ["-f", "lavfi", "-i", "color=size=64x64", "-frames:v", "5", str(target)]
    subprocess.run([find_ffmpeg(), "-nostdin", "-v", "error", *source], check=True, capture_output=True)
    cost.check_frames([target], 5)
    cost.check_frames([target, target], 10)
    with pytest.raises(cost.MeasurementError, match="5 pictures came out where 6 went in"):
        cost.check_frames([target], 6)


@pytest.mark.parametrize("size", ["720p", "1080p"])
def test_all_three_encode_with_the_settings_of_the_daemon(bench: Any, tmp_path: Path, size: str) -> None:
    clips = bench("clips")
    width, height = clips.SIZES[size]
    raw = RawFormat(width, height, clips.FPS, Colour())
    daemons = encode_command(EncoderSettings("ffmpeg"), raw)
    clip = clips.Clip(tmp_path / "clip.mp4", size, 20, 3)
    usual = bench("usual_loop").pipe_command("ffmpeg", size, "out.flv")
    least = bench("floor").command("ffmpeg", clip, tmp_path / "out.flv")
    strict = bench("floor").composited_command("ffmpeg", clip, tmp_path / "composited.yuv", tmp_path / "out.flv")
    wanted = daemons[daemons.index("0:v:0") + 1 : daemons.index("pipe:1")]
    assert wanted[wanted.index("-vcodec") + 1] == "libx264"
    for command in (usual, least, strict):
        assert command[-len(wanted) - 1 : -1] == wanted


def _row(report: Any, *ms: float, infer: float = 2.0, held_up_s: float = 0.0) -> Any:
    """Runs of 100 and 200 frames, and one second for the start; the short ones were held up for a while."""
    pairs = [report.Pair((100, 1 + 0.1 * each + held_up_s), (200, 1 + 0.2 * each)) for each in ms]
    return report.Row(*pairs, infer)


def test_medians_and_ratios(bench: Any) -> None:
    report = bench("e2e_report")
    values = [(20.0, 40.0, 14.0, 8.0), (18.0, 44.0, 13.0, 7.0), (90.0, 42.0, 16.0, 9.0)]
    rows = [_row(report, *row) for row in values]
    figures = report.summary(rows, rows)
    wanted = {"ours": 20.0, "usual": 42.0, "floor": 16.0, "ratio_floor": 1.25, "ratio_usual": 0.476}
    wanted |= {"floor_composited": 10.0, "ratio_floor_composited": 2.0}
    least = {"ours": 18.0, "usual": 40.0, "floor": 15.0, "ratio_floor": 1.2, "ratio_usual": 0.45}
    least |= {"floor_composited": 9.0, "ratio_floor_composited": 2.0}
    assert figures == {**wanted, **{f"{name}_least": value for name, value in least.items()}}
    lucky = _row(report, 20.0, 40.0, 14.0, 8.0, held_up_s=0.5)
    assert lucky.ours.ms == pytest.approx(15)
    assert report.summary([*rows, lucky], rows)["ours_least"] == 18.0
    other = [_row(report, *row, infer=3.0) for row in values]
    assert report.summary(rows, other)["floor"] == 17.0
    cells = report.nested({("720p", "blur"): figures, ("1080p", "blur"): figures})
    assert cells == {"720p": {"blur": figures}, "1080p": {"blur": figures}}


class _View:
    def __init__(self, status: StreamStatus) -> None:
        self.status, self.latest = status, LatestFrame()

    def subscribe(self, subscriber: object) -> None: ...

    def unsubscribe(self, subscriber: object) -> None: ...


def _scraped(ours: ModuleType, frames: int, stage_s: float) -> Any:
    status = StreamStatus("bench")
    status.count("encode", "out", frames)
    status.count("encode", "in", frames + 3)
    for _ in range(frames):
        status.stage("infer").observe(stage_s)
    registry = build_registry({"bench": _View(status)}, DaemonStatus("1"))
    return ours.parse(exposition(registry).decode())


def test_the_stage_table_is_read_from_the_daemons_metrics(bench: Any) -> None:
    ours = bench("ours")
    first, last = _scraped(ours, 100, 0.002), _scraped(ours, 300, 0.004)
    assert (first.frames, last.frames) == (100, 300)
    assert last.own_cpu_s >= first.own_cpu_s > 0
    rows = ours.breakdown([ours.Scrape(0, 0, 0, {}), first, last])
    assert rows["infer"] == pytest.approx(4.0)
    assert rows["cpu_daemon"] == pytest.approx((last.own_cpu_s - first.own_cpu_s) / 200 * 1000)
    assert ours.breakdown([]) == {}


def _results(**more: Any) -> dict[str, Any]:
    facts = dict.fromkeys(("cores", "python", "openvino", "opencv", "av", "ffmpeg"), "x")
    machine = {"cpu": "Some(R) CPU @ 2.50GHz", **facts, "load_before": "0.1"}
    return {"machine": machine, "date": "2026-01-31", "clip": "clip.mp4", "rounds": 3, **more}


def test_saving_replaces_the_tables_and_nothing_else(bench: Any, tmp_path: Path) -> None:
    report, e2e_report = bench("report"), bench("e2e_report")
    shipped = (BENCH.parent / "docs" / "performance.md").read_text()
    page, folder = tmp_path / "performance.md", tmp_path / "results"
    page.write_text(shipped)
    figures = {"ours": 1.25, "usual": 5.0, "floor": 1.0, "ratio_floor": 1.25, "ratio_usual": 0.25}
    figures |= {"floor_composited": 0.8, "ratio_floor_composited": 1.56}
    figures |= {f"{name}_least": value for name, value in figures.items()}
    stages = {"720p": {"blur": {"infer": 2.0}}, "1080p": {"blur": {}}}
    results = _results(results={"720p": {"blur": figures}}, stages=stages)
    report.save("e2e", results, e2e_report.text(results), page=page, folder=folder)
    once = page.read_text()
    report.save("e2e", results, e2e_report.text(results), page=page, folder=folder)
    assert page.read_text() == once
    assert "| 720p | blur   | 1.2" in once
    assert once.split(report.begin("e2e"))[0] == shipped.split(report.begin("e2e"))[0]
    assert once.split(report.end("e2e"))[1] == shipped.split(report.end("e2e"))[1]
    assert json.loads((folder / "e2e-some-cpu-2-50ghz.json").read_text()) == results


def test_a_busy_machine_is_told_of(bench: Any) -> None:
    report, results = bench("report"), _results()
    assert "2026-01-31" in report.about(results)
    assert report.BUSY_NOTE not in report.about(results)
    busy = results | {"machine": results["machine"] | {"load_before": "3.0"}}
    assert report.BUSY_NOTE in report.about(busy)


@pytest.mark.parametrize("name", ["e2e", "stages", "streams", "latency", "start", "rest", "paced"])
def test_there_is_a_place_for_what_is_saved(bench: Any, name: str, tmp_path: Path) -> None:
    report = bench("report")
    assert report.has_place(name)
    (tmp_path / "other.md").write_text(report.begin(name))
    assert not report.has_place(name, tmp_path / "other.md")


def test_each_step_is_counted_once(bench: Any) -> None:
    """What the threads and children of a daemon took between two looks, by step."""
    stages = bench("stages")
    threads = ("source", "worker", "encoder:write", "encoder:read", "publish", "record")
    steps = ("decode", "sample", "infer", "mask", "composite")

    def look(frames: int) -> dict[str, Any]:
        return {
            "frames": frames,
            "process": 1 + frames * 0.041,
            "watch": frames * 0.001,
            "threads": {f"bench:{name}": 1 + frames * 0.005 for name in threads} | {"inference": frames * 0.006},
            "children": dict.fromkeys(("encoder", "publisher", "recorder"), 1 + frames * 0.003),
            "steps": {f"bench:{name}": frames * 0.001 for name in steps},
        }

    looks = [look(0), look(stages._WARM), look(120), look(200 - stages._END), look(200)]
    first, last = stages.window(looks, 200)
    assert (first["frames"], last["frames"]) == (stages._WARM, 200 - stages._END)
    figures = stages.steps(first, last)
    assert figures["decode"] == pytest.approx(1)
    assert figures["read, rest"] == pytest.approx(4)
    assert figures["infer"] == pytest.approx(7)
    assert figures["work, rest"] == pytest.approx(1)
    assert figures["native threads"] == pytest.approx(4)
    assert sum(figures.values()) == pytest.approx(6 * 5 + 6 + 3 * 3 + 4)
    with pytest.raises(bench("cost").MeasurementError, match="longer clip"):
        stages.window(looks[-1:], 200)


def test_the_benchmark_needs_nothing_of_the_tests() -> None:
    """But for what compares with the slow reference, which is the tests'."""
    files = [file for file in sorted(BENCH.glob("*.py")) if file.stem not in ("exactness", "sampling")]
    assert files
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] in ("tests", "pytest")], file


@pytest.mark.parametrize("effect", ["replace", "blur"])
def test_what_the_strict_floor_encodes_is_made_by_the_daemons_own_stages(
    bench: Any, effect: str, tmp_path: Path
) -> None:
    clips = bench("clips")
    write_clip(tmp_path / "room.mp4", [(Fraction(n, 25), blank(320, 192)) for n in range(3)])
    clips.render(clips.Clip(tmp_path / "room.mp4", "720p", 3, 1), effect, tmp_path / "room.yuv")
    assert (tmp_path / "room.yuv").stat().st_size == 3 * 320 * 192 * 3 // 2
    luma = (tmp_path / "room.yuv").read_bytes()[: 320 * 192]
    assert (abs(luma[len(luma) // 2] - 110) <= 2) == (effect == "blur")  # nobody is there: all of it is green, or grey


def test_delays_are_told_by_part(bench: Any) -> None:
    latency = bench("latency")
    sent = {ms: 10 + ms / 1000 for ms in (0, 33, 67)}
    times = {"captured": 10.005, "composited": 10.025, "out": 10.04}
    frames = [{"ms": 0, **times}, {"ms": 34, **{name: at + 0.034 for name, at in times.items()}}]
    header = {"ms": 0, "captured": None, "composited": None, "out": 10.0}
    found = latency.delays([header, *frames], sent)
    assert found["sent to captured"] == pytest.approx([5, 6])
    assert found["captured to composited"] == pytest.approx([20, 20])
    assert found["captured to out"] == pytest.approx([35, 35])
    with pytest.raises(bench("cost").MeasurementError, match="100 ms"):
        latency.delays([{"ms": 100, **times}], sent)


def test_percentiles_and_their_histogram(bench: Any) -> None:
    latency = bench("latency")
    assert latency.percentiles([float(n) for n in range(1, 102)]) == {"p50": 51, "p90": 91, "p99": 100, "max": 101}
    assert latency.histogram([0.5, 1.9, 2.0, 7.1]) == [2, 1, 0, 1]
    assert latency.histogram([0.5, 1e6])[-1] == 1


def test_memory_is_what_is_held_in_the_second_half(bench: Any) -> None:
    memory = bench("streams").Memory([{"daemon_rss": n * 1_000_000} for n in (10, 20, 30, 40, 50, 60)])
    assert memory.megabytes() == {"daemon_rss": 50}
    with pytest.raises(bench("cost").MeasurementError, match="had ended"):
        bench("streams").Memory().megabytes()


def test_charts_are_drawn_of_what_was_saved(bench: Any, tmp_path: Path) -> None:
    charts, stages = bench("charts"), bench("stages")
    names = {step for _, _, steps in charts.PARTS for step in steps} | {name for name, _ in charts.FLOOR}
    cell = dict.fromkeys(names, 1.5)
    row = {"cpu_ms": 7.0, "daemon_rss": 300.0, "all_pss": 400.0}
    delays = {"p50": 34.0, "p99": 61.0}
    found = {
        "stages": {"results": {"720p": {"blur": cell}}, "targets": stages.TARGETS},
        "e2e": {"results": {"720p": {"blur": {"usual": 61.5}}}},
        "streams": {"streams": {"1": row, "2": row}, "pixels": {"360p": {"pixels": 230400, **row}}},
        "latency": {
            "bucket_ms": 2,
            "results": [
                {"size": "720p", "effect": "blur", "pictures": 3, "histogram": [1, 2], "parts": {"sent to out": delays}}
            ],
        },
    }
    drawn = charts.charts(found)
    assert len(drawn) == 5
    for svg in drawn.values():
        ET.fromstring(svg)
    assert ">61.5<" in drawn["cpu-by-stage.svg"]
    assert ">p99 61 ms<" in drawn["latency.svg"]
    assert charts.charts({}) == {}
