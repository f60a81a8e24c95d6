"""What is done to the picture before a model gets it: mean, scale, order of the colours, whole numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeseg.convert.findings import Guess, InputFinding, Question, Task
from edgeseg.convert.picture_input import Preparation
from edgeseg.types import Quantization

_WHOLE = {"i8": (-128, 127), "u8": (0, 255), "i16": (-32768, 32767), "u16": (0, 65535)}
_NEAR = 0.03  # of the range: quantisers round its ends


@dataclass(frozen=True, slots=True)
class Usual:
    """A normalisation that many models were trained with."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    used_by: str
    color_order: str = "RGB"

    @property
    def option(self) -> str:
        """As one types it."""
        order = " --color-order BGR" if self.color_order == "BGR" else ""
        return f"--mean {_numbers(self.mean)} --scale {_numbers(self.scale)}{order}: {self.used_by}"

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the recipe that it sets."""
        return {"mean_values": self.mean, "scale_values": self.scale}

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest number that the model gets."""
        mean, scale = np.array(self.mean), np.array(self.scale)
        return float(np.min((0 - mean) / scale)), float(np.max((255 - mean) / scale))


UNIT = Usual((0.0,), (255.0,), "0..1, as MediaPipe and most of Keras")
SIGNED = Usual((127.5,), (127.5,), "-1..1, as MobileNet and DeepLab")
IMAGENET = Usual((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), "mean and deviation of ImageNet, as PyTorch")
IMAGENET_BGR = Usual(
    (123.675, 116.28, 103.53), (58.395, 57.12, 57.375), "the same numbers on blue, green, red, as PaddleOCR", "BGR"
)
CAFFE = Usual((103.94, 116.78, 123.68), (58.8235,), "mean of ImageNet times 0.017, as Caffe", "BGR")
RAW = Usual((0.0,), (1.0,), "0..255, where the model begins with its own normalisation")
USUAL = (UNIT, SIGNED, IMAGENET, CAFFE, RAW)


def guess(
    picture: InputFinding, prepared: Preparation, facts: Mapping[str, Any], task: Task
) -> tuple[list[Guess], list[Question]]:
    """Mean, scale, quantisation and colour order as far as graph and file tell, and questions for the rest."""
    guesses: list[Guess] = []
    questions: list[Question] = []
    order = _from_facts(facts, "color_order") or _order_of(prepared)
    if picture.element == "u8" and _changes_nothing(facts):
        guesses += _set(RAW, "mean, scale and quantisation in the file come to the levels 0..255 as they are")
    elif "mean_values" in facts or "scale_values" in facts:
        guesses += [entry for key in _NORMAL if (entry := _from_facts(facts, key))]
    else:
        normal, question = _normal(picture, prepared, facts, task)
        guesses += normal
        questions += [question] if question else []
    if order is not None:
        guesses.append(order)
    else:
        questions.append(_ask_order(task, questions))
    return guesses, questions


_NORMAL = ("mean_values", "scale_values", "input_quantization")


def _changes_nothing(facts: Mapping[str, Any]) -> bool:
    """Whether 0 and 255 stay 0 and 255, give or take one, through mean, scale and quantisation."""
    if not facts.keys() >= {*_NORMAL}:
        return False
    mean, scale = np.array(facts["mean_values"]), np.array(facts["scale_values"])
    quantization: Quantization = facts["input_quantization"]
    ends = [(level - mean) / scale / quantization.scale + quantization.zero_point - level for level in (0, 255)]
    return bool(np.max(np.abs(ends)) <= 1)


def _normal(
    picture: InputFinding, prepared: Preparation, facts: Mapping[str, Any], task: Task
) -> tuple[list[Guess], Question | None]:
    quantization = facts.get("input_quantization") or prepared.quantization
    if picture.element in _WHOLE and quantization is not None:
        return _quantized(picture.element, quantization)
    if picture.element in _WHOLE or picture.element in {"i32", "u32", "i64", "u64"}:
        return _set(RAW, f"the input is {picture.element}: it takes 0..255 as they are"), None
    if prepared.operators:
        return _from_graph(prepared), None
    usual, hint = _hint(picture, task)
    others = [entry for entry in USUAL if entry is not usual]
    why = f"the input is {picture.element}, and nothing in the file says what its numbers mean{hint}"
    options = tuple(entry.option for entry in (usual, *others))
    return [], Question("mean_values, scale_values", why, options, "--mean, --scale", usual.fields)


