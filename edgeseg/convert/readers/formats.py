"""Which reader reads which file: by its suffix, and by what is in it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from edgeseg.convert.readers import user_code
from edgeseg.convert.readers.contents import Content, look
from edgeseg.convert.readers.pickles import BY_CODE, explained
from edgeseg.convert.source_model import SourceModel
from edgeseg.errors import ModelError, UsageError

_ROOM = "edgeseg.convert.readers"
_SAVED_MODEL = "saved_model.pb"
_READERS = {
    Content.TFLITE: "tflite",
    Content.ONNX: "onnx",
    Content.FROZEN_GRAPH: "tensorflow",
    Content.SAVED_MODEL: "tensorflow",
    Content.KERAS: "keras",
    Content.KERAS_HDF5: "keras",
    Content.EXPORTED_PROGRAM: "pytorch",
    Content.TORCHSCRIPT: "pytorch",
    Content.PADDLE: "paddle",
    Content.IR: "old_ir",
}
_PYTORCH = (Content.EXPORTED_PROGRAM, Content.TORCHSCRIPT)
# What files of a suffix ought to hold; the first names it in sentences.
_SUFFIXES: dict[str, tuple[Content, ...]] = {
    ".tflite": (Content.TFLITE,),
    ".onnx": (Content.ONNX,),
    ".pb": (Content.FROZEN_GRAPH, Content.SAVED_MODEL),
    ".keras": (Content.KERAS,),
    ".h5": (Content.KERAS_HDF5,),
    ".hdf5": (Content.KERAS_HDF5,),
    ".pt2": _PYTORCH,
    ".pt": _PYTORCH[::-1],
    ".pth": _PYTORCH[::-1],
    ".pdmodel": (Content.PADDLE,),
    ".json": (Content.PADDLE_PIR,),
    ".xml": (Content.IR,),
}
_HELD = {
    content: suffix for suffix, contents in reversed(_SUFFIXES.items()) for content in contents if suffix != ".pb"
} | {Content.FROZEN_GRAPH: ".pb"}
_READABLE = [suffix for suffix, contents in _SUFFIXES.items() if contents[0] in _READERS]
_OTHERS = "the folder of a SavedModel, FILE.py:FUNCTION or MODULE:FUNCTION for PyTorch code"
_PIR_WAY_OUT = "in Paddle, export it with FLAGS_enable_pir_api=0 for a .pdmodel, or with paddle2onnx for an .onnx"


def check(source: Path | str) -> None:
    """Say what is wrong with the name of a source before anything heavy is imported.

    Raises:
        UsageError: nobody reads files of this kind.
        ModelError: there is no such file, or it is a folder without a model.
    """
    path = Path(source)
    if user_code.is_spec(str(source)):
        return
    if path.is_dir():
        _model_of_folder(path)
        return
    if path.suffix.lower() not in _SUFFIXES:
        kind = path.suffix or "without a suffix"
        raise UsageError(
            f"{path}: files {kind} cannot be converted", hint=f"supported: {', '.join(_READABLE)}, {_OTHERS}"
        )
    if not path.is_file():
        raise ModelError(f"{path} is no file" if path.exists() else f"{path} does not exist")


def read(source: Path | str, size: tuple[int, int] | None = None) -> SourceModel:
    """The model in ``source``, which ``check`` has nothing against; ``size`` (width, height) fixes what it leaves open.

    Raises:
        ModelError: it is damaged, is something else than its name says, or cannot be translated.
        UsageError: the framework that it needs is not installed, or it does not work at this size.
    """
    if user_code.is_spec(str(source)):
        code: SourceModel = import_module(f"{_ROOM}.pytorch").read_module(str(source), size)
        return code
    path = Path(source)
    path = _model_of_folder(path) if path.is_dir() else path
    content = look(path)
    _check_content(path, content)
    if content is Content.SAVED_MODEL:
        path = _folder_of(path)
    reader = _READERS.get(content, "tflite")  # whose reader says in detail what is wrong with a file of its own
    model: SourceModel = import_module(f"{_ROOM}.{reader}").read(path, size)
    return model


def _model_of_folder(folder: Path) -> Path:
    """The file that makes ``folder`` a model."""
    if (folder / _SAVED_MODEL).is_file():
        return folder / _SAVED_MODEL
    programs = sorted(folder.glob("*.pdmodel")) or [
        file for file in folder.glob("*.json") if file.with_suffix(".pdiparams").is_file()
    ]
    if len(programs) == 1:
        return programs[0]
    raise ModelError(
        f"{folder} is a folder without a model: neither {_SAVED_MODEL} nor one Paddle program lies in it",
        hint="name the file of the model itself",
    )


def _folder_of(saved_model: Path) -> Path:
    """The folder of a SavedModel."""
    if saved_model.name != _SAVED_MODEL:
        raise ModelError(f"{saved_model} is {Content.SAVED_MODEL}", hint="name it so again, and give its folder")
    return saved_model.parent


def _check_content(path: Path, content: Content) -> None:
    """Raise ModelError when ``path`` holds something else than its name says."""
    expected = _SUFFIXES[path.suffix.lower()]
    if content is Content.PADDLE_PIR:
        raise ModelError(f"{path} is {content}, which OpenVINO does not read", hint=_PIR_WAY_OUT)
    if content in expected or (content is Content.UNKNOWN and Content.TFLITE in expected):
        return
    if content is Content.EMPTY:
        raise ModelError(f"{path} is empty")
    if content is Content.UNKNOWN:
        raise ModelError(f"{path} is not {expected[0]}: it is cut off, damaged, or something else")
    if content is Content.LFS_POINTER:
        raise ModelError(f"{path} is {content}, not the model itself", hint="git lfs pull fetches it")
    if content is Content.WEB_PAGE:
        raise ModelError(f"{path} is {content}, not a model: the download went wrong")
    if content is Content.TORCH_PICKLE:
        raise explained(path)
    if content is Content.OLD_TORCH_PICKLE:
        raise ModelError(
            f"{path} is {content}, which holds weights, or a network that only its code can load", hint=BY_CODE
        )
    if content is Content.HDF5:
        raise ModelError(
            f"{path} holds weights only, and not the network that they belong to",
            hint="where its code is, save the whole model: model.save('NAME.keras')",
        )
    hint = f"rename it to end in {_HELD[content]}" if content in _HELD else ""
    raise ModelError(f"{path} is {content}, not {expected[0]}", hint=hint)
