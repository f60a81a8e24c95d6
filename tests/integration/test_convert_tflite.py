"""Every .tflite file among the optional models: read, and compared with its own runtime on photographs.

The recipes are what was found to be right for each. OpenVINO computes in f32 on the CPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgeseg.backends.codec import Codec
from edgeseg.backends.litert import LiteRtEngine
from edgeseg.convert.readers.tflite import read
from edgeseg.errors import ModelError
from edgeseg.ovruntime import ov
from edgeseg.types import U8, OutputKind, Quantization, Recipe
from tests.shared import shared

PEOPLE = ("person60/images/105.jpg", "person60/images/55.jpg", "person60/images/160.jpg")
STREET = ("gt_semantic/cityscapes_segmentation.bmp",)
ROAD = 0
CAFFE = {"color_order": "BGR", "mean_values": (103.94, 116.78, 123.68), "scale_values": (1 / 0.017,)}
CHANCES = Quantization(1 / 256, -128)
RAW = {"scale_values": (1.0,)}
SIGNED = {"mean_values": (127.5,), "scale_values": (127.5,)}
LABELS = {"kind": OutputKind.LABELS}
PERSON = {"pascal": 15, "ade20k": 13}


@dataclass(frozen=True)
class Case:
    """A file, its recipe and how far it has to agree: intersection over union of all masks together.

    Networks of whole numbers cannot be held to more: LiteRT's own two sets of kernels (XNNPACK and the built-in ones)
    agree with each other to 0.982 (prisma_quant) and 0.992 (pascal) on six photographs.
    """

    name: str
    size: tuple[int, int]
    recipe: dict[str, Any]
    least: float = 0.999
    pictures: tuple[str, ...] = PEOPLE

    def make(self, path: Path) -> Recipe:
        return Recipe(name=self.name, path=str(path), width=self.size[0], height=self.size[1], **self.recipe)


CASES = [
    Case("selfie_segmentation", (256, 256), {}),
    Case("selfie_segmentation_landscape", (256, 144), {}),
    Case("prisma-net", (256, 256), {}),
    Case("slim_reshape_v2", (512, 512), {}),
    Case("hair_segmentation", (512, 512), {"prior_channel": True, "kind": OutputKind.LOGITS}),
    Case("prisma_quant", (256, 256), {"output_quantization": CHANCES}, 0.97),
    Case(
        "portrait_video_quant",
        (224, 224),
        {**CAFFE, "prior_channel": True, "input_quantization": Quantization(0.0183159988373518, -13)},
        0.96,
    ),
    Case("deeplabv3_mnv2_pascal_quant", (513, 513), {**RAW, **LABELS, "keep": (PERSON["pascal"],)}, 0.98),
    Case(
        "deeplab_mobilenet_edgetpu_slim_cityscapes_quant",
        (513, 513),
        {**RAW, **LABELS, "keep": (ROAD,)},
        0.99,
        STREET,
    ),
    Case(
        "deeplabv3_mnv2_ade20k_513",
        (513, 513),
        {**SIGNED, "kind": OutputKind.LOGITS, "keep": (PERSON["ade20k"],)},
        0.98,
    ),
]


def photograph(recipe: Recipe, name: str) -> U8:
    bgr = cv2.imread(str(shared(*name.split("/"))), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    assert bgr is not None, name
    small = cv2.resize(bgr, (recipe.width, recipe.height), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray((small if recipe.color_order == "BGR" else small[..., ::-1])[None])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_masks_agree_with_the_runtime_of_the_file(case: Case) -> None:
    path = shared("models", f"{case.name}.tflite")
    recipe = case.make(path)
    engine = LiteRtEngine(path)
    codec = Codec(recipe, engine.inputs, engine.outputs)
    compiled = ov.Core().compile_model(read(path).model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    both = either = 0
    prior = None
    for name in case.pictures:
        feed = codec.encode(photograph(recipe, name), prior)
        answers = engine.run([feed])
        kept = [np.isin(codec.decide(each), recipe.keep) for each in (answers, [compiled([feed])[0]])]
        both += int(np.count_nonzero(kept[0] & kept[1]))
        either += int(np.count_nonzero(kept[0] | kept[1]))
        prior = codec.mask(answers).copy() if recipe.prior_channel else None
    assert either > 0
    assert both / either >= case.least


@pytest.mark.parametrize("name", ["prisma_quant_edgetpu", "deeplabv3_mnv2_dm05_pascal_quant_edgetpu"])
def test_edge_tpu_builds_are_explained(name: str) -> None:
    with pytest.raises(ModelError, match="compiled for the Edge TPU"):
        read(shared("models", f"{name}.tflite"))


def test_style_transfer_takes_a_picture_and_a_style() -> None:
    path = shared("models", "style_transfer_quantized_384.tflite")
    engine = LiteRtEngine(path)
    compiled = ov.Core().compile_model(read(path).model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    random = np.random.default_rng(0)
    recipe = Recipe(name="style", path=str(path), width=384, height=384)
    picture = (photograph(recipe, PEOPLE[0]) / 255).astype(np.float32)
    style = random.normal(size=(1, 1, 1, 100)).astype(np.float32)
    feeds = [picture if port.shape[-1] == 3 else style for port in engine.inputs]
    names = [port.name for port in engine.inputs]
    difference = engine.run(feeds)[0] - np.asarray(compiled(dict(zip(names, feeds)))[0])
    assert np.abs(difference).mean() < 0.03


def test_a_classifier_names_the_same_class() -> None:
    path = shared("models", "tf2_mobilenet_v2_1.0_224_ptq.tflite")
    source = read(path)
    assert source.facts["labels"][1] == "tench, Tinca tinca"
    assert source.facts["mean_values"] == source.facts["scale_values"] == (127.5,)
    engine = LiteRtEngine(path)
    compiled = ov.Core().compile_model(source.model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    recipe = Recipe(name="classifier", path=str(path), width=224, height=224)
    for name in PEOPLE:
        picture = photograph(recipe, name)
        assert engine.run([picture])[0].argmax() == np.asarray(compiled([picture])[0]).argmax()