def _hint(picture: InputFinding, task: Task) -> tuple[Usual, str]:
    if task is Task.TEXT_DETECTION:
        return IMAGENET_BGR, "; text detectors of this build take the first"
    if picture.name.lower().startswith(("sub", "truediv")):
        return SIGNED, f"; that it is called {picture.name!r} says that a subtraction stood before it"
    return UNIT, ""


def _quantized(element: str, quantization: Quantization) -> tuple[list[Guess], Question | None]:
    low, high = ((whole - quantization.zero_point) * quantization.scale for whole in _WHOLE[element])
    said = f"{element} stands for {low:.4g}..{high:.4g}"
    whole = Guess("input_quantization", quantization, f"the file says so: {said}")
    exact = [usual for usual in (UNIT, SIGNED, RAW) if _far(usual, low, high) < _NEAR]
    if exact and element == "u8":
        return _set(RAW, f"{said}: the levels 0..255 as they are"), None
    if exact:
        return [whole, *_set(exact[0], f"{said}: {exact[0].used_by}")], None
    ordered = sorted(USUAL, key=lambda usual: _far(usual, low, high))
    why = f"{said}, which the first of these comes nearest to"
    options = tuple(usual.option for usual in ordered)
    return [whole], Question("mean_values, scale_values", why, options, "--mean, --scale", ordered[0].fields)


def _far(usual: Usual, low: float, high: float) -> float:
    """How far the ends of two ranges are apart, as a share of the range."""
    return max(abs(usual.range[0] - low), abs(usual.range[1] - high)) / (high - low)


def _from_graph(prepared: Preparation) -> list[Guess]:
    slope, offset = float(np.abs(prepared.slope).max()), float(np.abs(prepared.offset).max())
    raw = slope < 0.1 or (slope == 1 and offset > 2)  # (x - 123.7), x / 127.5 - 1; else (x - 0.5) / 0.5 and the like
    begins = f"the graph begins with {', '.join(prepared.operators)}: x * {slope:.4g} {'±'} {offset:.4g}"
    return _set(RAW if raw else UNIT, f"{begins}, which is made for {'0..255' if raw else '0..1'}")


def _order_of(prepared: Preparation) -> Guess | None:
    """Of the mean values of photographs that everybody uses, red is the largest and blue the smallest."""
    if prepared.offset.size != 3:
        return None
    mean = -prepared.offset / prepared.slope
    if np.all(np.diff(mean) < 0) or np.all(np.diff(mean) > 0):
        order = "RGB" if mean[0] > mean[2] else "BGR"
        return Guess("color_order", order, f"the graph subtracts {_numbers(tuple(mean))}, and red is the largest")
    return None


def _ask_order(task: Task, others: list[Question]) -> Question:
    blue_first = task is Task.TEXT_DETECTION or any(CAFFE.fields == question.assumed for question in others)
    options = ("--color-order RGB: most models", "--color-order BGR: made with OpenCV or Caffe, PaddleOCR, SINet")
    why = "no file says whether red or blue comes first"
    return Question(
        *("color_order", why, options[::-1] if blue_first else options, "--color-order"),
        assumed={"color_order": "BGR" if blue_first else "RGB"},
    )


def _set(usual: Usual, why: str) -> list[Guess]:
    return [Guess(field, value, why) for field, value in usual.fields.items()]


def _from_facts(facts: Mapping[str, Any], key: str) -> Guess | None:
    return Guess(key, facts[key], "the file says so") if key in facts else None


def _numbers(values: tuple[float, ...]) -> str:
    return ",".join(f"{value:.6g}" for value in values)
