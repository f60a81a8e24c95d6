"""``edgeseg bench model`` on a model of a few pixels."""

from __future__ import annotations

import argparse
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseg.commands import bench as command
from edgeseg.errors import EXIT_MODEL, EXIT_USAGE, EdgesegError, InferenceError, ModelError, UsageError
from edgeseg.evaluate import timing
from edgeseg.evaluate.candidates import Candidate, candidates
from edgeseg.evaluate.operators import profile
from edgeseg.recipes import load_recipe
from edgeseg.types import U8, Recipe
from tests.fakes_backend import StubBackend
from tests.tiny_models import HEIGHT, WIDTH, bright_model

QUICK = ("--seconds", "0.05")


def run(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(["model", *map(str, arguments)]))


def figures(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    assert run(*arguments, *QUICK, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_times_of_each_device(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = figures(capsys, bright_model(tmp_path / "bright"), "--streams", 2)
    assert (found["model"], found["width"], found["height"]) == ("bright", WIDTH, HEIGHT)
    assert found["cores"] >= 1
    assert "CPU" in found["devices"]
    row = next(row for row in found["results"] if row["device"] == "CPU")
    assert row["backend"] == "openvino"
    assert row["inferences"] > 3
    assert 0 < row["median_ms"] <= row["p90_ms"] <= row["p99_ms"]
    assert row["median_ms"] * row["inferences"] < 5000
    assert row["load_ms"] > row["median_ms"]
    assert row["first_ms"] > 0
    assert row["cpu_ms"] > 0
    assert row["streams"] == 2
    assert row["per_second"] > 1


def test_options_before_the_subject_count_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    bright = str(bright_model(tmp_path / "bright"))
    assert command.run(parser.parse_args(["--json", "--seconds", "0.5", "model", bright, "--device", "CPU"])) == 0
    assert json.loads(capsys.readouterr().out)["model"] == "bright"


def test_a_table_with_aligned_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bright = bright_model(tmp_path / "bright")
    assert run(bright, *QUICK, "--device", "CPU", "--against", bright / "model.xml", "--streams", 1) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("bright, 32x16; cores: ")
    assert "load before: " in lines[0]
    assert lines[1].startswith("CPU: ")
    assert "with 1 at a time" in lines[2]
    head, *rows = lines[3:]
    assert head.split()[:9] == ["backend", "device", "file", "load", "first", "median", "p90", "p99", "CPU"]
    assert [row.split()[:3] for row in rows] == [["openvino", "CPU", "model.xml"]] * 2
    assert {len(row) for row in rows} == {len(head)}


def test_time_per_operator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bright = bright_model(tmp_path / "bright", width=256, height=256)
    found = figures(capsys, bright, "--device", "CPU", "--ops")["operators"]["CPU"]
    assert found["runs"] >= 5
    assert found["total_ms"] == pytest.approx(sum(node["ms"] for node in found["nodes"]))
    assert found["total_ms"] == pytest.approx(sum(kind["ms"] for kind in found["operators"]))
    assert found["total_ms"] > 0
    assert sum(kind["nodes"] for kind in found["operators"]) == len(found["nodes"])
    times = [node["ms"] for node in found["nodes"]]
    assert times == sorted(times, reverse=True)
    assert "ReduceMean" in {kind["operator"] for kind in found["operators"]}

    assert run(bright, *QUICK, "--device", "CPU", "--ops") == 0
    printed = capsys.readouterr().out
    assert "time per operator on CPU: " in printed
    assert "nodes that took most\nnode" in printed
    assert "jit_" in printed or "ref" in printed


def test_a_profile_agrees_with_the_clock(tmp_path: Path) -> None:
    """Of 512x512 pixels the nodes take most of the time that an inference does."""
    candidate = Candidate(load_recipe(bright_model(tmp_path / "bright", width=512, height=512)), "openvino", "CPU")
    (timed,) = timing.measure([candidate], 0.1, 1, unexpected)
    nodes = profile(candidate.recipe, "CPU", "auto", 0.1)
    assert 0.2 < nodes.total_ms / timed.median_ms < 5


def unexpected(candidate: Candidate, exc: EdgesegError) -> None:
    raise AssertionError(str(exc)) from exc


def test_what_there_is_to_compare(tmp_path: Path) -> None:
    recipe = load_recipe(bright_model(tmp_path / "bright"))
    assert [(one.backend, one.device) for one in candidates(recipe, devices=["CPU", "GPU"])] == [
        ("openvino", "CPU"),
        ("openvino", "GPU"),
    ]
    assert all(one.asked_for for one in candidates(recipe, devices=["CPU", "GPU"]))
    assert [one.device for one in candidates(recipe) if one.asked_for] == ["CPU"]

    other = tmp_path / "other.onnx"
    other.write_bytes(b"any")
    found = candidates(recipe, devices=["CPU"], against=[other])
    assert [(one.backend, one.file, one.asked_for) for one in found][1:] == [("onnx", "other.onnx", True)]

    (tmp_path / "bright" / "model.tflite").write_bytes(b"any")
    found = candidates(recipe, devices=["CPU"])
    assert [(one.backend, one.file, one.asked_for) for one in found][1:] == [("litert", "model.tflite", False)]
    assert found[1].recipe.width == recipe.width
    found = candidates(recipe, devices=["CPU"], against=[tmp_path / "bright" / "model.tflite"])
    assert len(found) == 2, "a file that was asked for is not taken twice"
    with pytest.raises(UsageError, match=r"--against: .*absent\.onnx does not exist"):
        candidates(recipe, against=[tmp_path / "absent.onnx"])


def test_one_that_was_only_found_may_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bright = bright_model(tmp_path / "bright")
    (bright / "model.onnx").write_bytes(b"no model")
    assert run(bright, "--device", "CPU", *QUICK) == 0
    said = capsys.readouterr()
    assert said.err.startswith("onnx AUTO model.onnx: left out: ")
    assert said.err.count("\n") == 1
    assert "model.onnx" not in said.out
    with pytest.raises(EdgesegError, match="onnx"):
        run(bright, "--device", "CPU", *QUICK, "--against", bright / "model.onnx")


def test_models_and_devices_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model is called 'selfi'") as caught:
        run("selfi")
    assert caught.value.exit_code == EXIT_MODEL
    bright = bright_model(tmp_path / "bright")
    with pytest.raises(ModelError, match=r"no device 'TPU' on this machine \(available: .*CPU"):
        run(bright, "--device", "TPU", *QUICK)
    with pytest.raises(UsageError, match="no backend is called 'nonsense'"):
        run(bright, "--backend", "nonsense", *QUICK)
    with pytest.raises(UsageError, match="--ops: only OpenVINO tells the time per operator"):
        run(bright, "--backend", "nonsense", "--ops", *QUICK)


@pytest.mark.parametrize(
    "arguments",
    [("--seconds", "0"), ("--seconds", "x"), ("--seconds", "inf"), ("--streams", "0"), ("--precision", "i4")],
    ids=str,
)
def test_options_that_cannot_be(arguments: tuple[str, ...]) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(["model", "any", *arguments])
    assert caught.value.code == EXIT_USAGE


class Clock:
    """Stands for the ``time`` module: moves on only when somebody works."""

    def __init__(self) -> None:
        self._now_ms = 0
        self._lock = threading.Lock()

    def pass_ms(self) -> None:
        with self._lock:
            self._now_ms += 1

    def perf_counter(self) -> float:
        return self._now_ms / 1000

    process_time = perf_counter


class Counting(StubBackend):
    """Takes a millisecond of the clock that it is given, counts its calls, and fails from one of them on."""

    def __init__(self, clock: Clock, fails_after: int | None = None) -> None:
        super().__init__()
        self._clock = clock
        self.calls = 0
        self.closed = False
        self._fails_after = fails_after

    def infer(self, tensor: U8) -> U8:
        self.calls += 1
        self._clock.pass_ms()
        if self._fails_after is not None and self.calls > self._fails_after:
            raise InferenceError("it gave up")
        return super().infer(tensor)

    def close(self) -> None:
        super().close()
        self.closed = True


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return load_recipe(bright_model(tmp_path / "bright"))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Counting]:
    """Backends in the order in which they are opened. Those of "early" give up at once, of "late" only with others."""
    made: list[Counting] = []
    clock = Clock()
    monkeypatch.setattr(timing, "time", clock)

    def open_chosen(recipe: Recipe, name: str, device: str, **options: object) -> Counting:
        gives_up = name == "early" or (name == "late" and made)
        made.append(Counting(clock, 2 if gives_up else None))
        made[-1].load(recipe, device)
        return made[-1]

    monkeypatch.setattr("edgeseg.evaluate.candidates.open_chosen", open_chosen)
    return made


def test_every_call_is_counted_and_every_backend_closed(recipe: Recipe, opened: list[Counting]) -> None:
    candidate = Candidate(recipe, "good", "CPU")
    timed = timing.measure([candidate, candidate], 0.6, 3, unexpected)
    assert len(opened) == 2 + 2 * 3
    for index, result in enumerate(timed):
        assert opened[index].calls == result.inferences + 4  # the first one, and three to warm up
        together = opened[2 + 3 * index : 5 + 3 * index]
        assert sum(one.calls - 1 for one in together) >= 600
        assert result.per_second == pytest.approx(1000)
        assert (result.first_ms, result.load_ms) == (pytest.approx(1), 0)
        assert (result.median_ms, result.p99_ms, result.cpu_ms) == pytest.approx((1, 1, 1))
    assert all(one.closed for one in opened)


@pytest.mark.parametrize("name", ["early", "late"])
def test_a_model_that_gives_up_ends_the_measurement(recipe: Recipe, opened: list[Counting], name: str) -> None:
    with pytest.raises(InferenceError, match="it gave up"):
        timing.measure([Candidate(recipe, name, "CPU")], 0.02, 2, unexpected)
    assert all(one.closed for one in opened)


def test_the_picture_is_always_the_same(recipe: Recipe) -> None:
    one, other = (timing.noise(Candidate(recipe, "any")) for _ in range(2))
    assert one.shape == (1, HEIGHT, WIDTH, 3)
    np.testing.assert_array_equal(one, other)
