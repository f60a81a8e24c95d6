"""The verdict on an int8 model: what is measured, what is kept, and that nothing else changes. nncf itself is asked in
``tests/e2e/test_int8.py``; here other small models stand in for what it makes.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from edgeseg.backends.openvino_engine import OpenVinoEngine
from edgeseg.convert import quantise as module
from edgeseg.convert import quantise_nncf
from edgeseg.convert.photographs import find
from edgeseg.convert.prove import Proof
from edgeseg.convert.quantise import Cost, Int8Options, Verdict, check, decide, quantise
from edgeseg.convert.quantise_timing import cpu_ms
from edgeseg.errors import ModelError, UsageError
from edgeseg.ovruntime import ov
from edgeseg.recipes import load_recipe
from edgeseg.types import Recipe
from tests.tiny_models import HEIGHT, WIDTH, box, bright_model, echo_model, write_picture

Maker = Callable[..., Any]
FULL = Cost(size=520_000, ms=2.0)


@pytest.fixture
def options(tmp_path: Path) -> Int8Options:
    """Twelve photographs, a bright box in each, always elsewhere."""
    for number in range(12):
        picture = box(HEIGHT, WIDTH, (2, 12), (number, number + 12), inside=230)
        write_picture(tmp_path / "photographs" / f"{number:02}.png", picture)
    return Int8Options(find(tmp_path / "photographs"), seconds=0.05)


@pytest.fixture
def quantised(monkeypatch: pytest.MonkeyPatch) -> Callable[[Maker], None]:
    """Lets something else make the int8 model."""

    def use(maker: Maker) -> None:
        monkeypatch.setattr(module, "need_nncf", lambda: None)
        monkeypatch.setattr(module, "quantised", maker)

    return use


def bright(work: int = 0, threshold: float = 0.5, height: int = HEIGHT, width: int = WIDTH) -> Any:
    """A model that keeps what is brighter than ``threshold``, and multiplies ``work`` matrices first."""
    ops = ov.opset13
    picture = ops.parameter([1, height, width, 3], np.float32)
    mean = ops.reduce_mean(picture, np.array([3]), keep_dims=True)
    load = ops.reshape(ops.tile(mean, np.array([1, 1, 1, 128])), np.array([height * width, 128]), special_zero=False)
    for number in range(work):
        load = ops.matmul(load, np.random.default_rng(number).random((128, 128), np.float32) / 128, False, False)
    nothing = ops.multiply(ops.reduce_max(load, np.array([0, 1])), np.float32(1e-9))
    answer = ops.convert(ops.greater(ops.add(mean, nothing), np.float32(threshold)), "f32")
    return ov.Model([ops.result(answer)], [picture], "bright")


def saved(model: Any, folder: Path) -> Recipe:
    folder.mkdir(exist_ok=True)
    ov.save_model(model, str(folder / "model.xml"), compress_to_fp16=False)
    return Recipe(folder.name, str(folder / "model.xml"), WIDTH, HEIGHT)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def proof(iou: float = 0.99, kept: float = 0.3) -> Proof:
    return Proof("openvino", 19, iou, 0.99, 0.1, kept)


@pytest.mark.parametrize(
    ("after", "compared", "sentence"),
    [
        (
            Cost(260_000, 1.0),
            proof(),
            "int8: 1.00 ms instead of 2.00 ms, 0.26 MB instead of 0.52 MB, mask IoU 0.9900 with the full model on 19 "
            "photographs; the int8 model is kept",
        ),
        (Cost(260_000, 3.0), proof(), "int8 is slower here: 3.00 ms instead of 2.00 ms; the full model is kept"),
        (
            Cost(260_000, 1.97),
            proof(),
            "int8 is hardly faster here: 1.97 ms instead of 2.00 ms; the full model is kept",
        ),
        (
            Cost(260_000, 1.0),
            proof(iou=0.82),
            "int8 masks agree with IoU 0.8200 only, and 0.98 is wanted; the full model is kept",
        ),
        (
            Cost(260_000, 3.0),
            proof(iou=0.16),
            "int8 is slower here: 3.00 ms instead of 2.00 ms, and int8 masks agree with IoU 0.1600 only, and 0.98 is "
            "wanted; the full model is kept",
        ),
        (
            Cost(260_000, 1.0),
            proof(iou=1.0, kept=0.0),
            "int8 cannot be judged: the full model keeps nothing in the 19 photographs held back; "
            "the full model is kept",
        ),
    ],
)
def test_the_verdict_says_why(after: Cost, compared: Proof, sentence: str) -> None:
    verdict = decide(FULL, after, compared, Int8Options(()))
    assert verdict.sentence == sentence
    assert verdict.kept is sentence.endswith("the int8 model is kept")
    assert (verdict.size_before, verdict.size_after) == (520_000, 260_000)
    assert (verdict.ms_before, verdict.ms_after, verdict.iou) == (2.0, after.ms, compared.iou)


def test_the_loss_is_what_the_user_says() -> None:
    assert decide(FULL, Cost(1, 1.0), proof(iou=0.9), Int8Options((), max_loss=0.11)).kept
    assert not decide(FULL, Cost(1, 1.0), proof(iou=0.9), Int8Options((), max_loss=0.09)).kept


def test_a_faster_model_with_the_same_masks_takes_the_place(
    tmp_path: Path, options: Int8Options, quantised: Callable[[Maker], None]
) -> None:
    recipe = saved(bright(work=6), tmp_path / "model")
    before = contents(tmp_path / "model")
    quantised(lambda *_: bright())
    said: list[str] = []
    verdict = quantise(tmp_path / "model", recipe, options, said.append)
    assert verdict.kept
    assert verdict.iou == 1.0
    assert verdict.ms_after < verdict.ms_before
    assert verdict.size_before == sum(map(len, before.values()))
    assert verdict.size_after == sum(map(len, contents(tmp_path / "model").values())) < verdict.size_before / 10
    assert said == ["int8: calibrating on 8 photographs, judging on 4 others", verdict.sentence]
    assert sorted(contents(tmp_path / "model")) == ["model.bin", "model.xml"]
    assert OpenVinoEngine(tmp_path / "model" / "model.xml").inputs[0].shape == (1, HEIGHT, WIDTH, 3)


@pytest.mark.parametrize(
    ("full_work", "int8", "why"),
    [
        (0, bright(work=6), "int8 is slower here: "),
        (6, bright(threshold=0.95), "int8 masks agree with IoU 0.0000 only"),
    ],
    ids=["slower", "worse"],
)
def test_another_one_does_not(
    full_work: int, int8: Any, why: str, tmp_path: Path, options: Int8Options, quantised: Callable[[Maker], None]
) -> None:
    recipe = saved(bright(full_work), tmp_path / "model")
    before = contents(tmp_path / "model")
    quantised(lambda *_: int8)
    verdict = quantise(tmp_path / "model", recipe, options, lambda _: None)
    assert not verdict.kept
    assert verdict.sentence.startswith(why)
    assert contents(tmp_path / "model") == before


def test_the_more_exact_preset_is_tried_where_the_fast_one_is_too_coarse(
    tmp_path: Path, options: Int8Options, quantised: Callable[[Maker], None]
) -> None:
    recipe = saved(bright(work=6), tmp_path / "model")
    quantised(lambda _model, _recipe, _paths, preset: bright(threshold={"performance": 0.95, "mixed": 0.4}[preset]))
    assert quantise(tmp_path / "model", recipe, options, lambda _: None).kept


def test_a_preset_that_is_slow_already_is_not_followed_by_a_slower_one(
    tmp_path: Path, options: Int8Options, quantised: Callable[[Maker], None]
) -> None:
    recipe = saved(bright(), tmp_path / "model")
    tried: list[str] = []

    def slow(_model: Any, _recipe: Recipe, _paths: Any, preset: str) -> Any:
        tried.append(preset)
        return bright(work=6)

    quantised(slow)
    quantise(tmp_path / "model", recipe, options, lambda _: None)
    assert tried == ["performance"]


def test_what_cannot_be_quantised_stays(
    tmp_path: Path, options: Int8Options, quantised: Callable[[Maker], None]
) -> None:
    recipe = saved(bright(), tmp_path / "model")
    before = contents(tmp_path / "model")

    def fail(*_: Any) -> Any:
        raise ModelError("model 'model' cannot be quantised: it has an If")

    quantised(fail)
    verdict = quantise(tmp_path / "model", recipe, options, lambda _: None)
    assert verdict.sentence == "int8: model 'model' cannot be quantised: it has an If; the full model is kept"
    assert verdict == Verdict(False, verdict.size_before, verdict.size_before, 0.0, 0.0, 1.0, verdict.sentence)
    assert contents(tmp_path / "model") == before


def test_a_quantised_model_is_not_quantised_again(
    tmp_path: Path, options: Int8Options, quantised: Callable[[Maker], None]
) -> None:
    ops = ov.opset13
    picture = ops.parameter([1, HEIGHT, WIDTH, 3], np.float32)
    ends = (np.float32(0), np.float32(1))
    mean = ops.reduce_mean(ops.fake_quantize(picture, *ends, *ends, 256), np.array([3]), keep_dims=True)
    recipe = saved(ov.Model([ops.result(mean)], [picture], "int8"), tmp_path / "model")
    quantised(lambda *_: pytest.fail("it was tried"))
    verdict = quantise(tmp_path / "model", recipe, options, lambda _: None)
    assert verdict.sentence == "int8: the model is quantised already; it stays as it is"
    assert not verdict.kept


def test_a_model_with_the_roundings_of_its_source_is_not_quantised_again(
    tmp_path: Path, options: Int8Options, quantised: Callable[[Maker], None]
) -> None:
    recipe = saved(bright(), tmp_path / "model")
    before = contents(tmp_path / "model")
    quantised(lambda *_: pytest.fail("it was tried"))
    said: list[str] = []
    verdict = quantise(tmp_path / "model", recipe, options, said.append, exact=True)
    assert said == ["int8: the model is quantised already, and written with its source's roundings; it stays as it is"]
    assert not verdict.kept
    assert contents(tmp_path / "model") == before


def test_floats_with_whole_numbers_for_weights_are_quantised(
    tmp_path: Path, options: Int8Options, quantised: Callable[[Maker], None]
) -> None:
    ops = ov.opset13
    picture = ops.parameter([1, HEIGHT, WIDTH, 3], np.float32)
    weights = ops.multiply(ops.convert(ops.constant(np.full((3, 1), 10, np.int8)), "f32"), np.float32(1 / 30))
    mixed = ov.Model([ops.result(ops.matmul(picture, weights, False, False))], [picture], "hybrid")
    recipe = saved(mixed, tmp_path / "model")
    tried: list[str] = []

    def fail(_model: Any, _recipe: Recipe, _paths: Any, preset: str) -> Any:
        tried.append(preset)
        raise ModelError("enough is known")

    quantised(fail)
    quantise(tmp_path / "model", recipe, options, lambda _: None)
    assert tried == ["performance"]


def test_a_photograph_that_is_none_leaves_nothing_behind(
    tmp_path: Path, options: Int8Options, quantised: Callable[[Maker], None]
) -> None:
    recipe = saved(bright(), tmp_path / "model")
    before = contents(tmp_path / "model")
    options.judging[-1].write_text("no picture")
    quantised(lambda *_: bright())
    with pytest.raises(UsageError, match=r"11\.png is no picture that can be read"):
        quantise(tmp_path / "model", recipe, options, lambda _: None)
    assert contents(tmp_path / "model") == before


def test_the_last_third_judges_and_calibrates_nothing() -> None:
    pictures = tuple(Path(f"{number}.jpg") for number in range(58))
    options = Int8Options(pictures)
    assert options.calibrating + options.judging == pictures
    assert len(options.judging) == 19
    assert Int8Options(pictures, subset=7).calibrating == pictures[:7]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (Int8Options(()), "--calibrate: there are 0 pictures, and int8 needs 10 at least"),
        (
            Int8Options((Path("room/1.jpg"), Path("room/2.jpg"))),
            "--calibrate: there are 2 pictures in room, and int8 needs 10 at least",
        ),
        (Int8Options((Path("1.jpg"),) * 10, max_loss=2), "a loss of 2 is no share of the mask, 0 to 1"),
    ],
)
def test_options_that_cannot_be(options: Int8Options, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        check(options)
    assert caught.value.message == sentence


def test_without_nncf_the_extra_is_named(options: Int8Options, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(UsageError) as caught:
        check(options)
    assert str(caught.value) == "--int8 needs nncf, which is not installed (pip install 'edgeseg[int8]')"


def test_costs_come_in_the_order_of_the_models(tmp_path: Path) -> None:
    recipes = [saved(bright(work), tmp_path / f"work-{work}") for work in (0, 9, 3)]
    picture = np.zeros((1, HEIGHT, WIDTH, 3), np.uint8)
    idle, much, some = cpu_ms(recipes, [picture], 0.05)
    assert 0 < idle < some < much


def test_calibration_sees_what_the_model_is_given(tmp_path: Path, options: Int8Options) -> None:
    recipe = load_recipe(bright_model(tmp_path / "bright"))
    samples = quantise_nncf._Samples(OpenVinoEngine(Path(recipe.path)), recipe, options.calibrating)
    for _ in range(2):  # nncf goes through them more than once
        seen = list(samples)
        assert len(seen) == len(samples) == 8
        assert [float(sample.max()) for sample in seen] == pytest.approx([230 / 255] * 8)
        assert seen[0][0, 5, :12, 0].min() > 0.9 > seen[7][0, 5, :5, 0].max()


def test_calibration_sees_masks_before_the_picture_too(tmp_path: Path, options: Int8Options) -> None:
    recipe = load_recipe(echo_model(tmp_path / "echo"))
    samples = quantise_nncf._Samples(OpenVinoEngine(Path(recipe.path)), recipe, options.calibrating)
    first, second, *_ = seen = list(samples)
    assert len(seen) == len(samples) == 16
    assert first[..., 3].max() == 0
    np.testing.assert_array_equal(first[..., :3], second[..., :3])
    np.testing.assert_allclose(second[..., 3], first[..., 0], atol=1 / 255)


def test_nothing_reports_and_no_framework_is_loaded_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    reporter, framework = ModuleType("openvino_telemetry"), ModuleType("torch")
    monkeypatch.setitem(sys.modules, "openvino_telemetry", reporter)
    monkeypatch.delitem(sys.modules, "onnx", raising=False)
    monkeypatch.setitem(sys.modules, "torch", framework)
    before = logging.getLoggerClass()
    with quantise_nncf._alone():
        for hidden in ("openvino_telemetry", "onnx"):
            with pytest.raises(ModuleNotFoundError):
                importlib.import_module(hidden)
        assert importlib.import_module("torch") is framework  # was there: nothing to save
        logging.setLoggerClass(type("Theirs", (logging.Logger,), {}))
    assert logging.getLoggerClass() is before
    assert sys.modules["openvino_telemetry"] is reporter
    assert "onnx" not in sys.modules
