"""What the analysis says about small graphs, each built to show one thing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseg.convert.analysis import analyse
from edgeseg.convert.answers import expose
from edgeseg.convert.findings import Findings, Task
from edgeseg.convert.source_model import SourceModel
from edgeseg.ovruntime import ov
from edgeseg.types import Activation, OutputKind, Quantization

ops = ov.opset13
NCHW, NHWC = [1, 3, 24, 32], [1, 24, 32, 3]


def look(outputs: Sequence[Any], inputs: Sequence[Any], size: tuple[int, int] | None = None, **facts: Any) -> Findings:
    results = [ops.result(value) for value in outputs]
    model = ov.Model(results, list(inputs), "made")
    return analyse(SourceModel(Path("made.onnx"), "made", "NCHW", model, facts=facts), size)


def picture(shape: Sequence[int] = NCHW, kind: Any = np.float32, name: str = "picture") -> Any:
    made = ops.parameter(ov.PartialShape(list(shape)), kind, name=name)
    made.output(0).set_names({name})
    return made


def conv(x: Any, planes: int, channels: int = 3, name: str = "conv") -> Any:
    weights = np.full((planes, channels, 1, 1), 0.1, np.float32)
    made = ops.convolution(x, weights, [1, 1], [0, 0], [0, 0], [1, 1], name=name)
    made.output(0).set_names({name})
    return made


def named(node: Any, name: str) -> Any:
    node.output(0).set_names({name})
    return node


def fake_quantize(x: Any, low: float, high: float, to_low: float, to_high: float) -> Any:
    return ops.fake_quantize(x, *(np.float32(limit) for limit in (low, high, to_low, to_high)), 256)


def question(findings: Findings, field: str) -> Any:
    return next((entry for entry in findings.questions if field in entry.field), None)


HEADS: dict[str, tuple[Callable[[Any], Any], OutputKind, int, str]] = {
    "sigmoid": (lambda x: ops.sigmoid(conv(x, 1)), OutputKind.PROBABILITY, 1, "sigmoid"),
    "softmax": (lambda x: ops.softmax(conv(x, 2), 1), OutputKind.PROBABILITY, 2, "softmax"),
    "logits": (lambda x: conv(x, 5), OutputKind.LOGITS, 5, ""),
    "one logit": (lambda x: conv(x, 1), OutputKind.LOGITS, 1, ""),
    "clamped": (lambda x: ops.clamp(conv(x, 1), 0.0, 1.0), OutputKind.PROBABILITY, 1, "clamp"),
    "clamped after": (lambda x: ops.clamp(ops.sigmoid(conv(x, 1)), 1e-4, 1.0), OutputKind.PROBABILITY, 1, "sigmoid"),
    "log of softmax": (lambda x: ops.log_softmax(conv(x, 2), 1), OutputKind.LOGITS, 2, "logsoftmax"),
    "resized": (
        lambda x: ops.interpolate(
            ops.sigmoid(conv(x, 1)), np.array([12, 16]), "nearest", "sizes", axes=np.array([2, 3])
        ),
        OutputKind.PROBABILITY,
        1,
        "sigmoid",
    ),
    "channels last": (
        lambda x: ops.transpose(ops.softmax(conv(x, 4), 1), np.array([0, 2, 3, 1])),
        OutputKind.PROBABILITY,
        4,
        "softmax",
    ),
    "flat": (
        lambda x: ops.reshape(ops.sigmoid(conv(x, 1)), np.array([1, 768]), False),
        OutputKind.PROBABILITY,
        1,
        "sigmoid",
    ),
    "one of two": (
        lambda x: ops.slice(ops.softmax(conv(x, 2), 1), np.array([1]), np.array([2]), np.array([1]), np.array([1])),
        OutputKind.PROBABILITY,
        1,
        "softmax",
    ),
    "written out": (
        lambda x: ops.divide(e := ops.exp(conv(x, 2)), ops.reduce_sum(e, np.array([1]), keep_dims=True)),
        OutputKind.PROBABILITY,
        2,
        "softmax",
    ),
    "labels": (
        lambda x: ops.squeeze(ops.topk(conv(x, 5), np.int32(1), 1, "max", "none").output(1), np.array([1])),
        OutputKind.LABELS,
        1,
        "argmax",
    ),
    "decided": (
        lambda x: ops.convert(ops.greater(ops.sigmoid(conv(x, 1)), np.float32(0.5)), "u8"),
        OutputKind.LABELS,
        1,
        "threshold",
    ),
    "painting": (lambda x: ops.sigmoid(conv(x, 3)), OutputKind.IMAGE, 3, "sigmoid"),
    "painting of 255": (lambda x: ops.multiply(ops.tanh(conv(x, 3)), np.float32(150)), OutputKind.IMAGE, 3, "tanh"),
}


@pytest.mark.parametrize("head", HEADS)
def test_answers_are_read_by_what_makes_them(head: str) -> None:
    make, kind, planes, activation = HEADS[head]
    x = picture()
    best = look([make(x)], [x]).best
    assert best is not None
    assert (best.kind, best.planes, best.activation) == (kind, planes, activation)


def test_the_score_of_the_best_class_is_no_answer() -> None:
    x = picture()
    findings = look([ops.topk(conv(x, 5), np.int32(1), 1, "max", "none").output(0)], [x])
    assert findings.best is None
    assert "not which it is" in findings.outputs[-1].why


@pytest.mark.parametrize(
    ("shape", "layout", "width", "height"),
    [
        (NHWC, "NHWC", 32, 24),
        (NCHW, "NCHW", 32, 24),
        ([1, -1, -1, 3], "NHWC", None, None),
        ([-1, 3, -1, -1], "NCHW", None, None),
        ([1, 4, 24, 32], "NCHW", 32, 24),
        ([1, 24, 32, 4], "NHWC", 32, 24),
    ],
)
def test_the_layout_is_where_three_or_four_channels_are(
    shape: list[int], layout: str, width: int | None, height: int | None
) -> None:
    x = picture(shape)
    found = look([ops.sigmoid(x)], [x]).picture
    assert found is not None
    assert (found.layout, found.width, found.height) == (layout, width, height)


def test_what_a_file_says_about_its_layout_decides_when_both_fit() -> None:
    x = picture([1, 3, 24, 3])
    x.layout = ov.Layout("NHWC")
    found = look([ops.sigmoid(x)], [x]).picture
    assert found is not None
    assert (found.layout, found.width) == ("NHWC", 24)


def test_a_fourth_channel_is_the_mask_before() -> None:
    x = picture([1, 4, 24, 32])
    findings = look([ops.sigmoid(conv(x, 1, channels=4))], [x])
    assert findings.fields()["prior_channel"] is True


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ([1, 100], "vector"),
        ([1, 16, 6, 8], "state"),
        ([1, 3, 24, 32], "another picture"),
        ([24, 32, 3], "without an axis"),
    ],
)
def test_a_second_input_is_explained(other: list[int], why: str) -> None:
    x, y = picture(), picture(other, name="other")
    findings = look([ops.sigmoid(conv(x, 1)), y], [x, y])
    assert why in findings.inputs[1].why
    assert any("more than a picture: other" in sentence for sentence in findings.obstacles)


def test_a_model_without_a_picture_says_so() -> None:
    x = picture([1, 100])
    findings = look([ops.sigmoid(x)], [x])
    assert findings.task is Task.UNKNOWN
    assert "no input is a picture of 3 or 4 channels" in findings.obstacles


def test_a_model_of_open_rank_says_so() -> None:
    x = ops.parameter(ov.PartialShape.dynamic(), np.float32)
    findings = look([ops.sigmoid(x)], [x])
    assert "number of its axes is open" in findings.inputs[0].why
    assert findings.best is None


def test_an_open_size_is_asked_for_and_shapes_are_seen_all_the_same() -> None:
    x = picture([-1, 3, -1, -1])
    findings = look([ops.sigmoid(conv(x, 1))], [x])
    assert findings.best is not None
    assert findings.best.kind is OutputKind.PROBABILITY
    assert question(findings, "width").assumed == {}
    assert "width" not in findings.fields()


def test_a_size_that_was_asked_for_is_taken() -> None:
    x = picture([-1, 3, -1, -1])
    findings = look([ops.sigmoid(conv(x, 1))], [x], size=(48, 16))
    assert findings.best is not None
    assert (findings.best.width, findings.best.height) == (48, 16)
    assert (findings.fields()["width"], findings.fields()["height"]) == (48, 16)


def test_the_size_that_a_graph_works_at_inside_is_the_one_to_take() -> None:
    x = picture([1, 3, -1, -1])
    inner = ops.interpolate(x, np.array([96, 96]), "nearest", "sizes", axes=np.array([2, 3]))
    findings = look([ops.sigmoid(conv(inner, 1))], [x])
    assert (findings.fields()["width"], findings.fields()["height"]) == (96, 96)


def test_two_answers_have_to_be_decided_between() -> None:
    x = picture()
    findings = look([named(ops.sigmoid(conv(x, 1, name=f"head{n}")), f"mask{n}") for n in (0, 1)], [x])
    assert findings.ambiguous
    assert findings.best is None
    assert [entry.name for entry in findings.rivals] == ["mask0", "mask1"]
    assert "kind" not in findings.fields()


def test_the_planes_of_one_softmax_are_two_answers() -> None:
    x = picture()
    both = ops.split(ops.softmax(conv(x, 2), 1), np.int64(1), 2)
    assert look([both.output(0), both.output(1)], [x]).ambiguous


def test_one_answer_given_twice_is_no_question() -> None:
    """A decision and the probabilities that it was made of: the decision, and a word about the others."""
    x = picture()
    scores = conv(x, 2)
    labels = named(ops.squeeze(ops.convert(_argmax(scores), "i32"), np.array([1])), "labels")
    findings = look([named(ops.softmax(scores, 1), "soft"), labels], [x])
    assert not findings.ambiguous
    assert findings.best is not None
    assert findings.best.name == "labels"
    assert findings.fields()["output_index"] == 1
    assert any("--output soft" in note for note in findings.notes)


def _argmax(scores: Any) -> Any:
    return ops.topk(scores, np.int32(1), 1, "max", "none").output(1)


@pytest.mark.parametrize("name", ["aux_head", "boundary"])
def test_an_output_beside_the_main_one_is_no_rival(name: str) -> None:
    x = picture()
    findings = look([named(ops.sigmoid(conv(x, 1, name=f"of_{label}")), label) for label in (name, "mask")], [x])
    assert findings.best is not None
    assert findings.best.name == "mask"


def test_a_smaller_map_is_no_rival() -> None:
    x = picture([1, 3, 64, 64])
    small = ops.avg_pool(x, [8, 8], [0, 0], [0, 0], [8, 8], exclude_pad=False)
    findings = look([ops.sigmoid(conv(small, 1, name="coarse")), ops.sigmoid(conv(x, 1, name="fine"))], [x])
    assert findings.best is not None
    assert findings.best.index == 1


def test_what_is_decided_upon_can_be_made_an_output() -> None:
    x = picture()
    model = ov.Model([ops.result(_argmax(conv(x, 21, name="scores")))], [x], "made")
    findings = analyse(SourceModel(Path("made.onnx"), "made", "NCHW", model))
    inside = next(entry for entry in findings.outputs if entry.index is None)
    assert (inside.name, inside.kind, inside.planes) == ("scores", OutputKind.LOGITS, 21)
    copy = model.clone()
    assert expose(copy, inside) == 1
    assert list(copy.output(1).shape) == [1, 21, 24, 32]
    assert len(model.outputs) == 1
    assert expose(model, findings.outputs[0]) == 0


@pytest.mark.parametrize(
    ("count", "keep", "first"), [(21, 15, "background"), (19, 11, "road"), (151, 13, "other"), (150, 12, "wall")]
)
def test_a_known_number_of_classes_names_them(count: int, keep: int, first: str) -> None:
    x = picture()
    fields = look([_argmax(conv(x, count))], [x]).fields()
    assert fields["keep"] == (keep,)
    assert fields["labels"][0] == first
    assert fields["labels"][keep] == "person"
    assert len(fields["labels"]) == len(fields["colors"]) == count


def test_of_two_classes_the_second_is_kept() -> None:
    x = picture()
    assert look([conv(x, 2)], [x]).fields()["keep"] == (1,)


def test_which_of_unknown_classes_is_asked() -> None:
    x = picture()
    findings = look([conv(x, 7)], [x])
    assert question(findings, "keep").assumed == {}
    assert "keep" not in findings.fields()


def test_names_in_the_file_come_first() -> None:
    x = picture()
    fields = look([conv(x, 3)], [x], labels=("sky", "person", "tree"), kind="logits").fields()
    assert fields["keep"] == (1,)
    assert fields["labels"] == ("sky", "person", "tree")


def test_names_in_the_file_are_the_candidates() -> None:
    x = picture()
    findings = look([conv(x, 4)], [x], labels=("a", "b", "c", "d"))
    assert question(findings, "keep").candidates == ("--keep 0: a", "--keep 1: b", "--keep 2: c", "--keep 3: d")


@pytest.mark.parametrize(
    ("begin", "scale", "order"),
    [
        (lambda x: ops.subtract(ops.divide(x, np.float32(127.5)), np.float32(1)), 1.0, None),
        (lambda x: ops.multiply(x, np.float32(1 / 255)), 1.0, None),
        (lambda x: ops.subtract(x, _channels(123.68, 116.78, 103.94)), 1.0, "RGB"),
        (lambda x: ops.subtract(x, _channels(103.94, 116.78, 123.68)), 1.0, "BGR"),
        (
            lambda x: ops.divide(ops.subtract(x, _channels(0.485, 0.456, 0.406)), _channels(0.229, 0.224, 0.225)),
            255.0,
            "RGB",
        ),
        (lambda x: ops.add(ops.multiply(x, np.float32(2)), np.float32(-1)), 255.0, None),
    ],
)
def test_what_the_graph_does_first_tells_what_it_is_given(
    begin: Callable[[Any], Any], scale: float, order: str | None
) -> None:
    x = picture()
    findings = look([ops.sigmoid(conv(begin(x), 1))], [x])
    fields = findings.fields()
    assert (fields["mean_values"], fields["scale_values"]) == ((0.0,), (scale,))
    assert question(findings, "mean") is None
    if order is None:
        assert question(findings, "color_order") is not None
    else:
        assert fields["color_order"] == order


def _channels(*values: float) -> Any:
    return np.array(values, np.float32).reshape(1, 3, 1, 1)


def test_floats_that_nothing_explains_are_asked_about() -> None:
    x = picture()
    asked = question(look([ops.sigmoid(conv(x, 1))], [x]), "mean")
    assert asked.assumed == {"mean_values": (0.0,), "scale_values": (255.0,)}
    assert len(asked.candidates) == 5


def test_levels_go_in_as_they_are() -> None:
    x = picture(kind=np.uint8)
    findings = look([ops.sigmoid(conv(ops.convert(x, "f32"), 1))], [x])
    assert findings.fields()["scale_values"] == (1.0,)
    assert "input_quantization" not in findings.fields()


@pytest.mark.parametrize(
    ("kind", "limits", "expected"),
    [
        (np.int8, (-128, 127, 0, 1), ((0.0,), (255.0,), Quantization(1 / 255, -128))),
        (np.int8, (-128, 127, -1, 1), ((127.5,), (127.5,), Quantization(2 / 255, 0))),
        (np.uint8, (0, 255, -1, 0.9922), ((0.0,), (1.0,), None)),
        (np.uint8, (0, 255, 0, 1), ((0.0,), (1.0,), None)),
    ],
)
def test_whole_numbers_tell_their_range(kind: Any, limits: tuple[float, ...], expected: tuple[Any, ...]) -> None:
    x = picture(kind=kind)
    findings = look([ops.sigmoid(conv(fake_quantize(ops.convert(x, "f32"), *limits), 1))], [x])
    fields = findings.fields()
    assert question(findings, "mean") is None
    mean, scale, quantization = expected
    assert (fields["mean_values"], fields["scale_values"]) == (mean, scale)
    found = fields.get("input_quantization")
    if quantization is None:
        assert found is None
    else:
        assert found.scale == pytest.approx(quantization.scale)
        assert found.zero_point == pytest.approx(quantization.zero_point, abs=1)


def test_a_range_of_its_own_is_asked_about_with_the_nearest_first() -> None:
    x = picture(kind=np.int8)
    begin = fake_quantize(ops.convert(x, "f32"), -128, 127, -2.10634, 2.56424)
    findings = look([ops.sigmoid(conv(begin, 1))], [x])
    assert findings.fields()["input_quantization"] == Quantization(pytest.approx(0.018316, rel=1e-4), -13)
    assert "Caffe" in question(findings, "mean").candidates[0]
    assert findings.fields()["color_order"] == "BGR"


def test_whole_answers_tell_what_they_stand_for() -> None:
    x = picture()
    answer = ops.convert(fake_quantize(ops.sigmoid(conv(x, 1)), 0, 255 / 256, -128, 127), "i8")
    fields = look([answer], [x]).fields()
    assert fields["kind"] is OutputKind.PROBABILITY
    assert fields["output_quantization"] == Quantization(1 / 256, -128)


def test_facts_of_the_file_are_believed() -> None:
    x = picture()
    facts = {
        "mean_values": (1.0,),
        "scale_values": (2.0,),
        "color_order": "BGR",
        "kind": "logits",
        "activation": "sigmoid",
    }
    findings = look([conv(x, 2)], [x], **facts)
    assert findings.fields().items() >= (facts | {"activation": Activation.SIGMOID}).items()
    assert findings.questions == ()


def test_facts_that_come_to_nothing_are_left_out() -> None:
    """Mean and scale that the quantisation takes back, but for its rounding."""
    x = picture(kind=np.uint8)
    facts = {"mean_values": (127.5,), "scale_values": (127.5,), "input_quantization": Quantization(1 / 127.5, 127)}
    fields = look([ops.sigmoid(conv(ops.convert(x, "f32"), 1))], [x], **facts).fields()
    assert (fields["mean_values"], fields["scale_values"]) == ((0.0,), (1.0,))
    assert "input_quantization" not in fields


def test_a_single_plane_has_no_classes() -> None:
    x = picture()
    fields = look([ops.sigmoid(conv(x, 1))], [x], labels=("selfie",)).fields()
    assert fields.keys().isdisjoint({"labels", "keep"})


def test_a_classifier_is_named() -> None:
    x = picture()
    pooled = ops.reduce_mean(conv(x, 1000), np.array([2, 3]))
    findings = look([ops.softmax(pooled, 1)], [x])
    assert findings.task is Task.CLASSIFICATION
    assert findings.best is None
    assert "none of its outputs is a map of the picture" in findings.obstacles


def test_a_vector_without_classes_is_no_classifier() -> None:
    x = picture()
    assert look([ops.reduce_mean(conv(x, 100), np.array([2, 3]), keep_dims=True)], [x]).task is Task.VECTOR


def test_style_transfer_is_named() -> None:
    x, style = picture(), picture([1, 100], name="style")
    findings = look([ops.sigmoid(conv(x, 3)), ops.relu(style)], [x, style])
    assert findings.task is Task.STYLE_TRANSFER
    assert "it answers with a picture, and a mask is wanted" in findings.obstacles


def test_text_detection_is_named_by_its_head() -> None:
    x = picture([-1, 3, -1, -1])
    half = ops.avg_pool(x, [4, 4], [0, 0], [0, 0], [4, 4], exclude_pad=False)
    once = ops.relu(_doubled(half, 3, 8))
    findings = look([ops.sigmoid(_doubled(once, 8, 1))], [x])
    assert findings.task is Task.TEXT_DETECTION
    assert findings.fields()["color_order"] == "BGR"
    assert "multiples of 32" in question(findings, "width").why


def _doubled(x: Any, channels: int, planes: int) -> Any:
    weights = np.full((channels, planes, 2, 2), 0.1, np.float32)
    return ops.convolution_backprop_data(x, weights, [2, 2], pads_begin=[0, 0], pads_end=[0, 0], dilations=[1, 1])


def test_the_model_stays_as_it_was() -> None:
    x = picture([-1, 3, -1, -1])
    model = ov.Model([ops.result(ops.sigmoid(conv(x, 1)))], [x], "made")
    analyse(SourceModel(Path("made.onnx"), "made", "NCHW", model), (32, 24))
    assert model.input().get_partial_shape() == ov.PartialShape([-1, 3, -1, -1])


def test_findings_are_json() -> None:
    x = picture(kind=np.int8)
    findings = look([_argmax(conv(fake_quantize(ops.convert(x, "f32"), -128, 127, 0, 1), 21))], [x])
    told = json.loads(json.dumps(findings.as_dict()))
    assert told["fields"]["input_quantization"]["zero_point"] == -128
    assert told["best"]["kind"] == "labels"
