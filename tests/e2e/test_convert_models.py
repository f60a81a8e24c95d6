"""``edgeseg convert`` on models that people find, told only what no file tells: the masks are those of the source."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgeseg.backends.litert import LiteRtEngine
from edgeseg.backends.openvino_engine import OpenVinoEngine
from edgeseg.cli import main
from edgeseg.convert import photographs
from edgeseg.convert.prove import prove
from edgeseg.errors import EXIT_MODEL, EXIT_OK, EXIT_USAGE
from edgeseg.recipes import load_recipe
from edgeseg.types import OutputKind, Recipe
from tests.shared import shared

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

BGR_OF_SINET = "--color-order BGR --mean 102.890434,111.25247,126.91212 --scale 16047.89,16019.45,16923.26"
PERSON = {"pascal": 15, "cityscapes": 11, "ade20k": 13}
OURS, OWN = re.compile(r"OpenVINO f32: mask IoU ([\d.]+)"), re.compile(r"itself: mask IoU ([\d.]+)")
ROUNDED = re.compile(r"with the roundings of .+: mask IoU ([\d.]+)")


def convert(file: str, target: Path, options: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = main(["convert", str(shared("models", file)), "-o", str(target), *options.split()])
    said = capsys.readouterr()
    return code, said.out + said.err


def converted(file: str, target: Path, options: str, capsys: pytest.CaptureFixture[str]) -> tuple[Recipe, str]:
    code, said = convert(file, target, options, capsys)
    assert code == EXIT_OK, said
    return load_recipe(target), said


@pytest.mark.parametrize(
    ("file", "options"),
    [
        ("selfie_segmentation.tflite", ""),
        ("selfie_segmentation_landscape.tflite", ""),
        ("prisma-net.tflite", ""),
        ("slim_reshape_v2.tflite", ""),
        ("SINet_Softmax.onnx", BGR_OF_SINET),
        ("hair_segmentation.tflite", "--mean 0 --scale 255"),
        ("deeplabv3_mnv2_pascal_quant.tflite", ""),
        ("ch_PP-OCRv3_det_infer.onnx", "--size 640x640"),
    ],
)
def test_the_mask_is_that_of_the_source(
    file: str, options: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, said = converted(file, tmp_path / "out", options, capsys)
    ours = OURS.search(said)
    assert ours, said
    assert float(ours[1]) >= 0.99


@pytest.mark.parametrize(
    ("file", "exact"),
    [
        ("prisma_quant.tflite", True),
        ("portrait_video_quant.tflite", False),  # f32 does not hold all that its kernels multiply by
        ("deeplab_mobilenet_edgetpu_slim_cityscapes_quant.tflite", True),
    ],
)
def test_whole_numbers_are_rounded_as_in_the_source(
    file: str, exact: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Otherwise they differ by more than the bound (decision 0008)."""
    recipe, said = converted(file, tmp_path / "out", "", capsys)
    ours, rounded = OURS.search(said), ROUNDED.search(said)
    assert ours, said
    assert rounded, said
    assert float(ours[1]) < 0.99 <= float(rounded[1])
    assert not exact or float(rounded[1]) == 1
    engines = LiteRtEngine(shared("models", file)), OpenVinoEngine(Path(recipe.path))
    assert prove(*engines, recipe, photographs.bundled()).iou == pytest.approx(float(rounded[1]), abs=1e-4)


def test_the_faster_one_can_be_had(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, said = converted("prisma_quant.tflite", tmp_path / "out", "--least-iou 0.95", capsys)
    assert not ROUNDED.search(said)


def test_pixels_that_are_rounded_by_their_own_range_are_as_near_as_the_source_is_to_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two sets of kernels of the source's own runtime agree to less than 0.99 (decision 0008)."""
    recipe, said = converted("deeplabv3_mnv2_ade20k_513.tflite", tmp_path / "out", "", capsys)
    ours, own = OURS.search(said), OWN.search(said)
    assert ours, said
    assert own, said
    assert float(own[1]) < 0.99
    assert 1 - float(ours[1]) <= 1.25 * (1 - float(own[1]))
    # What its input is called says so; on four pictures other numbers do a little better.
    assert (recipe.mean_values, recipe.scale_values) == ((127.5,), (127.5,))


def test_the_network_for_video_reads_its_last_mask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, _ = converted("portrait_video_quant.tflite", tmp_path / "out", "", capsys)
    assert recipe.prior_channel
    assert (recipe.color_order, recipe.mean_values) == ("BGR", (103.94, 116.78, 123.68))
    assert recipe.scale_values == (58.8235,)
    assert recipe.input_quantization is not None
    assert recipe.input_quantization.scale == pytest.approx(0.018316, abs=1e-6)
    assert recipe.input_quantization.zero_point == -13
    assert recipe.output_quantization is not None
    assert recipe.output_quantization.scale == pytest.approx(1 / 256)


@pytest.mark.parametrize(
    ("file", "classes"),
    [
        ("deeplabv3_mnv2_pascal_quant.tflite", "pascal"),
        ("deeplab_mobilenet_edgetpu_slim_cityscapes_quant.tflite", "cityscapes"),
        ("deeplabv3_mnv2_ade20k_513.tflite", "ade20k"),
    ],
)
def test_the_classes_are_recognised_by_their_number(
    file: str, classes: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, _ = converted(file, tmp_path / "out", "--no-proof", capsys)
    assert recipe.keep == (PERSON[classes],)
    assert recipe.labels[PERSON[classes]] == "person"
    assert recipe.kind is (OutputKind.LOGITS if classes == "ade20k" else OutputKind.LABELS)


@pytest.mark.parametrize(
    ("file", "code", "sentence"),
    [
        ("SINet_Softmax.onnx", EXIT_USAGE, "with no usual normalisation it finds the known persons"),
        (
            "ch_PP-OCRv3_det_infer.onnx",
            EXIT_USAGE,
            "it takes pictures of any size; its sides have to be multiples of 32",
        ),
        ("style_transfer_quantized_384.tflite", EXIT_MODEL, "it wants more than a picture"),
        ("style_predict_quantized_256.tflite", EXIT_MODEL, "none of its outputs is a map of the picture"),
        ("tf2_mobilenet_v2_1.0_224_ptq.tflite", EXIT_MODEL, "it looks like classification (one of 1001 classes"),
        ("prisma_quant_edgetpu.tflite", EXIT_MODEL, "is compiled for the Edge TPU"),
        ("deeplabv3_mnv2_dm05_pascal_quant_edgetpu.tflite", EXIT_MODEL, "is compiled for the Edge TPU"),
    ],
)
def test_what_cannot_be_is_explained(
    file: str, code: int, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, said = convert(file, tmp_path / "out", "", capsys)
    last = said.strip().splitlines()[-1]
    assert found == code, said
    assert sentence in last
    assert last.startswith("edgeseg: ")
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_mean_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = convert("selfie_segmentation.tflite", tmp_path / "out", "--mean 900 --scale 255", capsys)
    assert code == EXIT_MODEL
    assert "does not find the known persons with --mean 900" in said
    assert re.search(r"--mean 0 --scale 255 --color-order (RGB|BGR) finds them with 0\.9", said)
