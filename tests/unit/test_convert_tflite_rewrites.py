"""TILE of a pooled branch, and layers whose range has no width."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseg.backends.litert import LiteRtEngine
from edgeseg.convert.readers.tflite import read
from edgeseg.convert.rewrites import dead_layers, tile
from edgeseg.ovruntime import ov
from tests.tflite_writer import TILE, Model, Operator, Tensor, build

F32 = {"INFERENCE_PRECISION_HINT": "f32"}


@pytest.mark.parametrize(
    ("shape", "times", "kind"),
    [((1, 1, 1, 5), (1, 4, 3, 1), "Broadcast"), ((1, 2, 1, 5), (1, 2, 3, 1), "Tile"), ((2, 3), (1, 1), "Broadcast")],
    ids=str,
)
def test_tile(shape: tuple[int, ...], times: tuple[int, ...], kind: str) -> None:
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    feed = ov.opset13.parameter(list(shape), np.float32)
    node = tile.tiled(feed.output(0), ov.opset13.constant(np.array(times, np.int32)).output(0))
    assert node.get_type_name() == kind
    got = ov.Core().compile_model(ov.Model([node], [feed]), "CPU", F32)([x])[0]
    np.testing.assert_array_equal(got, np.tile(x, times))


def test_tile_of_a_size_that_is_open_stays_what_it_is() -> None:
    feed = ov.opset13.parameter([-1, 3], np.float32)
    assert tile.tiled(feed.output(0), ov.opset13.constant(np.array([2, 2])).output(0)).get_type_name() == "Tile"


def test_a_file_with_tile_answers_as_in_its_own_runtime(tmp_path: Path) -> None:
    file = tmp_path / "tile.tflite"
    tensors = [
        Tensor("x", (1, 1, 1, 4)),
        Tensor("times", (4,), "i4", values=[1, 3, 5, 1]),
        Tensor("y", (1, 3, 5, 4)),
    ]
    file.write_bytes(build(Model(tensors, [Operator(TILE, ["x", "times"], ["y"])], ["x"], ["y"])))
    source = read(file)
    assert source.rewritten == ("TILE",)
    x = np.arange(4, dtype=np.float32).reshape(1, 1, 1, 4)
    expected = LiteRtEngine(file).run([x])[0]
    np.testing.assert_array_equal(ov.Core().compile_model(source.model, "CPU", F32)([x])[0], expected)


def dying(width: float, scale: float) -> tuple[Any, Any]:
    """From x → FakeQuantize 0..width → times weights of ``scale`` → + bias of ``scale`` → + x."""
    ops = ov.opset13
    feed = ops.parameter([1, 4], np.float32)
    low, high = np.float32(0), np.float32(width)
    quantised = ops.fake_quantize(feed, low, high, low, high, 256)
    weights = ops.multiply(ops.convert(ops.constant(np.ones((4, 4), np.int8)), "f32"), np.float32(scale))
    product = ops.matmul(quantised, weights, transpose_a=False, transpose_b=False)
    shifted = ops.add(product, np.full((1, 4), scale, np.float32))
    return ov.Model([ops.add(shifted, feed)], [feed]), feed


def test_a_range_without_width_gives_zeros() -> None:
    model, _ = dying(width=1.2e-38, scale=float("inf"))
    assert dead_layers.silence(model) == 1
    assert "FakeQuantize" not in {node.get_type_name() for node in model.get_ops()}
    x = np.array([[1, -2, 3, 4]], np.float32)
    np.testing.assert_array_equal(ov.Core().compile_model(model, "CPU", F32)([x])[0], x)


def test_whole_numbers_of_a_range_without_width_are_its_zero() -> None:
    ops = ov.opset13
    feed = ops.parameter([1, 4], np.float32)
    bounds = [np.float32(value) for value in (0, 1.2e-38, -128, 127)]
    model = ov.Model([ops.fake_quantize(feed, *bounds, 256)], [feed])
    assert dead_layers.silence(model) == 1
    got = ov.Core().compile_model(model, "CPU", F32)([np.ones((1, 4), np.float32)])[0]
    np.testing.assert_array_equal(got, np.full((1, 4), -128))


def test_a_range_with_some_width_is_left_alone() -> None:
    model, _ = dying(width=1e-3, scale=1.0)
    before = [node.get_type_name() for node in model.get_ordered_ops()]
    assert dead_layers.silence(model) == 0
    assert [node.get_type_name() for node in model.get_ordered_ops()] == before
