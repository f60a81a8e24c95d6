"""Networks of whole numbers, rewritten to round as LiteRT does: the same answers, bit by bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edgeseg.backends.litert import LiteRtEngine
from edgeseg.convert import ir, rounding
from edgeseg.convert.prove import Proof
from edgeseg.convert.readers.tflite import read
from edgeseg.convert.rewrites import whole_numbers
from edgeseg.ovruntime import ov
from edgeseg.types import OutputKind, Quantization, Recipe
from tests.tflite_writer import CONV_2D, Model, Number, Operator, Tensor, build, sigmoid_model

ADD, DEPTHWISE_CONV_2D, RELU, RESIZE_BILINEAR, PAD, TRANSPOSE_CONV, QUANTIZE = 0, 4, 19, 23, 34, 67, 114
F32 = {"INFERENCE_PRECISION_HINT": "f32"}
X, Y = Quantization(0.0237, -7), Quantization(0.0611, 11)
WEIGHTS = Quantization(0.0083, 0)
BIAS = Quantization(X.scale * WEIGHTS.scale, 0)
HIGH, WIDE, DEEP = 9, 13, 8
rng = np.random.default_rng(0)


def strides(across: int, down: int, *more: int) -> dict[int, Any]:
    """SAME padding, and what follows the strides in the tables of convolutions."""
    values = (across, down, *more)
    return {0: Number("Int8", 0)} | {slot: Number("Int32", value) for slot, value in enumerate(values, 1)}


def whole(*shape: int) -> npt.NDArray[np.int8]:
    return rng.integers(-127, 128, shape, np.int8)


def network(operator: Operator, shape: tuple[int, ...], y: Quantization = Y, *more: Tensor) -> bytes:
    """One operator, i8 [1, h, w, c] → i8 ``shape``."""
    tensors = [Tensor("x", (1, HIGH, WIDE, DEEP), "i1", X), Tensor("y", shape, "i1", y), *more]
    return build(Model(tensors, [operator], ["x"], ["y"]))


def constants(*shape: int, outputs: int) -> tuple[Tensor, Tensor]:
    return (
        Tensor("w", shape, "i1", WEIGHTS, whole(*shape)),
        Tensor("b", (outputs,), "i4", BIAS, rng.integers(-3000, 3000, outputs)),
    )


SAME = (1, HIGH, WIDE, DEEP)
NETWORKS = {
    "convolution": network(
        Operator(CONV_2D, ["x", "w", "b"], ["y"], options=(1, strides(2, 1))),
        (1, HIGH, 7, 5),
        Y,
        *constants(5, 3, 3, DEEP, outputs=5),
    ),
    "depthwise": network(
        Operator(DEPTHWISE_CONV_2D, ["x", "w", "b"], ["y"], options=(2, strides(1, 1, 1))),
        SAME,
        Y,
        *constants(1, 3, 3, DEEP, outputs=DEEP),
    ),
    "transposed": network(
        Operator(TRANSPOSE_CONV, ["shape", "w", "x"], ["y"], options=(49, strides(2, 2))),
        (1, 2 * HIGH, 2 * WIDE, 3),
        Y,
        Tensor("shape", (4,), "i4", values=[1, 2 * HIGH, 2 * WIDE, 3]),
        constants(3, 3, 3, DEEP, outputs=3)[0],
    ),
    "shared weights": build(
        Model(
            [
                Tensor("x", (1, HIGH, WIDE, DEEP), "i1", X),
                Tensor("between", SAME, "i1", X),
                Tensor("y", SAME, "i1", Y),
                *constants(DEEP, 3, 3, DEEP, outputs=DEEP),
            ],
            [
                Operator(CONV_2D, ["x", "w", "b"], ["between"], options=(1, strides(1, 1))),
                Operator(CONV_2D, ["between", "w", "b"], ["y"], options=(1, strides(1, 1))),
            ],
            ["x"],
            ["y"],
        )
    ),
    "sum": network(Operator(ADD, ["x", "x"], ["y"], options=(11, {})), SAME),
    "relu": network(Operator(RELU, ["x"], ["y"]), SAME, Quantization(0.0119, -128)),
    "resized": network(
        Operator(RESIZE_BILINEAR, ["x", "size"], ["y"], options=(15, {2: Number("Bool", 1)})),
        (1, 17, 25, DEEP),
        X,
        Tensor("size", (2,), "i4", values=[17, 25]),
    ),
    "padded": network(
        Operator(PAD, ["x", "sides"], ["y"]),
        (1, HIGH + 1, WIDE + 2, DEEP),
        X,
        Tensor("sides", (4, 2), "i4", values=[[0, 0], [0, 1], [1, 1], [0, 0]]),
    ),
    "other scale": network(Operator(QUANTIZE, ["x"], ["y"]), SAME),
}


def answers(file: Path, *, plain: bool) -> tuple[Any, Any]:
    """Of the file in LiteRT, and of what was made of it."""
    source = read(file)
    whole_numbers.round_as_source(source.model, [X.scale, Y.scale, WEIGHTS.scale], plain=plain)
    x = rng.integers(-128, 128, SAME, np.int8)
    compiled = ov.Core().compile_model(source.model, "CPU", F32)
    return LiteRtEngine(file, other_kernels=plain).run([x])[0], compiled([x])[0]


@pytest.mark.parametrize(
    ("name", "plain"),
    [(name, False) for name in NETWORKS]
    + [(name, True) for name in ("convolution", "depthwise", "sum", "relu", "padded")],
)
def test_the_same_whole_numbers(name: str, plain: bool, tmp_path: Path) -> None:
    file = tmp_path / "a.tflite"
    file.write_bytes(NETWORKS[name])
    expected, got = answers(file, plain=plain)
    assert len(np.unique(expected)) > 50
    np.testing.assert_array_equal(got, expected)


def test_nothing_is_real_any_more_but_the_ends(tmp_path: Path) -> None:
    file = tmp_path / "a.tflite"
    file.write_bytes(NETWORKS["convolution"])
    source = read(file)
    names = [port.get_names() for port in (source.model.input(), source.model.output())]
    assert source.exactly is not None
    assert source.exactly(source.model) > 0
    weights = next(node for node in source.model.get_ops() if node.get_type_name() == "Convolution").input_value(1)
    compiled = ov.Core().compile_model(ov.Model([ov.opset13.result(weights)], []), "CPU", F32)
    values = compiled([])[0]
    np.testing.assert_array_equal(values, np.rint(values))
    assert [port.get_names() for port in (source.model.input(), source.model.output())] == names


def test_a_network_of_floats_has_nothing_to_round(tmp_path: Path) -> None:
    file = tmp_path / "a.tflite"
    file.write_bytes(sigmoid_model())
    source = read(file)
    assert source.exactly is None
    assert whole_numbers.round_as_source(source.model, [], plain=False) == 0


def proof(iou: float) -> Proof:
    return Proof("somebody 1.0", 4, iou, iou, 0.0, 0.5)


def test_a_network_that_cannot_be_rewritten_is_left_alone(tmp_path: Path) -> None:
    ops = ov.opset13
    feed = ops.parameter([1, 4, 8, 3], np.float32)
    path = tmp_path / "model.xml"
    model = ov.Model([ops.sigmoid(feed)], [feed])
    ir.save(model, path, name="it", fp16=True)
    before, told = path.read_bytes(), list[str]()

    def exactly(_: Any) -> int:
        ops.matmul(feed, np.zeros((5, 5), np.float32), False, False)  # OpenVINO refuses it
        pytest.fail("it was written")

    def never(_: Path) -> Proof:
        pytest.fail("there is nothing to prove")

    assert (
        rounding.as_source(model, Recipe("it", str(path), 8, 4), exactly, never, proof(0.9), 0.99, [], told.append)
        is None
    )
    assert [line.partition(": ")[2].partition(":")[0] for line in told] == ["its roundings cannot be written"]
    assert "\n" not in told[0]
    assert path.read_bytes() == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["model.bin", "model.xml"]


@pytest.mark.parametrize(
    ("iou", "places", "taken"), [(1.0, 3, True), (0.97, 3, False), (1.0, 0, False)], ids=["better", "no use", "nothing"]
)
def test_it_is_written_where_it_helps(iou: float, places: int, taken: bool, tmp_path: Path) -> None:
    ops = ov.opset13
    feed = ops.parameter([1, 4, 8, 3], np.float32)
    mean = ops.reduce_mean(feed, np.array([3]), keep_dims=True)
    model = ov.Model([ops.sigmoid(mean)], [feed])
    path = tmp_path / "model.xml"
    ir.save(model, path, name="it", fp16=True)
    before, told = path.read_bytes(), list[str]()

    def exactly(changed: Any) -> int:
        node = changed.results[0].input_value(0).get_node()
        node.output(0).replace(ops.abs(node.input_value(0)).output(0))
        return places

    recipe = Recipe("it", str(path), 8, 4, kind=OutputKind.PROBABILITY)
    pictures = [np.zeros((1, 4, 8, 3), np.uint8)]
    found = rounding.as_source(model, recipe, exactly, lambda _: proof(iou), proof(0.9571), 0.99, pictures, told.append)
    assert (found is not None) is taken
    assert (path.read_bytes() != before) is taken
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["model.bin", "model.xml"]
    if found is not None:
        assert found.rounds_as_source
        assert "(--least-iou 0.957 does without)" in told[-1]
