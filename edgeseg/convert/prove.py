"""Compares a converted model with the original, each on its own runtime."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edgeseg.errors import ModelError
from edgeseg.ovruntime import ov
from edgeseg.types import U8, OutputKind, Recipe

Answers = list[npt.NDArray[Any]]
_MADE_UP = 6


@dataclass(frozen=True, slots=True)
class Proof:
    """How alike two models answered. ``agreement`` is the share of pixels, 0..1, on which both decide alike (keep or
    not, which label); ``largest_difference`` is that of all numbers of all outputs.
    """

    runtime: str
    pictures: int
    agreement: float
    largest_difference: float


def prove_tflite(source: Path, recipe: Recipe, pictures: Sequence[Path] = ()) -> Proof | None:
    """Run ``source`` in ai-edge-litert and ``recipe.path`` in OpenVINO (f32) on the same pictures.

    ``pictures`` are photographs; without any, patterns are made up. None when ai-edge-litert is not installed.

    Raises:
        ModelError: one of the two does not run, or a picture cannot be read.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        return None
    try:
        interpreter = Interpreter(model_path=str(source))
        interpreter.allocate_tensors()
        return _compare("ai-edge-litert", _litert(interpreter), _openvino(recipe), recipe, pictures)
    except (RuntimeError, ValueError) as exc:
        raise ModelError(
            f"{source} could not be compared with the original: {exc}", hint="--no-proof skips it"
        ) from exc


def _compare(runtime: str, original: Any, ours: Any, recipe: Recipe, pictures: Sequence[Path]) -> Proof:
    alike, pixels, largest, count = 0, 0, 0.0, 0
    for picture in _tensors(recipe, pictures):
        expected, got = original(picture), ours(picture)
        for one, other in zip(expected, got, strict=True):
            difference = np.abs(one.reshape(-1).astype(np.float64) - other.reshape(-1))
            largest = max(largest, float(difference.max(initial=0.0)))
        decided = [_decide(answers[recipe.output_index], recipe) for answers in (expected, got)]
        alike += int(np.count_nonzero(decided[0] == decided[1]))
        pixels += decided[0].size
        count += 1
    return Proof(runtime, count, alike / pixels, largest)


def _litert(interpreter: Any) -> Any:
    feed = interpreter.get_input_details()[0]
    outputs = interpreter.get_output_details()

    def run(picture: npt.NDArray[np.float32]) -> Answers:
        interpreter.set_tensor(feed["index"], _as_type(picture, feed["dtype"]))
        interpreter.invoke()
        return [np.asarray(interpreter.get_tensor(output["index"])) for output in outputs]

    return run


def _openvino(recipe: Recipe) -> Any:
    compiled = ov.Core().compile_model(recipe.path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    dtype = compiled.input().get_element_type().to_dtype()

    def run(picture: npt.NDArray[np.float32]) -> Answers:
        answers = compiled([_as_type(picture, dtype)])
        return [np.asarray(answers[index]) for index in range(len(compiled.outputs))]

    return run


def _as_type(picture: npt.NDArray[np.float32], dtype: Any) -> npt.NDArray[Any]:
    return picture.astype(dtype) if np.issubdtype(dtype, np.floating) else np.rint(picture).astype(dtype)


def _decide(answer: npt.NDArray[Any], recipe: Recipe) -> npt.NDArray[Any]:
    """What the answer says about each pixel."""
    if recipe.kind is OutputKind.LABELS:
        return answer.reshape(-1)
    planes = answer.reshape(-1, answer.shape[-1] if answer.ndim == 4 else 1)
    if planes.shape[1] > 1:
        return np.asarray(planes.argmax(axis=1))
    return np.asarray(planes[:, 0] > (0.5 if recipe.kind is OutputKind.PROBABILITY else 0.0))


def _tensors(recipe: Recipe, pictures: Sequence[Path]) -> Iterator[npt.NDArray[np.float32]]:
    """f32 [1, h, w, 3], normalised as the model wants it."""
    for rgb in _photographs(recipe, pictures) if pictures else _patterns(recipe):
        ordered = rgb if recipe.color_order == "RGB" else rgb[..., ::-1]
        mean, scale = (np.array(values, np.float32) for values in (recipe.mean_values, recipe.scale_values))
        normal = (ordered.astype(np.float32) - mean) / scale
        yield np.ascontiguousarray(normal[None], np.float32)


def _photographs(recipe: Recipe, pictures: Sequence[Path]) -> Iterator[U8]:
    for path in pictures:
        bgr = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        if bgr is None:
            raise ModelError(f"{path} is no picture that can be read")
        small = cv2.resize(bgr, (recipe.width, recipe.height), interpolation=cv2.INTER_AREA)
        yield np.asarray(small[..., ::-1], np.uint8)


def _patterns(recipe: Recipe) -> Iterator[U8]:
    """Blotches of all sizes, always the same ones."""
    random = np.random.default_rng(0)
    for index in range(_MADE_UP):
        coarse = random.integers(0, 256, (2 ** (index + 1), 2 ** (index + 1), 3), np.uint8)
        yield np.asarray(cv2.resize(coarse, (recipe.width, recipe.height), interpolation=cv2.INTER_CUBIC), np.uint8)
