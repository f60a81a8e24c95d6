"""``edgeseg convert`` on a model of one operator: what it writes, prints and refuses."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest

from edgeseg.backends.litert import LiteRtEngine
from edgeseg.backends.openvino import OpenVinoBackend
from edgeseg.backends.openvino_engine import OpenVinoEngine
from edgeseg.commands import convert
from edgeseg.convert import photographs
from edgeseg.convert.normalisation import IMAGENET, SIGNED, UNIT
from edgeseg.convert.prove import Proof, prove
from edgeseg.convert.trial import Trial, choose
from edgeseg.errors import EXIT_MODEL, EXIT_USAGE, ModelError, UsageError
from edgeseg.ovruntime import ov
from edgeseg.recipes import find_model, load_recipe
from edgeseg.types import OutputKind, Recipe
from tests.tflite_writer import sigmoid_model


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.tflite"
    file.write_bytes(sigmoid_model())
    return file


def run(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    convert.add_arguments(parser)
    return convert.run(parser.parse_args([str(argument) for argument in arguments]))


# Three planes might be a picture: somebody has to say that they are not, and which of them counts.
NORMAL = ("--mean", "0", "--scale", "255", "--color-order", "RGB")
PLANES = ("--kind", "probability", "--classes", "2")


def left_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_writes_a_folder_that_runs(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "made" / "tiny"
    options = ("--mean", "1,2,3", "--scale", "64", *PLANES, "--licence", "MIT", "--origin", "a test")
    assert run(source, "-o", target, *options, "--note", "Mind the gap.") == 0
    assert left_in(target) == ["README.md", "model.bin", "model.xml", "model.yaml"]
    assert left_in(tmp_path / "made") == ["tiny"]

    recipe = load_recipe(target)
    assert (recipe.name, recipe.width, recipe.height, recipe.kind) == ("tiny", 8, 4, OutputKind.PROBABILITY)
    assert (recipe.mean_values, recipe.scale_values, recipe.licence) == ((1, 2, 3), (64,), "MIT")
    assert recipe.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()

    backend = OpenVinoBackend("f32")
    backend.load(recipe, "CPU")
    picture = np.random.default_rng(0).integers(0, 256, (1, 4, 8, 3), np.uint8)
    expected = 255 / (1 + np.exp(-(picture[0, ..., 2] - 3.0) / 64))
    np.testing.assert_allclose(backend.infer(picture), expected, atol=1)
    backend.close()

    printed = capsys.readouterr().out
    assert "input 0: picture f32 [1,4,8,3]" in printed
    assert "output 0: answer f32 [1,4,8,3]" in printed
    assert "rewritten: nothing" in printed
    assert "and in OpenVINO f32: mask IoU 1.0000, 100.000% of the pixels decided alike" in printed

    readme = (target / "README.md").read_text()
    for text in ("a test", "MIT", "Mind the gap.", "tiny.tflite", recipe.sha256):
        assert text in readme
    for name in ("model.xml", "model.bin", "model.yaml"):
        assert f"| `{name}` | `{hashlib.sha256((target / name).read_bytes()).hexdigest()}` |" in readme
    assert str(tmp_path) not in readme


def test_the_same_model_gives_the_same_bytes(source: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        run(source, "-o", tmp_path / name, "--name", "tiny", "--no-proof", *PLANES)
    for file in left_in(tmp_path / "one"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (sigmoid_model()[:-40], "is damaged"),
        (b"just some text, renamed", "is text, not a TensorFlow Lite model"),
        (sigmoid_model(custom="Frobnicate"), "OpenVINO has no operator Frobnicate"),
        (sigmoid_model(height=6, channels=5), "no input is a picture of 3 or 4 channels"),
    ],
    ids=["truncated", "text", "custom operator", "five channels"],
)
def test_a_bad_model_leaves_nothing_behind(source: Path, tmp_path: Path, content: bytes, sentence: str) -> None:
    source.write_bytes(content)
    with pytest.raises(ModelError, match=sentence) as caught:
        run(source, "-o", tmp_path / "out", *PLANES)
    assert caught.value.exit_code == EXIT_MODEL
    assert "\n" not in str(caught.value)
    assert left_in(tmp_path) == ["tiny.tflite"]


def test_a_failure_half_way_leaves_the_old_model(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out"
    run(source, "-o", target, "--no-proof", *PLANES)
    before = {file: (target / file).read_bytes() for file in left_in(target)}

    def different(*_: object) -> None:
        raise ModelError("it answers differently")

    monkeypatch.setattr("edgeseg.convert.job.prove", different)
    with pytest.raises(ModelError, match="differently"):
        run(source, "-o", target, "--force", "--fp32", *PLANES, *NORMAL)
    assert {file: (target / file).read_bytes() for file in left_in(target)} == before
    assert left_in(tmp_path) == ["out", "tiny.tflite"]


def test_a_model_is_replaced_only_when_told_to(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    run(source, "-o", target, "--no-proof", *PLANES)
    with pytest.raises(UsageError, match=r"out exists \(--force replaces it\)"):
        run(source, "-o", target)
    run(source, "-o", target, "--force", "--name", "renamed", "--no-proof", *PLANES)
    assert load_recipe(target).name == "renamed"
    assert left_in(tmp_path) == ["out", "tiny.tflite"]


def test_a_folder_with_other_things_in_it_is_never_replaced(source: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "diary.txt").write_text("dear diary")
    with pytest.raises(UsageError, match=r"diary\.txt is in the way"):
        run(source, "-o", tmp_path / "home", "--force")
    assert left_in(tmp_path / "home") == ["diary.txt"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--mean", "1,2"),
        ("--scale", "a"),
        ("--size", "256"),
        ("--size", "0x4"),
        ("--keep", ","),
        ("--kind", "other"),
        ("--least-iou", "2"),
        ("--scale", "0"),
        ("--scale", "inf"),
        ("--mean", "1,nan,3"),
    ],
    ids=str,
)
def test_options_that_cannot_be(source: Path, tmp_path: Path, arguments: tuple[str, str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(source, "-o", tmp_path / "out", *arguments)
    assert caught.value.code == EXIT_USAGE


def test_the_proof_can_use_photographs(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import cv2

    folder = tmp_path / "pictures"
    folder.mkdir()
    with pytest.raises(UsageError, match="no picture lies in"):
        run(source, "-o", tmp_path / "out", "--pictures", folder)
    for index in range(2):
        noise = np.random.default_rng(index).integers(0, 256, (30, 40, 3), np.uint8)
        assert cv2.imwrite(str(folder / f"{index}.png"), noise)
    run(source, "-o", tmp_path / "out", "--pictures", folder, *PLANES, *NORMAL)
    assert "proof: 2 pictures" in capsys.readouterr().out


def test_the_proof_notices_another_network(source: Path, tmp_path: Path) -> None:
    ops = ov.opset13
    picture = ops.parameter([1, 4, 8, 3], np.float32)
    opposite = ops.sigmoid(ops.negative(picture))
    ov.save_model(ov.Model([ops.result(opposite)], [picture]), str(tmp_path / "model.xml"))
    recipe = Recipe("opposite", str(tmp_path / "model.xml"), 8, 4, mean_values=(128,), scale_values=(32,))
    with contextlib.closing(LiteRtEngine(source)) as original:
        proof = prove(original, OpenVinoEngine(tmp_path / "model.xml"), recipe, photographs.bundled())
    assert (proof.pictures, proof.iou) == (4, 0)
    assert proof.agreement < 0.5
    assert proof.largest_difference > 0.9


def proved(proof: Proof, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeseg.convert.job.prove", lambda *_: proof)


def test_a_conversion_that_changes_the_answers_is_refused(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proved(Proof("a runtime", 6, 0.98, 0.995, 0.7, 0.3), monkeypatch)
    sentence = r"differently after the conversion: mask IoU 0\.9800, 99\.500% .* difference 0\.7, and 0\.99 is wanted"
    with pytest.raises(ModelError, match=sentence):
        run(source, "-o", tmp_path / "out", *PLANES, *NORMAL)
    assert left_in(tmp_path) == ["tiny.tflite"]
    run(source, "-o", tmp_path / "out", *PLANES, *NORMAL, "--least-iou", "0.98")
    assert left_in(tmp_path) == ["out", "tiny.tflite"]


def test_an_empty_mask_is_no_proof(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    proved(Proof("a runtime", 4, 1.0, 1.0, 0.0, 0.0), monkeypatch)
    with pytest.raises(ModelError, match=r"keeps nothing in the photographs .*--pictures DIR"):
        run(source, "-o", tmp_path / "out", *PLANES, *NORMAL)
    assert left_in(tmp_path) == ["tiny.tflite"]
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "1.jpg").write_bytes(next(Path(photographs.__file__).with_name("pictures").glob("*.jpg")).read_bytes())
    run(source, "-o", tmp_path / "out", *PLANES, *NORMAL, "--pictures", mine)
    assert "note: nothing is kept in any of these pictures: that is no proof" in capsys.readouterr().out


def test_labels_name_the_classes(source: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("sky\nroad\n\nperson\n")
    options = ("--kind", "probability", "--labels", names, "--no-proof")
    run(source, "-o", tmp_path / "out", *options, "--classes", "Person,0")
    recipe = load_recipe(tmp_path / "out")
    assert (recipe.labels, recipe.keep) == (("sky", "road", "person"), (2, 0))
    with pytest.raises(UsageError, match=r"no class is called 'persn' \(did you mean 'person'\?\)"):
        run(source, "-o", tmp_path / "other", *options, "--classes", "persn")
    with pytest.raises(UsageError, match="there is no class 3: they are 0 to 2"):
        run(source, "-o", tmp_path / "other", *options, "--classes", "3")
    with pytest.raises(UsageError, match=r"names\.tx cannot be read"):
        run(source, "-o", tmp_path / "other", "--labels", tmp_path / "names.tx")


def test_three_planes_may_be_a_picture(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="it answers with a picture, and a mask is wanted"):
        run(source, "-o", tmp_path / "out")


def test_int8_wants_pictures_and_pictures_want_int8(source: Path, tmp_path: Path) -> None:
    for lonely in (("--int8",), ("--calibrate", tmp_path)):
        with pytest.raises(UsageError, match="belong together"):
            run(source, "-o", tmp_path / "out", *lonely)


# The bundled network as a stranger would find it: without a word about how it wants its pictures.
@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = ov.Core().read_model(load_recipe(find_model("selfie-landscape")).path)
    path = tmp_path_factory.mktemp("found") / "net.xml"
    ov.save_model(ov.Model(model.results, model.get_parameters(), "net"), str(path))
    return path


def test_mean_and_scale_are_found_out_by_trial(
    stranger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(stranger, "-o", tmp_path / "out")
    recipe = load_recipe(tmp_path / "out")
    assert (recipe.mean_values, recipe.scale_values, recipe.color_order) == ((0.0,), (255.0,), "RGB")
    printed = capsys.readouterr().out
    assert "trial: mask IoU with the known persons: --mean 0 --scale 255 --color-order RGB: 0.9" in printed


def test_a_wrong_mean_is_noticed(stranger: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r"does not find the known persons with --mean 900 .*--mean 0 --scale 255"
    ) as e:
        run(stranger, "-o", tmp_path / "out", "--mean", "900", "--scale", "255")
    assert e.value.exit_code == EXIT_MODEL
    assert left_in(tmp_path) == []
    run(stranger, "-o", tmp_path / "out", "--mean", "900", "--scale", "255", "--no-proof")
    assert load_recipe(tmp_path / "out").mean_values == (900.0,)


@pytest.mark.parametrize("options", [(), ("--mean", "0", "--scale", "255"), (*NORMAL,)], ids=["none", "two", "all"])
def test_a_mask_of_the_room_is_noticed(stranger: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    ops = ov.opset13
    model = ov.Core().read_model(str(stranger))
    person = model.output().get_node().input_value(0)
    room = ops.subtract(np.float32(1), person)
    ov.save_model(ov.Model([ops.result(room)], model.get_parameters(), "room"), str(tmp_path / "room.xml"))
    with pytest.raises(ModelError, match=r"keeps everything but the known persons .*--classes 0.*invert: true"):
        run(tmp_path / "room.xml", "-o", tmp_path / "out", "--kind", "probability", *options)
    assert "out" not in left_in(tmp_path)


WAYS = {"unit": UNIT, "signed": SIGNED, "imagenet": IMAGENET}


@pytest.mark.parametrize(
    ("found", "file_says", "taken", "close"),
    [
        ({"unit": 0.97, "signed": 0.98}, False, "unit", []),  # the commonest is as good
        ({"unit": 0.80, "signed": 0.95, "imagenet": 0.70}, False, "signed", []),  # one stands clear
        ({"unit": 0.80, "signed": 0.93, "imagenet": 0.91}, False, "signed", ["imagenet"]),  # nothing decides
        ({"signed": 0.57, "unit": 0.67, "imagenet": 0.71}, True, "signed", []),  # four pictures against the file
        ({"signed": 0.57, "unit": 0.60, "imagenet": 0.90}, True, "imagenet", []),  # but not against all reason
        ({"signed": 0.45, "unit": 0.60}, True, "unit", []),
    ],
)
def test_which_normalisation_is_taken(found: dict[str, float], file_says: bool, taken: str, close: list[str]) -> None:
    base = Recipe("net", "", 8, 8)
    trials = [Trial(dataclasses.replace(base, **WAYS[name].fields), iou) for name, iou in found.items()]
    names = {(usual.mean, usual.scale): name for name, usual in WAYS.items()}
    best, others = choose(trials, file_says=file_says)
    assert names[best.normalisation] == taken
    assert [names[trial.normalisation] for trial in others] == close


def two_answers(tmp_path: Path) -> Path:
    ops = ov.opset13
    picture = ops.parameter([1, 3, 32, 48], np.float32, name="picture")
    results = []
    for name in ("left", "right"):
        weights = np.random.default_rng(len(name)).normal(size=(1, 3, 1, 1)).astype(np.float32)
        answer = ops.sigmoid(ops.convolution(picture, weights, [1, 1], [0, 0], [0, 0], [1, 1]))
        answer.output(0).set_names({name})
        results.append(ops.result(answer))
    path = tmp_path / "two.xml"
    ov.save_model(ov.Model(results, [picture]), str(path))
    return path


def test_of_two_answers_somebody_has_to_choose(tmp_path: Path) -> None:
    source = two_answers(tmp_path)
    with pytest.raises(
        ModelError, match=r"2 outputs that may be the answer .*--output left: .*--output right: "
    ) as caught:
        run(source, "-o", tmp_path / "out")
    assert caught.value.exit_code == EXIT_MODEL
    assert "out" not in left_in(tmp_path)
    run(source, "-o", tmp_path / "out", "--output", "right", "--no-proof")
    assert load_recipe(tmp_path / "out").output_index == 1
    with pytest.raises(UsageError, match=r"no output 'rigth' \(did you mean 'right'\?\)"):
        run(source, "-o", tmp_path / "other", "--output", "rigth")
