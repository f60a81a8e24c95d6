"""MediaPipe's pooling that remembers places, against its definition and against the runtime that has it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edgeseg.backends.litert import LiteRtEngine
from edgeseg.convert.readers.tflite import read
from edgeseg.convert.rewrites.argmax_pooling import POOL, UNPOOL, Options, parse_options, pool, unpool
from edgeseg.errors import ModelError
from edgeseg.ovruntime import ov
from tests.tflite_writer import CUSTOM, Model, Operator, Tensor, build

F32 = npt.NDArray[np.float32]
SIZES = [((4, 6), (2, 2)), ((5, 7), (2, 2)), ((6, 6), (3, 2)), ((7, 5), (3, 3))]


def answers(outputs: list[Any], feeds: list[Any], *values: F32) -> list[F32]:
    compiled = ov.Core().compile_model(ov.Model(outputs, feeds), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    result = compiled(list(values))
    return [np.asarray(result[index]) for index in range(len(outputs))]


def by_definition(x: F32, options: Options) -> tuple[F32, F32]:
    """Walks over the windows as the operator's description says; SAME begins before the picture."""
    _, high, wide, channels = x.shape
    down, across = options.window
    rows = -(-high // down) if options.same_padding else high // down
    columns = -(-wide // across) if options.same_padding else wide // across
    top = (rows * down - high) // 2 if options.same_padding else 0
    left = (columns * across - wide) // 2 if options.same_padding else 0
    best = np.zeros((1, rows, columns, channels), np.float32)
    place = np.zeros_like(best)
    for row, column, channel in np.ndindex(rows, columns, channels):
        found = []
        for number, (dy, dx) in enumerate(np.ndindex(down, across)):
            y, z = row * down - top + dy, column * across - left + dx
            if 0 <= y < high and 0 <= z < wide:
                found.append((x[0, y, z, channel], -number))
        value, number = max(found)
        best[0, row, column, channel], place[0, row, column, channel] = value, -number + np.float32(0.1)
    return best, place


@pytest.mark.parametrize("same", [True, False], ids=["same", "valid"])
@pytest.mark.parametrize(("size", "window"), SIZES, ids=str)
def test_pooling_equals_the_definition(size: tuple[int, int], window: tuple[int, int], same: bool) -> None:
    # Few levels: many windows hold their largest value more than once, and the first counts.
    x = np.random.default_rng(0).integers(-3, 3, (1, *size, 3)).astype(np.float32)
    options = Options(same_padding=same, window=window)
    feed = ov.opset13.parameter(list(x.shape), np.float32)
    got = answers(list(pool(feed.output(0), options)), [feed], x)
    for one, other in zip(got, by_definition(x, options), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("window", [(2, 2), (3, 2)], ids=str)
def test_unpooling_puts_each_value_back_where_it_was(window: tuple[int, int]) -> None:
    options = Options(same_padding=False, window=window)
    x = np.random.default_rng(1).normal(size=(1, 6, 8, 2)).astype(np.float32)
    values, places = by_definition(x, options)
    feeds = [ov.opset13.parameter(list(values.shape), np.float32) for _ in range(2)]
    (got,) = answers([unpool(*(feed.output(0) for feed in feeds), options)], feeds, values, places)
    lifted = np.repeat(np.repeat(values, window[0], 1), window[1], 2)
    np.testing.assert_array_equal(got, np.where(x == lifted, x, 0))


def hourglass(high: int, wide: int) -> bytes:
    """A network that pools and unpools: what remains are the largest values of each window."""
    pooling, unpooling = (struct.pack("<8i", padding, 2, 2, 2, 2, 0, -1, -1) for padding in (1, 2))
    small = (1, high // 2, wide // 2, 3)
    whole = (1, high, wide, 3)
    tensors = [Tensor("x", whole), Tensor("most", small), Tensor("where", small), Tensor("y", whole)]
    operators = [
        Operator(CUSTOM, ["x"], ["most", "where"], POOL, pooling),
        Operator(CUSTOM, ["most", "where"], ["y"], UNPOOL, unpooling),
    ]
    return build(Model(tensors, operators, ["x"], ["y", "most"]))


def test_a_file_answers_as_in_its_own_runtime(tmp_path: Path) -> None:
    file = tmp_path / "hourglass.tflite"
    file.write_bytes(hourglass(8, 12))
    source = read(file)
    assert source.rewritten == (POOL, UNPOOL)
    # No two values alike: of equal ones, XNNPACK takes the first by columns and MediaPipe the first by rows.
    x = np.random.default_rng(2).permutation(8 * 12 * 3).astype(np.float32).reshape(1, 8, 12, 3)
    compiled = ov.Core().compile_model(source.model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    got = compiled([x])
    try:
        engine = LiteRtEngine(file)
    except ModelError as exc:
        pytest.skip(f"only ai-edge-litert knows these operators: {exc}")
    for index, expected in enumerate(engine.run([x])):
        np.testing.assert_array_equal(got[index], expected)


@pytest.mark.parametrize(
    "options",
    [b"", b"\1\0\0\0", struct.pack("<6i", 3, 2, 2, 2, 2, 0), struct.pack("<6i", 1, 1, 1, 2, 2, 0)],
    ids=["none", "short", "padding", "overlap"],
)
def test_options_that_are_not_known(options: bytes) -> None:
    with pytest.raises(ModelError, match=POOL):
        parse_options(options)


def test_options_are_padding_stride_and_window() -> None:
    assert parse_options(struct.pack("<6i", 2, 3, 2, 3, 2, 0)) == Options(same_padding=False, window=(2, 3))
