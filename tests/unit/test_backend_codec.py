"""The numpy way from picture to input and from answer to mask, against the graph that does the same in OpenVINO."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edgeseg.backends.codec import Codec
from edgeseg.backends.engine import Port
from edgeseg.backends.fit import picture_shape
from edgeseg.backends.graph import wrap
from edgeseg.errors import InferenceError, ModelError
from edgeseg.ovruntime import ov
from edgeseg.types import Activation, OutputKind, Quantization, Recipe

WIDTH, HEIGHT = 6, 4
AREA = WIDTH * HEIGHT
ops = ov.opset13
RANDOM = np.random.default_rng(0)
PICTURE = RANDOM.integers(0, 256, (1, HEIGHT, WIDTH, 3), np.uint8)
PRIOR = RANDOM.integers(0, 256, (HEIGHT, WIDTH), np.uint8)
F32 = np.dtype(np.float32)
I8 = np.dtype(np.int8)


def recipe(**changes: Any) -> Recipe:
    return Recipe(**{"name": "tiny", "path": "", "width": WIDTH, "height": HEIGHT, **changes})


def codec(
    wanted: Recipe,
    answer: tuple[int, ...] = (1, HEIGHT, WIDTH, 1),
    dtypes: tuple[Any, Any] = (F32, F32),
    quantizations: tuple[Quantization | None, Quantization | None] = (None, None),
) -> Codec:
    feed = Port("picture", picture_shape(wanted), np.dtype(dtypes[0]), quantizations[0])
    return Codec(wanted, [feed], [Port("answer", answer, np.dtype(dtypes[1]), quantizations[1])])


def through_the_graph(wanted: Recipe, answer: Callable[[Any], Any], dtype: Any = np.float32) -> npt.NDArray[Any]:
    parameter = ops.parameter(list(picture_shape(wanted)), dtype)
    wrapped = wrap(ov.Model([ops.result(answer(parameter))], [parameter]), wanted)
    compiled = ov.Core().compile_model(wrapped, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    feeds = [PICTURE, PRIOR[None, ..., None]] if wanted.prior_channel else [PICTURE]
    return np.asarray(compiled(feeds)[0])


INPUTS: dict[str, tuple[dict[str, Any], Any]] = {
    "0..1": ({}, np.float32),
    "half floats": ({}, np.float16),
    "per channel": ({"mean_values": (103.9, 116.8, 123.7), "scale_values": (58.8, 57.1, 57.4)}, np.float32),
    "planes first": ({"layout": "NCHW", "mean_values": (127.5,), "scale_values": (127.5,)}, np.float32),
    "as it is": ({"scale_values": (1.0,)}, np.uint8),
    "wide whole numbers": ({"scale_values": (1.0,)}, np.int32),
    "int8": ({"input_quantization": Quantization(1 / 255, -128)}, np.int8),
    "int8 that clips": ({"scale_values": (20.0,), "input_quantization": Quantization(0.05, -100)}, np.int8),
    "prior": ({"prior_channel": True}, np.float32),
    "prior, planes first": ({"prior_channel": True, "layout": "NCHW"}, np.float32),
    "prior, int8": (
        {
            "prior_channel": True,
            "mean_values": (103.94, 116.78, 123.68),
            "scale_values": (58.8235, 58.8235, 58.8235),
            "input_quantization": Quantization(0.018316, -13),
        },
        np.int8,
    ),
}


@pytest.mark.parametrize("name", INPUTS)
def test_the_model_gets_what_the_graph_would_give_it(name: str) -> None:
    changes, dtype = INPUTS[name]
    wanted = recipe(**changes)
    # What reaches a model is only seen through its answer: one that hands out a plane of its input.
    axis = 3 if wanted.layout == "NHWC" else 1
    encoded = codec(wanted, dtypes=(dtype, F32)).encode(PICTURE, PRIOR)
    assert encoded.dtype == dtype
    assert encoded.shape == picture_shape(wanted)
    for plane in (0, encoded.shape[axis] - 1):

        def pick(x: Any, plane: int = plane) -> Any:
            chosen = ops.gather(ops.convert(x, "f32"), np.array([plane]), np.int64(axis))
            return ops.multiply(ops.add(chosen, np.float32(200)), np.float32(1 / 500))  # into 0..1 for every type

        got = codec(wanted, dtypes=(dtype, F32)).mask([(encoded.take([plane], axis).astype(np.float32) + 200) / 500])
        np.testing.assert_allclose(got, through_the_graph(wanted, pick, dtype), atol=1)


def test_values_are_exact() -> None:
    got = codec(recipe(mean_values=(10, 20, 30), scale_values=(2, 4, 8))).encode(PICTURE)
    np.testing.assert_array_equal(got, (PICTURE - np.float32([10, 20, 30])) / np.float32([2, 4, 8]))


def test_whole_numbers_are_rounded_half_to_even() -> None:
    levels = np.zeros((1, HEIGHT, WIDTH, 3), np.uint8)
    levels[0, 0, :, 0] = [1, 3, 5, 7, 9, 255]
    got = codec(recipe(scale_values=(2.0,)), dtypes=(np.uint8, F32)).encode(levels)
    assert got[0, 0, :, 0].tolist() == [0, 2, 2, 4, 4, 128]


def test_the_quantization_of_the_file_is_used_where_the_recipe_has_none() -> None:
    of_file, of_recipe = Quantization(1 / 255, -128), Quantization(1 / 127, 0)
    by_file = codec(recipe(), dtypes=(I8, F32), quantizations=(of_file, None)).encode(PICTURE)
    np.testing.assert_array_equal(by_file, PICTURE.astype(int) - 128)
    by_recipe = codec(recipe(input_quantization=of_recipe), dtypes=(I8, F32), quantizations=(of_file, None))
    np.testing.assert_array_equal(by_recipe.encode(PICTURE), np.rint(PICTURE / 255 * 127))
    raw = codec(recipe(scale_values=(1.0,)), dtypes=(np.uint8, F32), quantizations=(Quantization(0.0078125, 128), None))
    np.testing.assert_array_equal(raw.encode(PICTURE), PICTURE)


def test_the_prior_may_be_smaller_than_the_picture_and_is_empty_at_first() -> None:
    tried = codec(recipe(prior_channel=True))
    assert np.all(tried.encode(PICTURE, np.full((2, 3), 255, np.uint8))[..., 3] == 1)
    assert np.all(tried.encode(PICTURE, None)[..., 3] == 0)


def reshaped(*shape: int) -> Callable[[Any], Any]:
    return lambda x: ops.reshape(x, np.array(shape), special_zero=False)


def planes_first(*shape: int) -> Callable[[Any], Any]:
    return lambda x: ops.reshape(ops.transpose(x, np.array([0, 3, 1, 2])), np.array(shape), special_zero=False)


ANSWERS: dict[str, tuple[Callable[[Any], Any], tuple[int, ...]]] = {
    "NHWC": (reshaped(1, HEIGHT, WIDTH, 3), (1, HEIGHT, WIDTH, 3)),
    "NCHW": (planes_first(1, 3, HEIGHT, WIDTH), (1, 3, HEIGHT, WIDTH)),
    "flat, classes last": (reshaped(1, AREA, 3), (1, AREA, 3)),
    "flat, classes first": (planes_first(1, 3, AREA), (1, 3, AREA)),
    "flat without batch": (reshaped(AREA, 3), (AREA, 3)),
    "flat, [n, 1] and classes last": (reshaped(1, AREA, 1, 3), (1, AREA, 1, 3)),
    "flat, [1, n] and classes last": (reshaped(1, 1, AREA, 3), (1, 1, AREA, 3)),
    "flat, classes first and [n, 1]": (planes_first(1, 3, AREA, 1), (1, 3, AREA, 1)),
    "flat, classes first and [1, n]": (planes_first(1, 3, 1, AREA), (1, 3, 1, AREA)),
}
READINGS: dict[str, dict[str, Any]] = {
    "probabilities": {},
    "sum of probabilities": {"keep": (0, 2), "scale_values": (600.0,)},
    "softmax": {"kind": OutputKind.LOGITS, "scale_values": (64.0,)},
    "sum of softmax": {"kind": OutputKind.LOGITS, "scale_values": (64.0,), "keep": (0, 2)},
    "sigmoid": {"kind": OutputKind.LOGITS, "mean_values": (128.0,), "scale_values": (32.0,), "keep": (1, 2)}
    | {"activation": Activation.SIGMOID},
    "quantised": {"output_quantization": Quantization(1.7, 0), "keep": (2,)},
}


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("name", ANSWERS)
def test_planes_are_read_as_the_graph_reads_them(name: str, reading: str) -> None:
    answer, shape = ANSWERS[name]
    wanted = recipe(**READINGS[reading])
    tried = codec(wanted, shape)
    flat = tried.encode(PICTURE)
    given = (flat if shape[-1] == 3 else np.moveaxis(flat, 3, 1)).reshape(shape)
    mask = tried.mask([given])
    assert mask.std() > 1
    np.testing.assert_allclose(mask, through_the_graph(wanted, answer), atol=1)
    np.testing.assert_array_equal(tried.decide([given]), flat[0].argmax(axis=2))


@pytest.mark.parametrize("first", [False, True], ids=["planes last", "planes first"])
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.float32])
def test_the_largest_of_many_planes(first: bool, dtype: Any) -> None:
    count = 21
    levels = RANDOM.permuted(np.broadcast_to(np.arange(count), (1, HEIGHT, WIDTH, count)), axis=3).astype(dtype)
    answer = np.moveaxis(levels, 3, 1) if first else levels
    scale = Quantization(0.25, 100) if dtype is not np.float32 else None
    wanted = recipe(kind=OutputKind.LOGITS, keep=(7,))
    tried = codec(wanted, answer.shape, (F32, dtype), (None, scale))
    np.testing.assert_array_equal(tried.decide([answer]), levels[0].argmax(axis=2))
    powers = np.exp(levels[0] * (1 if scale is None else scale.scale))
    np.testing.assert_allclose(tried.mask([answer]), 255 * powers[..., 7] / powers.sum(axis=2), atol=0.51)


@pytest.mark.parametrize(
    "shape", [(1, AREA), (1, HEIGHT, WIDTH), (HEIGHT, WIDTH), (AREA,), (1, 1, HEIGHT, WIDTH), (1, AREA, 1, 1)]
)
def test_one_plane_in_any_shape(shape: tuple[int, ...]) -> None:
    values = RANDOM.random((HEIGHT, WIDTH), np.float32)
    tried = codec(recipe(), shape)
    np.testing.assert_array_equal(tried.mask([values.reshape(shape)]), np.rint(values * 255))
    np.testing.assert_array_equal(tried.decide([values.reshape(shape)]), values > 0.5)


def test_one_plane_of_logits_is_a_sigmoid_and_does_not_overflow() -> None:
    values = np.linspace(-200, 200, AREA, dtype=np.float32).reshape(1, HEIGHT, WIDTH, 1)
    tried = codec(recipe(kind=OutputKind.LOGITS))
    expected = 255 / (1 + np.exp(-values[0, ..., 0].astype(np.float64)))
    np.testing.assert_allclose(tried.mask([values]), np.rint(expected), atol=1)
    np.testing.assert_array_equal(tried.decide([values]), values[0, ..., 0] > 0)


def test_int8_answers_stand_for_what_file_or_recipe_say() -> None:
    answer = np.arange(-12, 12, dtype=np.int8).reshape(1, HEIGHT, WIDTH, 1)
    of_file = Quantization(1 / 32, -12)
    tried = codec(recipe(), dtypes=(F32, I8), quantizations=(None, of_file))
    np.testing.assert_allclose(tried.real(answer), (answer + 12.0) / 32)
    np.testing.assert_array_equal(tried.mask([answer]), np.rint((answer[0, ..., 0] + 12.0) / 32 * 255))
    told = codec(
        recipe(output_quantization=Quantization(1 / 256, -128)), dtypes=(F32, I8), quantizations=(None, of_file)
    )
    np.testing.assert_allclose(told.real(answer), (answer + 128.0) / 256)


@pytest.mark.parametrize("shape", [(1, HEIGHT, WIDTH, 1), (1, 1, HEIGHT, WIDTH), (1, HEIGHT, WIDTH), (1, AREA)])
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float32])
def test_labels_are_kept_or_not(shape: tuple[int, ...], dtype: Any) -> None:
    labels = RANDOM.integers(0, 21, (HEIGHT, WIDTH))
    tried = codec(recipe(kind=OutputKind.LABELS, keep=(3, 15)), shape, (F32, dtype))
    answer = labels.astype(dtype).reshape(shape)
    np.testing.assert_array_equal(tried.mask([answer]), np.where(np.isin(labels, (3, 15)), 255, 0))
    np.testing.assert_array_equal(tried.decide([answer]), labels)


def test_a_map_smaller_than_the_picture_stays_small() -> None:
    tried = codec(recipe(keep=(0,)), (1, 2, 3, 2))
    assert tried.mask([np.ones((1, 2, 3, 2), np.float32)]).tolist() == [[255] * 3] * 2


def test_a_small_map_is_read_in_the_layout_in_which_its_sides_fit() -> None:
    tried = codec(recipe(keep=(20,)), (1, 21, 2, 3))
    assert tried.mask([np.ones((1, 21, 2, 3), np.float32)]).shape == (2, 3)


def test_what_is_out_of_range_is_clipped() -> None:
    answer = np.full((1, HEIGHT, WIDTH, 1), -0.5, np.float32)
    answer[0, 0] = 1.5
    assert np.unique(codec(recipe()).mask([answer])).tolist() == [0, 255]


def test_the_answer_that_the_recipe_picks() -> None:
    wanted = recipe(output_index=1)
    ports = [Port("noise", (3,), F32), Port("mask", (1, AREA), F32)]
    tried = Codec(wanted, [Port("picture", picture_shape(wanted), F32)], ports)
    assert np.all(tried.mask([np.zeros(3, np.float32), np.ones((1, AREA), np.float32)]) == 255)


@pytest.mark.parametrize(
    ("kind", "planes", "value"),
    [
        (OutputKind.PROBABILITY, 1, np.nan),
        (OutputKind.LOGITS, 1, np.nan),
        (OutputKind.LOGITS, 3, np.nan),
        (OutputKind.LOGITS, 3, np.inf),
        (OutputKind.LABELS, 1, np.nan),
        (OutputKind.LABELS, 1, np.inf),
    ],
)
def test_an_answer_that_is_no_number_is_no_mask(kind: OutputKind, planes: int, value: float) -> None:
    answer = np.zeros((1, HEIGHT, WIDTH, planes), np.float32)
    answer[0, 2, 3, 0] = value
    with pytest.raises(InferenceError, match="model 'tiny' answered with values that are no numbers"):
        codec(recipe(kind=kind, keep=(0,)), answer.shape).mask([answer])


@pytest.mark.parametrize(
    ("changes", "feeds", "answer", "sentence"),
    [
        (
            {},
            [(1, 4, 7, 3)],
            (1, 4, 6, 1),
            r"takes \[1, 4, 7, 3\], the recipe says NHWC \[1, 4, 6, 3\] \(correct width",
        ),
        ({"layout": "NCHW"}, [(1, 4, 6, 3)], (1, 4, 6, 1), r"the recipe says NCHW \[1, 3, 4, 6\]"),
        ({"prior_channel": True}, [(1, 4, 6, 3)], (1, 4, 6, 1), r"the recipe says NHWC \[1, 4, 6, 4\]"),
        ({}, [(1, 4, 6, 3)] * 2, (1, 4, 6, 1), "it has 2 inputs"),
        ({"keep": (3,)}, [(1, 4, 6, 3)], (1, 4, 6, 3), "no plane 3 in an answer of 3"),
        ({"keep": ()}, [(1, 4, 6, 3)], (1, 4, 6, 3), "keep names no plane"),
        ({"output_index": 1}, [(1, 4, 6, 3)], (1, 4, 6, 1), "no output 1, only 1"),
        ({"kind": OutputKind.LABELS}, [(1, 4, 6, 3)], (1, 4, 6, 3), r"\[1, 4, 6, 3\] is no map of labels"),
        ({"kind": OutputKind.LABELS, "keep": ()}, [(1, 4, 6, 3)], (1, 4, 6, 1), "keep names no label"),
        ({"kind": OutputKind.IMAGE}, [(1, 4, 6, 3)], (1, 4, 6, 3), "answers with a picture, and a mask is wanted"),
        ({}, [(1, 4, 6, 3)], (1, 2, 12, 3), r"the answer \[1, 2, 12, 3\] is no picture of 6x4"),
        ({}, [(1, 4, 6, 3)], (3,), r"the answer \[3\] is no picture of 6x4"),
    ],
)
def test_a_recipe_that_does_not_fit(
    changes: dict[str, Any], feeds: list[tuple[int, ...]], answer: tuple[int, ...], sentence: str
) -> None:
    with pytest.raises(ModelError, match=sentence) as caught:
        Codec(recipe(**changes), [Port("picture", shape, F32) for shape in feeds], [Port("answer", answer, F32)])
    assert str(caught.value).startswith("model 'tiny' does not fit its recipe: ")
