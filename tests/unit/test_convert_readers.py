"""The readers that need no framework, on models of one or two operators."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeseg.convert.readers import formats, protobuf
from edgeseg.convert.readers.quiet import quiet
from edgeseg.convert.runtimes.framework import End, FrameworkEngine, ends
from edgeseg.convert.source_model import SourceModel
from edgeseg.errors import InferenceError, ModelError, UsageError
from edgeseg.ovruntime import ov
from tests.tiny_models import bright_model
from tests.tiny_onnx import mean_model, planes_model, shapeless_model, unknown_model
from tests.tiny_paddle import sigmoid_program
from tests.tiny_tensorflow import mean_graph, saved_model, unfrozen_graph, unknown_graph
from tests.unit.test_convert_formats import archive


def read(path: Path, content: bytes | None = None, size: tuple[int, int] | None = None) -> SourceModel:
    if content is not None:
        path.write_bytes(content)
    formats.check(path)
    return formats.read(path, size)


def taken(model: SourceModel) -> str:
    return str(model.model.input().get_partial_shape())


def test_onnx(tmp_path: Path) -> None:
    model = read(tmp_path / "a.onnx", mean_model(16, 8))
    assert (model.format, model.layout, taken(model)) == ("ONNX", "NHWC", "[1,16,8,3]")
    picture = np.random.default_rng(0).random((1, 16, 8, 3), np.float32)
    answer = ov.compile_model(model.model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(picture)[0]
    np.testing.assert_allclose(answer, picture.mean(axis=3, keepdims=True), atol=1e-6)


@pytest.mark.parametrize(
    ("content", "size", "layout", "shape"),
    [
        (planes_model(4, 8), None, "NCHW", "[1,3,4,8]"),
        (planes_model("h", "w"), None, "NCHW", "[1,3,?,?]"),
        (planes_model("h", "w"), (10, 6), "NCHW", "[1,3,6,10]"),
        (planes_model("h", "w", "c"), (10, 6), "NCHW", "[1,3,6,10]"),
        (planes_model("h", "w", 4), (10, 6), "NCHW", "[1,4,6,10]"),
        (mean_model("h", "w"), (10, 6), "NHWC", "[1,6,10,3]"),
        (mean_model(4, 8), (10, 6), "NHWC", "[1,4,8,3]"),  # four rows, not four planes; what the file says stays
        (shapeless_model(), None, "NCHW", "[...]"),
        (shapeless_model(), (10, 6), "NCHW", "[1,3,6,10]"),
    ],
)
def test_open_sides(tmp_path: Path, content: bytes, size: tuple[int, int] | None, layout: str, shape: str) -> None:
    model = read(tmp_path / "a.onnx", content, size)
    assert (model.layout, taken(model)) == (layout, shape)


@pytest.mark.parametrize(
    ("name", "content", "operator"),
    [
        ("a.onnx", unknown_model(), "Magic-13"),
        ("a.onnx", unknown_model("X", "own"), "own.X"),
        ("a.pb", unknown_graph(), "Magic"),
    ],
)
def test_an_unknown_operator_is_named(tmp_path: Path, name: str, content: bytes, operator: str) -> None:
    with pytest.raises(ModelError, match=rf"{name} cannot be converted: OpenVINO has no operator {operator}$"):
        read(tmp_path / name, content)


def test_the_nodes_of_a_frozen_graph_are_found(tmp_path: Path) -> None:
    model = read(tmp_path / "a.pb", mean_graph(4, 8))
    assert (model.format, model.layout, taken(model)) == ("TensorFlow frozen graph", "NHWC", "[1,4,8,3]")
    assert model.model.input().get_names() == {"ImageTensor:0"}
    assert model.model.output().get_names() == {"SemanticPredictions:0"}
    assert taken(read(tmp_path / "a.pb", mean_graph(-1, -1), (10, 6))) == "[1,6,10,3]"


def test_a_graph_with_variables_is_not_frozen(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"a\.pb is not frozen: the values of its variables lie in a checkpoint"):
        read(tmp_path / "a.pb", unfrozen_graph())


def test_saved_model(tmp_path: Path) -> None:
    model = read(saved_model(tmp_path / "saved", 4, 8))
    assert (model.format, model.layout, taken(model)) == ("TensorFlow SavedModel", "NHWC", "[1,4,8,3]")
    assert (model.model.input().get_names(), model.model.output().get_names()) == ({"picture"}, {"mask"})


def test_paddle(tmp_path: Path) -> None:
    program = sigmoid_program(tmp_path / "net", -1, -1)
    for source in (program, program.parent):
        model = read(source, size=(10, 6))
        assert (model.path, model.format, model.layout, taken(model)) == (program, "Paddle", "NCHW", "[1,3,6,10]")
    program.with_suffix(".pdiparams").unlink()
    with pytest.raises(ModelError, match=r"net\.pdmodel has no weights: net\.pdiparams does not lie beside it"):
        read(program)


def ir(folder: Path, version: int) -> Path:
    """The IR of a small model, with another version number on it."""
    path = bright_model(folder) / "model.xml"
    path.write_text(path.read_text().replace('version="11"', f'version="{version}"', 1))
    return path


def test_an_old_ir_is_raised(tmp_path: Path) -> None:
    model = read(ir(tmp_path / "old", 10))
    assert (model.format, model.notes) == (
        "OpenVINO IR version 10",
        ("the IR is of version 10, and is written as version 11",),
    )
    raised = tmp_path / "new.xml"
    ov.save_model(model.model, str(raised), compress_to_fp16=False)
    assert 'version="11"' in raised.read_text()
    assert read(raised).notes == ()
    assert model.engine is not None
    assert model.engine().run([np.full((1, 16, 32, 3), 0.5, np.float32)])[0] == pytest.approx(0.5)


def test_the_source_of_open_sides_runs_at_the_chosen_size(tmp_path: Path) -> None:
    path = ir(tmp_path / "open", 10)
    model = ov.Core().read_model(str(path))
    model.reshape([1, -1, -1, 3])
    open_sides = tmp_path / "sides.xml"
    ov.save_model(model, str(open_sides), compress_to_fp16=False)
    source = read(open_sides, size=(10, 6))
    assert source.engine is not None
    engine = source.engine()
    assert engine.inputs[0].shape == (1, 6, 10, 3)
    assert engine.run([np.full((1, 6, 10, 3), 0.5, np.float32)])[0] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        (7, "is an IR of version 7, which OpenVINO does not read any more"),
        (12, "which this OpenVINO does not know yet"),
    ],
)
def test_irs_of_other_times(tmp_path: Path, version: int, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        read(ir(tmp_path / "other", version))


def test_a_damaged_ir(tmp_path: Path) -> None:
    path = ir(tmp_path / "net", 11)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="cannot be read as an OpenVINO IR: "):
        read(path)
    path.write_bytes(whole)
    path.with_suffix(".bin").unlink()
    with pytest.raises(ModelError, match=r"model\.xml has no weights: model\.bin does not lie beside it"):
        read(path)


KERAS = archive(config_json=b"{}", model_weights_h5=b"")
MISSING = [
    ("a.onnx", mean_model(4, 8), "onnxruntime", "running an ONNX model needs onnxruntime", "onnx"),
    ("a.pb", mean_graph(4, 8), "tensorflow", "running a TensorFlow model needs tensorflow", "tensorflow"),
]


@pytest.mark.parametrize(("name", "content", "module", "sentence", "extra"), MISSING)
def test_a_missing_runtime_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, module: str, sentence: str, extra: str
) -> None:
    hide(monkeypatch, module)
    model = read(tmp_path / name, content)
    assert model.engine is not None
    with pytest.raises(UsageError, match=rf"^{sentence}, which is not installed \(pip install 'edgeseg\[{extra}\]'\)$"):
        model.engine()


@pytest.mark.parametrize(
    ("source", "module", "extra"), [("net.keras", "tensorflow", "keras"), ("net.py:make", "torch", "pytorch")]
)
def test_a_missing_framework_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, module: str, extra: str
) -> None:
    hide(monkeypatch, module)
    monkeypatch.chdir(tmp_path)
    Path("net.keras").write_bytes(KERAS)
    sentence = rf"needs {module}, which is not installed \(pip install 'edgeseg\[{extra}\]'\)"
    with pytest.raises(UsageError, match=sentence):
        formats.read(source)


def hide(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """Let nobody find ``module``, which a developer may have installed."""
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "edgeseg.convert.runtimes.extras.find_spec", lambda name: None if name == module else real(name)
    )


def fail(arrays: object) -> list[object]:
    raise RuntimeError("no such thing.\nAnd a page about it.")


def test_a_framework_as_an_engine(tmp_path: Path) -> None:
    end = End(frozenset({"x"}), "x", (2,), np.dtype(np.float32))
    engine = FrameworkEngine(tmp_path, "pretend 1.0", [end], ["y"], lambda arrays: [arrays[0] * 2])
    assert engine.outputs[0].shape == (2,)
    assert engine.run([np.ones(2, np.float32)])[0].tolist() == [2, 2]
    with pytest.raises(InferenceError, match="takes float32"):
        engine.run([np.ones(3, np.float32)])
    engine.close()
    engine.close()
    with pytest.raises(InferenceError, match="is closed"):
        engine.run([np.ones(2, np.float32)])
    with pytest.raises(ModelError, match=r"answers 1 times in pretend 1\.0, and 2 times in OpenVINO"):
        FrameworkEngine(tmp_path, "pretend 1.0", [end], ["y", "z"], lambda arrays: arrays)
    with pytest.raises(ModelError, match=r"did not answer in pretend 1\.0: no such thing"):
        FrameworkEngine(tmp_path, "pretend 1.0", [end], ["y"], fail)


def test_an_engine_wants_sizes(tmp_path: Path) -> None:
    model = read(tmp_path / "a.onnx", planes_model("h", "w"))
    with pytest.raises(ModelError, match="--size WxH"):
        ends(model.path, model.model.inputs)


def test_native_chatter_goes_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet():
        os.write(2, b"chatter\n")
        print("chatter")
    print("heard")
    assert capfd.readouterr() == ("heard\n", "")


def test_damaged_files_print_nothing(tmp_path: Path) -> None:
    """In a process of its own: what a front end writes comes from C++."""
    whole = mean_model(4, 8)
    broken = tmp_path / "a.onnx"
    broken.write_bytes(whole.replace(b"ReduceMean", b"\xff\xfeduceMean"))
    code = f"from edgeseg.convert.readers import formats; formats.read({str(broken)!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.rstrip().splitlines()[-1].startswith("edgeseg.errors.ModelError: ")
    assert "libprotobuf" not in done.stderr + done.stdout


def test_protobuf_fields() -> None:
    data = bytes([0x08, 0x96, 0x01, 0x12, 0x02, 0x68, 0x69, 0x1D, 0, 0, 0, 0, 0x21, *bytes(8)])
    found = list(protobuf.fields(data))
    assert [(field.number, field.wire) for field in found] == [(1, 0), (2, 2), (3, 5), (4, 1)]
    assert found[0].value == 150
    assert protobuf.text(data, found[1]) == "hi"


@pytest.mark.parametrize("data", [b"\x08", b"\x12\x05hi", b"\x00\x00", b"\x0b", b"\x08" + b"\xff" * 10, b"\x1d\x00"])
def test_what_is_no_protobuf(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        list(protobuf.fields(data))
