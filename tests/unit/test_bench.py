"""The benchmark counts what it says it counts. No test asserts a speed."""

from __future__ import annotations

import ast
import subprocess
import sys
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

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
    daemons = encode_command(EncoderSettings("ffmpeg", preset="superfast"), raw)
    clip = clips.Clip(tmp_path / "clip.mp4", size, 20, 3)
    usual = bench("usual_loop").pipe_command("ffmpeg", size, "out.flv")
    least = bench("floor").command("ffmpeg", clip, tmp_path / "out.flv")
    strict = bench("floor").composited_command("ffmpeg", clip, tmp_path / "composited.yuv", tmp_path / "out.flv")
    wanted = daemons[daemons.index("0:v:0") + 1 : daemons.index("pipe:1")]
    assert wanted[wanted.index("-vcodec") + 1] == "libx264"
    for command in (usual, least, strict):
        assert command[-len(wanted) - 1 : -1] == wanted


def test_medians_and_ratios(bench: Any) -> None:
    report = bench("report")
    values = [(20.0, 40.0, 14.0, 8.0, 2.0), (18.0, 44.0, 13.0, 7.0, 2.0), (90.0, 42.0, 16.0, 9.0, 2.0)]
    figures = report.summary([report.Row(*row) for row in values])
    wanted = {"ours": 20.0, "usual": 42.0, "floor": 16.0, "ratio_floor": 1.25, "ratio_usual": 0.476}
    assert figures == {**wanted, "floor_composited": 10.0, "ratio_floor_composited": 2.0}
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


def test_saving_replaces_the_tables_and_nothing_else(bench: Any, tmp_path: Path) -> None:
    report = bench("report")
    shipped = (BENCH.parent / "docs" / "performance.md").read_text()
    page = tmp_path / "performance.md"
    page.write_text(shipped)
    figures = {"ours": 1.25, "usual": 5.0, "floor": 1.0, "ratio_floor": 1.25, "ratio_usual": 0.25}
    figures |= {"floor_composited": 0.8, "ratio_floor_composited": 1.56}
    results: dict[str, Any] = {
        "machine": {
            **dict.fromkeys(("cpu", "cores", "python", "openvino", "opencv", "av", "ffmpeg"), "x"),
            "load_before": "0.1",
        },
        "clip": "clip.mp4",
        "rounds": 3,
        "results": {"720p": {"blur": figures}},
        "stages": {"720p": {"blur": {"infer": 2.0}}, "1080p": {"blur": {}}},
    }
    report.save(results, page)
    once = page.read_text()
    report.save(results, page)
    assert page.read_text() == once
    assert "| 720p | blur   | 1.2" in once
    assert report.BUSY_NOTE not in once
    assert report.BUSY_NOTE in report.tables(results | {"machine": results["machine"] | {"load_before": "3.0"}})
    assert once.split(report.BEGIN)[0] == shipped.split(report.BEGIN)[0]
    assert once.split(report.END)[1] == shipped.split(report.END)[1]


def test_the_benchmark_needs_nothing_of_the_tests() -> None:
    files = sorted(BENCH.glob("*.py"))
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
