"""A recipe travels inside the IR, under the names of OpenVINO's Model API and whole under our own."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseg.convert import ir
from edgeseg.convert.model_info import embed, extract, for_model_api, not_for_model_api
from edgeseg.errors import ModelError
from edgeseg.ovruntime import ov
from edgeseg.types import Activation, OutputKind, Quantization, Recipe

ops = ov.opset13


def planes(count: int, layout: str = "NCHW", kind: Any = np.float32) -> Any:
    """A model of two colour planes or more, 8x4, whose answer is its own input."""
    shape = [1, count, 4, 8] if layout == "NCHW" else [1, 4, 8, count]
    picture = ops.parameter(shape, kind, name="picture")
    answer = ops.relu(picture)
    for node, name in ((picture, "picture"), (answer, "answer")):  # a nameless tensor is named by a counter when saved
        node.output(0).set_names({name})
    return ov.Model([ops.result(answer)], [picture], "made")


def labels() -> Any:
    picture = ops.parameter([1, 3, 4, 8], np.float32, name="picture")
    return ov.Model([ops.result(ops.squeeze(ops.topk(picture, np.int32(1), 1, "max", "none").output(1), 1))], [picture])


def recipe(**changes: Any) -> Recipe:
    return dataclasses.replace(Recipe(name="made", path="model.xml", width=8, height=4, layout="NCHW"), **changes)


def info(model: Any, key: str) -> str:
    return str(model.get_rt_info(["model_info", key]).value)


def saved(model: Any, folder: Path) -> Any:
    ov.save_model(model, str(folder / "model.xml"))
    return ov.Core().read_model(str(folder / "model.xml"))


FULL = recipe(
    color_order="BGR",
    mean_values=(103.94, 116.78, 123.68),
    scale_values=(58.8235,),
    input_quantization=Quantization(0.018316, -13),
    prior_channel=True,
    output_index=0,
    kind=OutputKind.LOGITS,
    activation=Activation.SIGMOID,
    output_quantization=Quantization(1 / 256, -128),
    keep=(1, 2),
    labels=("background", "a person", "dog"),
    colors=((0, 0, 0), (255, 0, 0), (0, 255, 0)),
    licence="MIT",
    origin="somewhere",
    sha256="ab",
)


def test_a_recipe_comes_back_whole(tmp_path: Path) -> None:
    model = planes(3)
    embed(model, FULL)
    assert Recipe(**{"path": "model.xml", **extract(saved(model, tmp_path))}) == FULL


def test_the_bytes_do_not_depend_on_when(tmp_path: Path) -> None:
    texts = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        model = planes(3)
        embed(model, FULL)
        ir.save(model, folder / "model.xml", name="made", fp16=True)
        texts.append((folder / "model.xml").read_bytes())
    assert texts[0] == texts[1]


def test_model_api_finds_its_own_names() -> None:
    model = planes(3)
    embed(
        model, recipe(mean_values=(127.5,), scale_values=(58.4, 57.1, 57.4), labels=("background", "a person", "dog"))
    )
    assert info(model, "model_type") == "Segmentation"
    assert info(model, "mean_values") == "127.5 127.5 127.5"
    assert info(model, "scale_values") == "58.4 57.1 57.4"
    assert info(model, "reverse_input_channels") == "True"
    assert info(model, "resize_type") == "standard"
    assert info(model, "labels") == "a_person dog"
    assert model.input().get_node().layout == ov.Layout("NCHW")


@pytest.mark.parametrize(
    ("model", "changes", "why"),
    [
        (planes(2), {}, ""),
        (planes(21), {"kind": OutputKind.LOGITS}, ""),
        (labels(), {"kind": OutputKind.LABELS}, ""),
        (planes(1), {}, "nothing else"),
        (planes(2, "NHWC"), {"layout": "NHWC"}, "nothing else"),
        (planes(3), {"kind": OutputKind.IMAGE}, "pictures"),
        (planes(4), {"prior_channel": True}, "frame before"),
        (planes(3), {"input_quantization": Quantization(1.0)}, "quantised"),
        (planes(3), {"output_quantization": Quantization(1.0)}, "quantised"),
    ],
)
def test_what_model_api_cannot_read_is_not_offered_to_it(model: Any, changes: dict[str, Any], why: str) -> None:
    reason = not_for_model_api(model, recipe(**changes))
    assert why in reason
    assert bool(reason) == bool(why)
    embed(model, recipe(**changes))
    assert model.has_rt_info(["model_info", "model_type"]) == (not why)


def test_a_foreign_ir_yields_a_recipe() -> None:
    """As OTX writes them: no background among the labels, numbers with spaces between."""
    model = planes(3)
    for key, value in {
        "model_type": "Segmentation",
        "mean_values": "123.675 116.28 103.53",
        "scale_values": "58.395 57.12 57.375",
        "reverse_input_channels": "True",
        "labels": "person dog",
        "soft_threshold": "0.5",
    }.items():
        model.set_rt_info(value, ["model_info", key])
    assert extract(model) == {
        "mean_values": (123.675, 116.28, 103.53),
        "scale_values": (58.395, 57.12, 57.375),
        "color_order": "RGB",
        "labels": ("background", "person", "dog"),
    }


def test_what_a_foreign_ir_leaves_out_is_as_model_api_takes_it() -> None:
    model = planes(2)
    model.set_rt_info("Segmentation", ["model_info", "model_type"])
    assert extract(model) == {"mean_values": (0.0,), "scale_values": (1.0,), "color_order": "BGR"}


def test_labels_that_name_every_class_stay() -> None:
    model = planes(2)
    model.set_rt_info("road person", ["model_info", "labels"])
    assert extract(model)["labels"] == ("road", "person")


def test_an_ir_for_something_else_yields_nothing() -> None:
    model = planes(3)
    model.set_rt_info("ssd", ["model_info", "model_type"])
    model.set_rt_info("1 2 3", ["model_info", "mean_values"])
    assert extract(model) == {}


def test_a_silent_ir_yields_nothing() -> None:
    assert extract(planes(3)) == {}


def test_nonsense_in_an_ir_is_as_if_it_were_not_there() -> None:
    model = planes(3)
    model.set_rt_info("Segmentation", ["model_info", "model_type"])
    model.set_rt_info("one two", ["model_info", "mean_values"])
    model.set_rt_info("{", ["edgeseg", "keep"])
    model.set_rt_info('"glorious"', ["edgeseg", "kind"])
    model.set_rt_info('"x"', ["edgeseg", "unheard_of"])
    assert extract(model) == {"mean_values": (0.0,), "scale_values": (1.0,), "color_order": "BGR"}


def test_any_mask_can_be_made_readable_for_model_api() -> None:
    """Levels 0..255 in, the probabilities of "not kept" and "kept" out."""
    picture = ops.parameter([1, 4, 8, 3], np.float32, name="picture")
    red = ops.slice(picture, np.array([0]), np.array([1]), np.array([1]), np.array([3]))
    made, plain = for_model_api(ov.Model([ops.result(red)], [picture]), recipe(layout="NHWC", labels=("a", "b")))
    assert not_for_model_api(made, plain) == ""
    levels = np.random.default_rng(1).integers(0, 256, (1, 4, 8, 3), np.uint8)
    answer = ov.Core().compile_model(made, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([levels])[0]
    assert answer.shape == (1, 2, 4, 8)
    np.testing.assert_allclose(answer[0, 1], levels[0, :, :, 0] / 255, atol=1e-6)
    np.testing.assert_allclose(answer.sum(axis=1), 1, atol=1e-6)
    assert plain.labels == ("background", "b")


def test_a_model_with_a_memory_cannot() -> None:
    with pytest.raises(ModelError, match="mask of the frame before"):
        for_model_api(planes(4), recipe(prior_channel=True))
