"""What a file is, by its bytes. Looks at names and headers only; loads nothing and runs nothing."""

from __future__ import annotations

import codecs
import mmap
import zipfile
from enum import StrEnum
from pathlib import Path

from edgeseg.convert.readers import protobuf
from edgeseg.errors import ModelError

_HEAD = 4096
_OLD_TORCH = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"  # how torch.save began before 1.6
_ONNX_MESSAGES = {2, 3, 4, 6, 7, 8, 14, 20, 25, 26}  # of ModelProto: names, opsets, metadata, functions and the graph
_MODEL_IN_HDF5 = b"model_config"  # the attribute that holds the layers; without it there are only weights


class Content(StrEnum):
    """Kinds of files. The value is what a sentence calls it."""

    TFLITE = "a TensorFlow Lite model"
    ONNX = "an ONNX model"
    FROZEN_GRAPH = "a TensorFlow graph"
    SAVED_MODEL = "the saved_model.pb of a TensorFlow SavedModel"
    PADDLE = "a Paddle program"
    PADDLE_PIR = "a Paddle program of the newer kind (PIR)"
    IR = "an OpenVINO IR"
    KERAS = "a Keras model"
    KERAS_HDF5 = "a Keras model in HDF5"
    HDF5 = "an HDF5 file without a Keras model's layers"
    TORCHSCRIPT = "a TorchScript model"
    EXPORTED_PROGRAM = "an exported PyTorch program"
    TORCH_COMPILED = "a PyTorch package compiled for one machine (AOTInductor)"
    TORCH_PICKLE = "a PyTorch pickle"
    OLD_TORCH_PICKLE = "a PyTorch pickle from before PyTorch 1.6"
    ZIP = "a ZIP archive"
    JSON = "JSON"
    WEB_PAGE = "a web page"
    LFS_POINTER = "a Git LFS pointer"
    XML = "XML"
    TEXT = "text"
    EMPTY = "empty"
    UNKNOWN = "of no known kind"


def look(path: Path) -> Content:
    """What the file ``path`` holds.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            if not head:
                return Content.EMPTY
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _by_signature(path, head, data) or _text(head) or _message(data)
    except OSError as exc:
        raise ModelError(f"{path} cannot be read: {exc.strerror or exc}") from exc


def _by_signature(path: Path, head: bytes, data: mmap.mmap) -> Content | None:
    if head[4:8] == b"TFL3":
        return Content.TFLITE
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return Content.KERAS_HDF5 if data.find(_MODEL_IN_HDF5) >= 0 else Content.HDF5
    if head.startswith(b"PK\x03\x04"):
        return _archive(path)
    return Content.OLD_TORCH_PICKLE if head.startswith(_OLD_TORCH) else None


def _archive(path: Path) -> Content:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as exc:  # the second: zipfile's for newer kinds of ZIP
        raise ModelError(f"{path} is cut off or damaged: {exc}") from exc
    plain = set(names)
    inner = {name.partition("/")[2] for name in names}  # PyTorch puts all under one folder of any name
    if {"config.json", "model.weights.h5"} <= plain:
        return Content.KERAS
    if any(name.startswith("data/aotinductor/") for name in inner):
        return Content.TORCH_COMPILED
    if any(name.startswith("models/") for name in inner) and "archive_format" in inner:
        return Content.EXPORTED_PROGRAM
    if "serialized_exported_program.json" in plain | inner:
        return Content.EXPORTED_PROGRAM
    if any(name.startswith("code/") for name in inner):
        return Content.TORCHSCRIPT
    return Content.TORCH_PICKLE if "data.pkl" in inner else Content.ZIP


def _text(head: bytes) -> Content | None:
    """What kind of text it is; None when it is none."""
    try:
        # Of a longer file, the last character may be cut in two: the decoder waits for the rest of it.
        words = codecs.getincrementaldecoder("utf-8-sig")().decode(head, len(head) < _HEAD).lstrip()
    except UnicodeDecodeError:
        return None
    if not all(letter.isprintable() or letter.isspace() for letter in words):
        return None
    if words.startswith("version https://git-lfs"):
        return Content.LFS_POINTER
    if words.startswith("{"):
        return Content.PADDLE_PIR if '"base_code"' in words or '"pir"' in words else Content.JSON
    if words.startswith("<"):
        lower = words.lower()
        if "<!doctype html" in lower or "<html" in lower:
            return Content.WEB_PAGE
        return Content.IR if "<net " in words else Content.XML
    return Content.TEXT


def _message(data: mmap.mmap) -> Content:
    """Which protobuf message it is. Truncated ones are of no known kind, and ``damage`` says where they end."""
    try:
        found = list(protobuf.fields(data))
    except ValueError:
        return Content.UNKNOWN
    kinds = {(field.number, field.wire) for field in found}
    whole = {field.number for field in found if field.whole}
    messages = {field.number for field in found if field.message}
    if whole == {1} and messages == {2}:
        return Content.SAVED_MODEL
    if 1 in whole and 7 in messages and messages <= _ONNX_MESSAGES:
        return Content.ONNX
    if not found or not found[0].message or found[0].number not in (1, 2, 4) or len(kinds) > 5:
        return Content.UNKNOWN
    return _graph_or_program(data, next((field for field in found if field.number == 1), None))


def _graph_or_program(data: mmap.mmap, first: protobuf.Field | None) -> Content:
    """A graph begins with a node, whose name and operator are texts; a program with a block, which has a number."""
    if first is None:
        return Content.UNKNOWN
    try:
        inner = {field.number: field.wire for field in protobuf.fields(data, first.start, first.end)}
    except ValueError:
        return Content.UNKNOWN
    if inner.get(2) == 2 and inner.get(1) == 2:
        return Content.FROZEN_GRAPH
    return Content.PADDLE if inner.get(1, inner.get(2)) == 0 and 4 in inner else Content.UNKNOWN
