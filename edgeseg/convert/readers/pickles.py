"""Looks into the pickle of a PyTorch file without loading it, which would run whatever it says."""

from __future__ import annotations

import pickletools
import zipfile
from pathlib import Path

from edgeseg.errors import ModelError

BY_CODE = "write a function that makes the network and loads its weights, and name it: FILE.py:FUNCTION --size WxH"
_LARGEST = 64 << 20  # the weights lie beside it
_LIBRARIES = {"torch", "numpy", "collections", "builtins", "copyreg", "_codecs", "__builtin__"}
_TEXTS = {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"}


def explained(path: Path) -> ModelError:
    """What the PyTorch archive ``path``, which holds neither a program nor TorchScript, is instead."""
    try:
        with zipfile.ZipFile(path) as archive:
            entry = next(entry for entry in archive.infolist() if entry.filename.rpartition("/")[2] == "data.pkl")
            if entry.file_size > _LARGEST:
                raise ValueError(f"its pickle has {entry.file_size} bytes, and {_LARGEST} at most are read")
            named = names(archive.read(entry))
    except (zipfile.BadZipFile, ValueError, OSError, StopIteration) as exc:
        return ModelError(f"{path} is damaged: {str(exc) or 'its pickle cannot be read'}")
    own = sorted(
        name for name in named if name.partition(".")[0] not in _LIBRARIES or name.startswith("torch.nn.modules")
    )
    if own:
        shown = next((name for name in own if not name.startswith("torch.")), own[0])
        return ModelError(
            f"{path} is a pickled network of the class {shown}: loading it would run code that the file brings",
            hint="where its code is, save it with torch.export.save, or name the code: FILE.py:FUNCTION --size WxH",
        )
    return ModelError(
        f"{path} holds weights only, and not the network that they belong to",
        hint=BY_CODE,
    )


def names(pickle: bytes) -> set[str]:
    """Every class and function that ``pickle`` names, as "module.name".

    Raises:
        ValueError: it is damaged.
    """
    found: set[str] = set()
    texts: list[str] = []
    for opcode, argument, _ in pickletools.genops(pickle):
        if opcode.name == "GLOBAL":
            found.add(str(argument).replace(" ", "."))
        elif opcode.name == "STACK_GLOBAL" and len(texts) >= 2:
            found.add(".".join(texts[-2:]))
        elif opcode.name in _TEXTS:
            texts.append(str(argument))
    return found
