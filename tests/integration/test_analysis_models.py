"""What the analysis says about real models, without being told anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from edgeseg.convert.analysis import analyse
from edgeseg.convert.findings import Findings, Task
from edgeseg.convert.readers import tflite
from edgeseg.convert.source_model import SourceModel
from edgeseg.labels.table import by_count
from edgeseg.ovruntime import ov
from edgeseg.types import OutputKind
from tests.shared import shared


def look(name: str) -> Findings:
    path = shared("models", name)
    if path.suffix == ".tflite":
        return analyse(tflite.read(path))
    return analyse(SourceModel(path, path.suffix, "NCHW", ov.Core().read_model(str(path))))


CASES: dict[str, dict[str, Any]] = {
    "SINet_Softmax.onnx": {"width": 320, "layout": "NCHW", "kind": OutputKind.PROBABILITY, "keep": (1,)},
    "deeplab_aiseg513_frozen_inference_graph.pb": {
        "width": 513,
        "height": 513,
        "kind": OutputKind.LABELS,
        "keep": (1,),
        "scale_values": (1.0,),
        "output_index": 0,
    },
    "deeplabv3_mnv2_ade20k_513.tflite": {"kind": OutputKind.LOGITS, "keep": (13,), "scale_values": (127.5,)},
    "deeplabv3_mnv2_pascal_quant.tflite": {"kind": OutputKind.LABELS, "keep": (15,), "scale_values": (1.0,)},
    "deeplab_mobilenet_edgetpu_slim_cityscapes_quant.tflite": {"kind": OutputKind.LABELS, "keep": (11,)},
    "hair_segmentation.tflite": {"prior_channel": True, "kind": OutputKind.LOGITS, "keep": (1,)},
    "portrait_video_quant.tflite": {
        "prior_channel": True,
        "kind": OutputKind.PROBABILITY,
        "color_order": "BGR",
        "mean_values": (103.94, 116.78, 123.68),
    },
    "prisma-net.tflite": {"width": 256, "height": 256, "kind": OutputKind.PROBABILITY},
    "prisma_quant.tflite": {"kind": OutputKind.PROBABILITY, "scale_values": (255.0,)},
    "selfie_segmentation.tflite": {"width": 256, "height": 256, "kind": OutputKind.PROBABILITY},
    "selfie_segmentation_landscape.tflite": {"width": 256, "height": 144, "kind": OutputKind.PROBABILITY},
    "slim_reshape_v2.tflite": {"width": 512, "kind": OutputKind.PROBABILITY},
}


@pytest.mark.parametrize("name", CASES)
def test_a_segmentation_model_is_understood(name: str) -> None:
    findings = look(name)
    assert findings.task is Task.SEGMENTATION
    assert not findings.ambiguous
    assert findings.obstacles == ()
    assert findings.fields().items() >= CASES[name].items()


def test_the_quantisation_of_the_video_model_is_read_off_its_graph() -> None:
    fields = look("portrait_video_quant.tflite").fields()
    assert fields["input_quantization"].scale == pytest.approx(0.018316, rel=1e-4)
    assert fields["input_quantization"].zero_point == -13
    assert fields["output_quantization"].scale == pytest.approx(1 / 256)
    assert fields["output_quantization"].zero_point == -128


def test_the_nodes_of_the_frozen_graph_are_found() -> None:
    findings = look("deeplab_aiseg513_frozen_inference_graph.pb")
    assert findings.picture is not None
    assert findings.best is not None
    assert findings.picture.name == "ImageTensor:0"
    assert findings.best.name == "SemanticPredictions:0"
    assert [entry.name for entry in findings.outputs] == ["SemanticPredictions:0", "SemanticProbabilities:0"]


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("style_predict_quantized_256.tflite", Task.VECTOR),
        ("style_transfer_quantized_384.tflite", Task.STYLE_TRANSFER),
        ("tf2_mobilenet_v2_1.0_224_ptq.tflite", Task.CLASSIFICATION),
        ("ch_PP-OCRv3_det_infer.onnx", Task.TEXT_DETECTION),
    ],
)
def test_other_models_are_named(name: str, task: Task) -> None:
    assert look(name).task is task


def test_the_label_tables_are_those_of_the_data_sets() -> None:
    for count, file in ((21, "voc_20cl_bkgr.txt"), (19, "cityscapes_19cl.txt")):
        table = by_count(count)
        assert table is not None
        assert list(table.names) == _lines(shared("labels", file))
    ade = by_count(151)
    assert ade is not None
    rows = [line.split(",") for line in _lines(shared("labels", "ade20k_objectInfo150.csv"))[1:]]
    assert [int(row[0]) for row in rows] == list(range(1, 151))
    for number, words in ((int(row[0]), row[-1].split(";")) for row in rows):
        assert set(ade.names[number].split()) <= {*words}, number


def _lines(path: Path) -> Sequence[str]:
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
