"""model.yaml: what is read, what is refused and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeseg.errors import EXIT_MODEL, ModelError
from edgeseg.recipes import dump_recipe, find_model, load_recipe, shipped_models
from edgeseg.types import Activation, OutputKind, Quantization, Recipe

LEAST = "name: tiny\nwidth: 8\nheight: 4\n"


def write(folder: Path, text: str = LEAST, model: str = "model.xml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.yaml").write_text(text)
    (folder / model).write_text("<net/>")
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load_recipe(folder)
    assert caught.value.permanent
    assert caught.value.exit_code == EXIT_MODEL
    return str(caught.value)


def test_three_keys_are_enough(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path))
    assert recipe == Recipe(name="tiny", path=str(tmp_path / "model.xml"), width=8, height=4)


def test_every_key_is_read(tmp_path: Path) -> None:
    text = LEAST + (
        "file: net.onnx\nlayout: NCHW\ncolor_order: BGR\nmean_values: [1, 2.5, 3]\nscale_values: 2\noutput_index: 1\n"
        "input_quantization: {scale: 0.5, zero_point: -3}\noutput_quantization: {scale: 2}\nprior_channel: true\n"
        "activation: sigmoid\ncolors: [[0, 0, 0], [255, 1, 2]]\nkind: labels\nlabels: [nothing, person]\n"
        "keep: [1, 15]\n"
        "licence: MIT\norigin: here\nsha256: abc\n"
        "extra: {prior: 3}\n"
    )
    assert load_recipe(write(tmp_path, text, "net.onnx")) == Recipe(
        name="tiny",
        path=str(tmp_path / "net.onnx"),
        width=8,
        height=4,
        layout="NCHW",
        color_order="BGR",
        mean_values=(1.0, 2.5, 3.0),
        scale_values=(2.0,),
        input_quantization=Quantization(0.5, -3),
        prior_channel=True,
        output_index=1,
        activation=Activation.SIGMOID,
        output_quantization=Quantization(2.0),
        colors=((0, 0, 0), (255, 1, 2)),
        kind=OutputKind.LABELS,
        labels=("nothing", "person"),
        keep=(1, 15),
        licence="MIT",
        origin="here",
        sha256="abc",
        extra=(("prior", 3),),
    )


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(name="a", path="model.xml", width=1, height=2),
        Recipe(name="b", path="b.onnx", width=1, height=2, kind=OutputKind.LABELS, keep=(3, 4), labels=("ö", "- x")),
        Recipe(
            name="d",
            path="d.tflite",
            width=1,
            height=2,
            prior_channel=True,
            activation=Activation.SIGMOID,
            input_quantization=Quantization(0.018316, -13),
            output_quantization=Quantization(1 / 256, -128),
            colors=((1, 2, 3),),
        ),
        Recipe(
            name="c",
            path="model.xml",
            width=1,
            height=2,
            keep=(2, 3),
            mean_values=(0.5, 1e-3, 127.5),
            extra=(("k", 1),),
        ),
    ],
    ids=lambda recipe: recipe.name,
)
def test_what_is_written_reads_back_the_same(tmp_path: Path, recipe: Recipe) -> None:
    folder = write(tmp_path, dump_recipe(recipe), recipe.path)
    assert load_recipe(folder) == Recipe(**{**_fields(recipe), "path": str(folder / recipe.path)})


def _fields(recipe: Recipe) -> dict[str, object]:
    return {name: getattr(recipe, name) for name in recipe.__slots__}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("widht: 8\n", "unknown key 'widht' (did you mean 'width'?)"),
        ("zzz: 8\n", "unknown key 'zzz' (known keys: activation, color_order"),
        (
            "kind: probabilities\n",
            "kind: 'probabilities' is none of probability, logits, labels, image; did you mean 'probability'?",
        ),
        ("layout: HWC\n", "layout: 'HWC' is none of NHWC, NCHW"),
        ("mean_values: [1, 2]\n", "mean_values: [1, 2] is neither one number nor three"),
        ("mean_values: [a]\n", "mean_values: ['a'] is no list of numbers"),
        ("mean_values: .nan\n", "mean_values: nan is neither"),
        ("scale_values: [1, 0, 1]\n", "scale_values: nothing can be divided by 0"),
        ("keep: 1\n", "keep: 1 is no list"),
        ("keep: [-1]\n", "keep: -1 is no whole number from 0 up"),
        ("keep: [1, 0, 2, 0]\n", "keep: 0 stands there twice"),
        ("output_index: true\n", "output_index: True is no whole number from 0 up"),
        ("licence: 5\n", "licence: 5 is no text"),
        ("extra: []\n", "extra: [] holds no keys"),
        ("activation: tanh\n", "activation: 'tanh' is none of auto, sigmoid, softmax"),
        ("prior_channel: 3\n", "prior_channel: 3 is neither true nor false"),
        ("colors: [[0, 0, 256]]\n", "colors: [0, 0, 256] is no colour"),
        ("input_quantization: 0.5\n", "input_quantization: 0.5 is no {scale"),
        ("output_quantization: {scale: 0}\n", "output_quantization: scale 0 is no number above 0"),
        ("output_quantization: {scale: 1, zero_point: 0.5}\n", "output_quantization: zero_point 0.5 is no whole"),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    assert f"model.yaml: {sentence}" in refusal(write(tmp_path, LEAST + text))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name: a\nwidth: 8\n", "height is missing"),
        ("name: a\nwidth: 0\nheight: 8\n", "width: 0 is no whole number from 1 up"),
        ("name: a\nwidth: 9000\nheight: 8\n", "width: 9000 pixels are more than 8192"),
        ("- a\n", "is not a recipe: it holds no keys"),
        ("", "is not a recipe: it holds no keys"),
        ("a: [\n", "is not YAML: while parsing a flow node"),
        ("!!python/object:os.system x\n", "is not YAML: could not determine a constructor"),
    ],
)
def test_a_broken_recipe_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    message = refusal(write(tmp_path, text))
    assert sentence in message
    assert "\n" not in message


def test_a_missing_model_or_recipe_is_told_apart(tmp_path: Path) -> None:
    assert "model.yaml does not exist" in refusal(tmp_path)
    (tmp_path / "model.yaml").write_text(LEAST)
    assert "model.xml does not exist, but" in refusal(tmp_path)


def test_models_are_found_by_path_and_by_name(tmp_path: Path) -> None:
    own = write(tmp_path / "models" / "ir" / "own")
    assert find_model("own", tmp_path) == own
    assert find_model("models/ir/own", tmp_path) == own
    assert find_model("models/ir/own/model.xml", tmp_path) == own
    assert find_model(str(own)) == own
    assert find_model("selfie", tmp_path) == shipped_models() / "selfie"


def test_an_own_model_goes_before_the_shipped_one_of_that_name(tmp_path: Path) -> None:
    own = write(tmp_path / "models" / "ir" / "selfie")
    assert find_model("selfie", tmp_path) == own


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("selfi", "no model is called 'selfi' (did you mean 'selfie'? there are: own, selfie, selfie-landscape)"),
        ("zzz", "no model is called 'zzz' (there are: own, selfie, selfie-landscape)"),
        ("./nowhere", "nowhere does not exist"),
        ("models/ir", "ir holds no model.yaml"),
        ("models/ir/own/other.xml", "describes model.xml, not other.xml"),
        ("bare.xml", "bare.xml has no recipe"),
    ],
)
def test_a_model_that_is_not_there(tmp_path: Path, name: str, sentence: str) -> None:
    write(tmp_path / "models" / "ir" / "own")
    (tmp_path / "models" / "ir" / "own" / "other.xml").write_text("<net/>")
    (tmp_path / "bare.xml").write_text("<net/>")
    with pytest.raises(ModelError) as caught:
        find_model(name, tmp_path)
    assert sentence in str(caught.value)
    assert caught.value.permanent
