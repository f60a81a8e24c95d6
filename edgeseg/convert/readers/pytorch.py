"""Reads PyTorch's programs: exported ones (.pt2), TorchScript, and modules that somebody's code makes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from edgeseg.convert.readers import user_code
from edgeseg.convert.readers.contents import Content, look
from edgeseg.convert.readers.frontend import untranslated
from edgeseg.convert.readers.layout import settle
from edgeseg.convert.readers.quiet import quiet
from edgeseg.convert.runtimes.extras import need
from edgeseg.convert.runtimes.framework import first_line
from edgeseg.convert.runtimes.pytorch import open_module
from edgeseg.convert.source_model import SourceModel
from edgeseg.errors import ModelError, UsageError
from edgeseg.ovruntime import ov

Size = tuple[int, int]
_LAYOUT = "NCHW"
_CHANNELS = (3, 4)
_NO_PICKLES = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
_SETTLED = "its branches are settled for good, each as one grey picture took it"
_CODE_ONLY = "the hash of the source is that of its code: it does not cover weights that the code loads"


def read(path: Path, size: Size | None = None) -> SourceModel:
    """The program in ``path``; ``size`` (width, height) fixes what it leaves open.

    Raises:
        UsageError: PyTorch is not installed, or the model does not work at this size.
        ModelError: the file is damaged, or holds an operator that OpenVINO does not have.
    """
    torch = _torch()
    exported = look(path) is Content.EXPORTED_PROGRAM
    return (_exported_program if exported else _torchscript)(torch, path, size)


def read_module(spec: str, size: Size | None = None) -> SourceModel:
    """The module that ``spec`` makes, "package.module:function" or "file.py:function", for pictures of ``size``
    (width, height). Runs that code.

    Raises:
        UsageError: PyTorch is not installed, there is no such function, or ``size`` is not said.
        ModelError: the code fails, makes something else, or the network cannot be translated.
    """
    torch = _torch()
    if size is None:
        raise UsageError(f"{spec} does not say what size of pictures it takes", hint="choose one with --size WxH")
    file, module = user_code.make(spec)
    if not isinstance(module, torch.nn.Module):
        raise ModelError(f"{spec} makes something of type {type(module).__name__}, and a torch.nn.Module is wanted")
    module = module.cpu().float().eval()
    picture = _grey(torch, module, size)
    try:
        with quiet(), torch.no_grad():
            module(picture)
    except Exception as exc:  # somebody's code
        raise ModelError(f"{spec} does not take {size[0]}x{size[1]} pictures: {first_line(exc)}") from exc
    try:
        with quiet():
            program = torch.export.export(module, (picture,))
    except Exception:  # noqa: BLE001  # the ways in which code cannot be exported are many; a trace will do
        model = _translate(spec, module, example_input=picture)
    else:
        model = _translate(spec, program)
    kind = f"PyTorch module {spec.rpartition(':')[2]}"
    layout = settle(file, model, _LAYOUT, size)
    return SourceModel(file, kind, layout, model, engine=partial(open_module, file, module, model), notes=(_CODE_ONLY,))


def _exported_program(torch: Any, path: Path, size: Size | None) -> SourceModel:
    program = _load(path, torch.export.load)
    model = _translate(path, program)
    shapes = _shapes(program)
    many = next((shape[0] for shape in shapes if len(shape) == 4 and shape[0] > 1), 1)
    if many > 1:
        raise ModelError(f"{path} was exported for {many} pictures at a time", hint="export it again for one")
    # OpenVINO leaves all sides open, and the program is made for these.
    model.reshape(dict(enumerate(shapes)))
    layout = settle(path, model, _LAYOUT, size)
    engine = partial(open_module, path, program.module(), model)
    return SourceModel(path, "PyTorch exported program", layout, model, engine=engine)


def _torchscript(torch: Any, path: Path, size: Size | None) -> SourceModel:
    module = _load(path, partial(torch.jit.load, map_location="cpu")).float().eval()
    notes: tuple[str, ...] = ()
    try:
        # TorchScript does not say what shape it takes; pictures in PyTorch are NCHW.
        model = _translate(path, module, input=[-1, _channels(module), -1, -1])
    except ModelError as exc:
        if size is None:
            raise ModelError(exc.message, hint="with --size WxH it is run once, which settles its branches") from exc
        model, notes = _translate(path, _recorded(torch, path, module, size)), (_SETTLED,)
    layout = settle(path, model, _LAYOUT, size)
    engine = partial(open_module, path, module, model)
    return SourceModel(path, "TorchScript", layout, model, engine=engine, notes=notes)


def _recorded(torch: Any, path: Path, module: Any, size: Size) -> Any:
    """What TorchScript does with one picture, as an exported program: all that is left of it are plain operators."""
    picture = _grey(torch, module, size)
    try:
        with quiet(), torch.no_grad():
            graph = torch.fx.experimental.proxy_tensor.make_fx(module)(picture)
            return torch.export.export(graph, (picture,))
    except Exception as exc:  # whatever the script raises
        raise ModelError(f"{path} does not take {size[0]}x{size[1]} pictures: {first_line(exc)}") from exc


def _translate(source: Path | str, program: Any, **how: Any) -> Any:
    try:
        with quiet():
            return ov.convert_model(program, **how)
    except Exception as exc:  # of several classes, which share nothing but Exception
        raise untranslated(source, exc) from exc


def _load(path: Path, load: Any) -> Any:
    try:
        with quiet(), _no_pickles():
            return load(str(path))
    except Exception as exc:  # RuntimeError, and whatever a damaged archive leads to
        if type(exc).__name__ == "UnpicklingError":
            raise ModelError(
                f"{path} holds pickled objects that are no tensors: loading them would run code that the file brings"
            ) from exc
        raise ModelError(f"{path} cannot be loaded by PyTorch: {first_line(exc)}") from exc


@contextmanager
def _no_pickles() -> Iterator[None]:
    """PyTorch unpickles tensors only. By itself, ``torch.export.load`` tries that first and then anything."""
    before = os.environ.get(_NO_PICKLES)
    os.environ[_NO_PICKLES] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_NO_PICKLES]
        else:
            os.environ[_NO_PICKLES] = before


def _torch() -> Any:
    return need("torch", "pytorch", "reading a PyTorch model")


def _shapes(program: Any) -> list[list[int]]:
    """The shape of each input of an exported program, -1 for what it leaves open."""
    wanted = set(program.graph_signature.user_inputs)
    values = [node.meta["val"] for node in program.graph.nodes if node.op == "placeholder" and node.name in wanted]
    return [[side if isinstance(side, int) else -1 for side in value.shape] for value in values]


def _grey(torch: Any, module: Any, size: Size) -> Any:
    return torch.full((1, _channels(module), size[1], size[0]), 0.5)


def _channels(module: Any) -> int:
    """How many channels the first convolution takes, where that can be a picture's."""
    first = next((value for value in module.state_dict().values() if value.dim() == 4), None)
    return int(first.shape[1]) if first is not None and first.shape[1] in _CHANNELS else 3
