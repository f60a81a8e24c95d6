"""Which reader gets which file, and the sentences about files that are something else than their name says."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from edgeseg.convert.readers import formats
from edgeseg.convert.readers.contents import Content, look
from edgeseg.convert.readers.pickles import names
from edgeseg.errors import ModelError, UsageError
from tests.tflite_writer import sigmoid_model
from tests.tiny_onnx import mean_model
from tests.tiny_paddle import sigmoid_program
from tests.tiny_tensorflow import mean_graph, saved_model

HDF5 = b"\x89HDF\r\n\x1a\n"
TENSORS = b"\x80\x02ccollections\nOrderedDict\nq\x00ctorch._utils\n_rebuild_tensor_v2\nq\x01."
NETWORK = b"\x80\x02cmymodels.unet\nUnet\nq\x00."


def archive(**entries: bytes) -> bytes:
    """A ZIP file; two underscores in a name stand for a slash, one for a dot."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in entries.items():
            file.writestr(name.replace("__", "/").replace("_", "."), content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (mean_model(4, 8), Content.ONNX),
        (mean_graph(4, 8), Content.FROZEN_GRAPH),
        (sigmoid_model(), Content.TFLITE),
        (HDF5 + b"... model_config ...", Content.KERAS_HDF5),
        (HDF5 + b"... layer_names ...", Content.HDF5),
        (archive(config_json=b"{}", model_weights_h5=b""), Content.KERAS),
        (archive(net__code__net_py=b"", net__data_pkl=b""), Content.TORCHSCRIPT),
        (archive(net__models__model_json=b"{}", net__version=b""), Content.ZIP),
        (archive(serialized_exported_program_json=b"{}"), Content.ZIP),
        (archive(net__data_pkl=TENSORS), Content.TORCH_PICKLE),
        (archive(notes_txt=b""), Content.ZIP),
        (b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.rest", Content.OLD_TORCH_PICKLE),
        (b'<?xml version="1.0"?>\n<net name="a" version="10">', Content.IR),
        (b"<annotation>", Content.XML),
        (b'{"base_code":{"magic":"pir"},"program":{}}', Content.PADDLE_PIR),
        (b'{"class_name": "Functional"}', Content.JSON),
        (b"<!DOCTYPE html>\n<html>", Content.WEB_PAGE),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", Content.LFS_POINTER),
        ("märchen\n".encode() * 1000, Content.TEXT),
        (b"", Content.EMPTY),
        (bytes(range(256)), Content.UNKNOWN),
        (mean_model(4, 8)[:-3], Content.UNKNOWN),
    ],
)
def test_a_file_is_known_by_its_bytes(tmp_path: Path, content: bytes, kind: Content) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    assert look(file) is kind


def test_exported_programs_are_known(tmp_path: Path) -> None:
    """Their archive has names that ``archive`` cannot spell."""
    for number, entries in enumerate(
        (["net/archive_format", "net/models/model.json"], ["serialized_exported_program.json"])
    ):
        file = tmp_path / f"{number}.pt2"
        with zipfile.ZipFile(file, "w") as written:
            for entry in entries:
                written.writestr(entry, b"pt2")
        assert look(file) is Content.EXPORTED_PROGRAM


def test_messages_of_folders_are_known(tmp_path: Path) -> None:
    assert look(saved_model(tmp_path / "saved", 4, 8) / "saved_model.pb") is Content.SAVED_MODEL
    assert look(sigmoid_program(tmp_path / "program")) is Content.PADDLE


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.onnx", b"", "a.onnx is empty"),
        ("a.onnx", b"just words\n", "a.onnx is text, not an ONNX model"),
        ("a.pb", b"just words\n", "a.pb is text, not a TensorFlow graph"),
        ("a.tflite", b"just words\n", "a.tflite is text, not a TensorFlow Lite model"),
        ("a.onnx", mean_model(4, 8)[:-3], "a.onnx is not an ONNX model: it is cut off, damaged, or something else"),
        ("a.pb", mean_model(4, 8), "a.pb is an ONNX model, not a TensorFlow graph (rename it to end in .onnx)"),
        ("a.pt", mean_graph(4, 8), "a.pt is a TensorFlow graph, not a TorchScript model (rename it to end in .pb)"),
        ("a.h5", HDF5, "a.h5 holds weights only, and not the network that they belong to (where its code is, save"),
        (
            "a.pth",
            archive(a__data_pkl=TENSORS),
            "a.pth holds weights only, and not the network that they belong to (wri",
        ),
        ("a.pt", archive(a__data_pkl=NETWORK), "a.pt is a pickled network of the class mymodels.unet.Unet: loading it"),
        ("a.pt", archive(a__data_pkl=b"\x80\x02c"), "a.pt is damaged: "),
        (
            "a.pt",
            archive(a__data_pkl=bytes((64 << 20) + 1)),
            "a.pt is damaged: its pickle has 67108865 bytes, and 6710",
        ),
        ("a.pt", archive(a__data_pkl=TENSORS)[:-30], "a.pt is cut off or damaged: "),
        ("a.keras", archive(notes_txt=b""), "a.keras is a ZIP archive, not a Keras model"),
        (
            "a.json",
            b'{"base_code":{"magic":"pir"}}',
            "a.json is a Paddle program of the newer kind (PIR), which OpenVINO",
        ),
        (
            "a.onnx",
            b"version https://git-lfs.github.com/spec/v1\n",
            "a.onnx is a Git LFS pointer, not the model itself",
        ),
        ("a.onnx", b"<html><body>404", "a.onnx is a web page, not a model: the download went wrong"),
    ],
)
def test_a_wrong_file_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(content)
    formats.check(name)
    with pytest.raises(ModelError) as error:
        formats.read(Path(name))
    assert str(error.value).startswith(sentence)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["model.caffemodel", "model"])
def test_other_kinds_of_files_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(
        UsageError, match=r"cannot be converted \(supported: \.tflite, \.onnx, \.pb, .*FILE\.py:FUNCTION"
    ):
        formats.check(tmp_path / name)


def test_what_is_not_there_is_missed(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"a\.onnx does not exist"):
        formats.check(tmp_path / "a.onnx")
    with pytest.raises(ModelError, match="is a folder without a model"):
        formats.check(tmp_path)


def test_a_file_of_a_saved_model_stands_for_its_folder(tmp_path: Path) -> None:
    folder = saved_model(tmp_path / "saved", 4, 8)
    for source in (folder, folder / "saved_model.pb"):
        assert formats.read(source).path == folder
    renamed = (folder / "saved_model.pb").rename(tmp_path / "net.pb")
    with pytest.raises(ModelError, match=r"net\.pb is the saved_model\.pb of a TensorFlow SavedModel"):
        formats.read(renamed)


def test_a_pickle_names_what_it_would_load() -> None:
    assert names(NETWORK) == {"mymodels.unet.Unet"}
    newer = b"\x80\x04\x8c\x08mymodels\x94\x8c\x04Unet\x94\x93\x94."
    assert names(newer) == {"mymodels.Unet"}
    with pytest.raises(ValueError, match=r"\w"):
        names(b"\x80\x02c")
