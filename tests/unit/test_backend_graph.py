"""The graph round a model: every kind of answer and of input becomes u8 in, u8 out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edgeseg.backends.graph import wrap
from edgeseg.errors import ModelError
from edgeseg.ovruntime import ov
from edgeseg.types import U8, Activation, OutputKind, Quantization, Recipe

WIDTH, HEIGHT = 6, 4
ops = ov.opset13
PICTURE = np.random.default_rng(0).integers(0, 256, (1, HEIGHT, WIDTH, 3), np.uint8)


def recipe(**changes: Any) -> Recipe:
    return Recipe(**{"name": "tiny", "path": "", "width": WIDTH, "height": HEIGHT, **changes})


def model(answer: Callable[[Any], Any], dtype: Any = np.float32, layout: str = "NHWC") -> Any:
    shape = [1, HEIGHT, WIDTH, 3] if layout == "NHWC" else [1, 3, HEIGHT, WIDTH]
    picture = ops.parameter(shape, dtype)
    return ov.Model([ops.result(answer(picture))], [picture])


def mask(tiny: Any, wanted: Recipe) -> U8:
    answers = ov.Core().compile_model(wrap(tiny, wanted), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([PICTURE])
    answer = np.asarray(answers[0])
    assert answer.dtype == np.uint8
    assert answers[1].tolist() == [0]  # not broken
    return answer


def levels(planes: npt.NDArray[Any]) -> U8:
    return np.clip(np.rint(planes * 255), 0, 255).astype(np.uint8)


X = PICTURE[0].astype(np.float32)


def test_mean_and_scale_per_channel() -> None:
    wanted = recipe(mean_values=(10, 20, 30), scale_values=(100, 200, 400), keep=(2,))
    got = mask(model(ops.abs), wanted)
    np.testing.assert_allclose(got, levels(np.abs((X[..., 2] - 30) / 400)), atol=1)


def test_planes_first_models_get_a_transposed_picture() -> None:
    got = mask(model(ops.abs, layout="NCHW"), recipe(layout="NCHW", keep=(1,)))
    np.testing.assert_array_equal(got, PICTURE[0, ..., 1])


def test_an_answer_in_the_other_layout_is_noticed() -> None:
    got = mask(model(lambda x: ops.transpose(x, np.array([0, 3, 1, 2]))), recipe(keep=(2,)))
    np.testing.assert_array_equal(got, PICTURE[0, ..., 2])


def test_whole_number_inputs_get_the_picture_as_it_is() -> None:
    got = mask(
        model(lambda x: ops.divide(ops.convert(x, "f32"), np.float32(255)), np.uint8),
        recipe(scale_values=(1,), keep=(0,)),
    )
    np.testing.assert_array_equal(got, PICTURE[0, ..., 0])


@pytest.mark.parametrize("shape", [[1, HEIGHT * WIDTH], [1, HEIGHT, WIDTH], [HEIGHT, WIDTH], [HEIGHT * WIDTH]])
def test_flat_answers_and_those_without_batch(shape: list[int]) -> None:
    def answer(x: Any) -> Any:
        return ops.reshape(ops.reduce_mean(x, np.array([3])), np.array(shape), special_zero=False)

    np.testing.assert_allclose(mask(model(answer), recipe()), X.mean(axis=2), atol=0.51)


def test_one_plane_of_logits_is_a_sigmoid() -> None:
    got = mask(
        model(lambda x: ops.gather(x, np.array([0]), np.int64(3))),
        recipe(kind=OutputKind.LOGITS, mean_values=(128,), scale_values=(32,)),
    )
    np.testing.assert_allclose(got, levels(1 / (1 + np.exp(-(X[..., 0] - 128) / 32))), atol=1)


def test_several_planes_of_logits_are_a_softmax() -> None:
    got = mask(model(ops.abs), recipe(kind=OutputKind.LOGITS, keep=(1,), scale_values=(64,)))
    powers = np.exp(X / 64)
    np.testing.assert_allclose(got, levels(powers[..., 1] / powers.sum(axis=2)), atol=1)


@pytest.mark.parametrize("keep", [(0,), (1,), (0, 2)])
@pytest.mark.parametrize("axes", [[], [0], [3]], ids=["hw", "1hw", "hw1"])
def test_labels_are_kept_or_not(keep: tuple[int, ...], axes: list[int]) -> None:
    def answer(x: Any) -> Any:
        best = ops.topk(x, np.int64(1), 3, "max", "none", "i64").output(1)
        found = ops.squeeze(best, np.array([0, 3]))
        if axes == [3]:
            return best
        return ops.unsqueeze(found, np.array(axes)) if axes else found

    got = mask(model(answer), recipe(kind=OutputKind.LABELS, keep=keep))
    np.testing.assert_array_equal(got, np.where(np.isin(X.argmax(axis=2), keep), 255, 0))


def test_the_kept_planes_of_a_softmax_add_up() -> None:
    got = mask(model(ops.abs), recipe(kind=OutputKind.LOGITS, keep=(0, 2), scale_values=(64,)))
    powers = np.exp(X / 64)
    np.testing.assert_allclose(got, levels((powers[..., 0] + powers[..., 2]) / powers.sum(axis=2)), atol=1)


def test_of_several_sigmoids_the_surest_counts() -> None:
    wanted = recipe(kind=OutputKind.LOGITS, activation=Activation.SIGMOID, keep=(0, 2), mean_values=(128,))
    got = mask(model(ops.abs), dataclasses.replace(wanted, scale_values=(32,)))
    logits = np.abs((X - 128) / 32)
    np.testing.assert_allclose(got, levels(1 / (1 + np.exp(-logits[..., [0, 2]].max(axis=2)))), atol=1)


@pytest.mark.parametrize("classes_first", [False, True])
def test_flat_answers_with_classes(classes_first: bool) -> None:
    def answer(x: Any) -> Any:
        if classes_first:
            return ops.reshape(ops.transpose(x, np.array([0, 3, 1, 2])), np.array([1, 3, -1]), special_zero=False)
        return ops.reshape(x, np.array([1, -1, 3]), special_zero=False)

    np.testing.assert_array_equal(mask(model(answer), recipe(keep=(2,))), PICTURE[0, ..., 2])


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize(
    "shape", [[1, 24, 1, 3], [1, 1, 24, 3], [1, 3, 24, 1], [1, 3, 1, 24]], ids=["n1c", "1nc", "cn1", "c1n"]
)
def test_flat_answers_that_kept_an_axis_of_one(shape: list[int], layout: str) -> None:
    def answer(x: Any) -> Any:
        last = x if layout == "NHWC" else ops.transpose(x, np.array([0, 2, 3, 1]))
        turned = ops.transpose(last, np.array([0, 3, 1, 2])) if shape[1] == 3 else last
        return ops.reshape(turned, np.array(shape), special_zero=False)

    got = mask(model(answer, layout=layout), recipe(layout=layout, keep=(2,)))
    np.testing.assert_array_equal(got, PICTURE[0, ..., 2])


def test_whole_numbers_that_stand_for_real_ones() -> None:
    """int8 in and out, as quantised networks have it: q = v / scale + zero_point, clipped to the type."""

    def answer(x: Any) -> Any:
        return ops.gather(x, np.array([1]), np.int64(3))

    wanted = recipe(
        mean_values=(127.5,),
        scale_values=(127.5,),
        input_quantization=Quantization(1 / 100, -13),
        output_quantization=Quantization(1 / 256, -128),
    )
    q = np.clip(np.rint((X[..., 1] - 127.5) / 127.5 * 100 - 13), -128, 127)
    np.testing.assert_allclose(mask(model(answer, np.int8), wanted), levels((q + 128) / 256), atol=1)


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_the_mask_of_the_frame_before_is_the_fourth_plane(layout: str) -> None:
    shape, axis = ([1, HEIGHT, WIDTH, 4], 3) if layout == "NHWC" else ([1, 4, HEIGHT, WIDTH], 1)
    picture = ops.parameter(shape, np.float32)
    tiny = ov.Model([ops.result(ops.gather(picture, np.array([3]), np.int64(axis)))], [picture])
    wrapped = wrap(tiny, recipe(layout=layout, prior_channel=True, mean_values=(9,), scale_values=(3,)))
    prior = np.random.default_rng(1).integers(0, 256, (1, HEIGHT, WIDTH, 1), np.uint8)
    compiled = ov.Core().compile_model(wrapped, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    np.testing.assert_array_equal(compiled([PICTURE, prior])[0], prior[0, ..., 0])


BROKEN: dict[str, tuple[dict[str, Any], int, float, int]] = {  # recipe, planes, value, in which plane
    "probability": ({}, 1, np.nan, 0),
    "kept plane": ({"keep": (0, 2)}, 3, np.nan, 0),
    "sigmoid": ({"kind": OutputKind.LOGITS}, 1, np.nan, 0),
    "softmax, plane that is not kept": ({"kind": OutputKind.LOGITS, "keep": (2,)}, 3, np.nan, 0),
    "softmax, infinite": ({"kind": OutputKind.LOGITS, "keep": (2,)}, 3, np.inf, 1),
    "largest sigmoid": (
        {"kind": OutputKind.LOGITS, "activation": Activation.SIGMOID, "keep": (0, 1)},
        3,
        np.nan,
        0,
    ),
    "label": ({"kind": OutputKind.LABELS, "keep": (0,)}, 1, np.nan, 0),
    "infinite label": ({"kind": OutputKind.LABELS, "keep": (0,)}, 1, -np.inf, 0),
}


@pytest.mark.parametrize("hint", [{}, {"INFERENCE_PRECISION_HINT": "f32"}], ids=["auto", "f32"])
@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_number_sets_the_second_output(name: str, hint: dict[str, str]) -> None:
    changes, planes, value, plane = BROKEN[name]

    def answer(x: Any) -> Any:
        """``value`` in ``plane`` of every pixel that is white, 0 elsewhere."""
        white = ops.greater(ops.gather(x, np.array([0]), np.int64(3)), np.float32(254 / 255))
        odd, plain = ops.select(white, np.float32(value), np.float32(0)), ops.multiply(x, np.float32(0))
        zero = ops.gather(plain, np.array([0]), np.int64(3))
        return ops.concat([odd if index == plane else zero for index in range(planes)], 3) if planes > 1 else odd

    compiled = ov.Core().compile_model(wrap(model(answer), recipe(**changes)), "CPU", hint)
    picture = np.zeros((1, HEIGHT, WIDTH, 3), np.uint8)
    for expected in (0, 1, 0):
        picture[0, 2, 3] = 255 * expected
        broken = compiled([picture])[1]
        assert broken.dtype == np.uint8
        assert broken.tolist() == [expected]


@pytest.mark.parametrize("offset", [-0.0001, 0.0001])
def test_labels_of_real_type_are_rounded(offset: float) -> None:
    label = int(PICTURE[0, 1, 2, 0])
    wanted = recipe(kind=OutputKind.LABELS, keep=(label,), scale_values=(1.0,))
    got = mask(model(lambda x: ops.add(ops.gather(x, np.array([0]), np.int64(3)), np.float32(offset))), wanted)
    np.testing.assert_array_equal(got, np.where(PICTURE[0, ..., 0] == label, 255, 0))


def test_what_is_out_of_range_is_clamped() -> None:
    got = mask(model(lambda x: ops.subtract(ops.multiply(x, np.float32(4)), np.float32(1))), recipe(keep=(0,)))
    np.testing.assert_array_equal(got, levels(X[..., 0] / 255 * 4 - 1))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"width": 7}, r"takes \[1,4,6,3\], the recipe says NHWC \[1, 4, 7, 3\] \(correct width"),
        ({"layout": "NCHW"}, r"the recipe says NCHW \[1, 3, 4, 6\]"),
        ({"keep": (3,)}, "no plane 3 in an answer of 3"),
        ({"keep": ()}, "keep names no plane"),
        ({"kind": OutputKind.IMAGE}, "answers with a picture"),
        ({"output_index": 1}, "no output 1, only 1"),
        ({"kind": OutputKind.LABELS}, r"\[1, 4, 6, 3\] is no map of labels"),
        ({"kind": OutputKind.LABELS, "keep": ()}, "keep names no label"),
    ],
)
def test_a_recipe_that_does_not_fit(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence) as caught:
        wrap(model(ops.abs), recipe(**changes))
    assert str(caught.value).startswith("model 'tiny' does not fit its recipe: ")


def test_a_picture_of_other_proportions_is_no_mask() -> None:
    with pytest.raises(ModelError, match=r"the answer \[1, 2, 12, 3\] is no picture of 6x4"):
        wrap(model(lambda x: ops.reshape(x, np.array([1, 2, 12, 3]), special_zero=False)), recipe())


def test_an_answer_that_is_no_picture() -> None:
    with pytest.raises(ModelError, match=r"the answer \[3\] is no picture of 6x4"):
        wrap(model(lambda x: ops.reduce_mean(x, np.array([0, 1, 2]))), recipe())
