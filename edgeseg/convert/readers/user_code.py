"""Calls a function of somebody's own code, named "package.module:function" or "file.py:function"."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from edgeseg.errors import ModelError, UsageError


def is_spec(source: str) -> bool:
    """Whether ``source`` names a function and not a file."""
    where, colon, name = source.rpartition(":")
    if not colon or not name.isidentifier() or Path(source).exists():
        return False
    return where.endswith(".py") or all(part.isidentifier() for part in where.split("."))


def make(spec: str) -> tuple[Path, Any]:
    """The file of the code, and what its function gives when it is called without arguments. A name that is no class
    or function is taken as it is.

    Raises:
        UsageError: there is no such file, module or name.
        ModelError: the code fails.
    """
    where, _, name = spec.rpartition(":")
    with _importable(Path(where).resolve().parent if where.endswith(".py") else Path.cwd()):
        try:
            module = _from_file(Path(where)) if where.endswith(".py") else import_module(where)
            found = getattr(module, name, None)
            if found is None:
                raise UsageError(f"{where} has no {name}", hint=f"it has {', '.join(_offered(module)) or 'nothing'}")
            made = found() if isinstance(found, type) or _is_function(found) else found
        except UsageError:
            raise
        except ModuleNotFoundError as exc:
            if exc.name and where.startswith(exc.name):
                raise UsageError(f"there is no module {where}", hint="or name its file: FILE.py:FUNCTION") from exc
            raise _failed(spec, exc) from exc
        except Exception as exc:  # somebody's code
            raise _failed(spec, exc) from exc
    return Path(module.__file__ or where), made


def _failed(spec: str, exc: Exception) -> ModelError:
    return ModelError(f"{spec} cannot be made: {type(exc).__name__}: {exc}")


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"{path} does not exist")
    name = f"edgeseg_source_{path.stem}"  # not the stem alone: files are called numpy.py
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is no Python code")
    module = module_from_spec(spec)
    sys.modules[name] = module  # classes of the file are looked up there
    spec.loader.exec_module(module)
    return module


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """What lies in ``folder`` can be imported."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _is_function(found: Any) -> bool:
    return callable(found) and hasattr(found, "__code__")


def _offered(module: ModuleType) -> list[str]:
    """The classes and functions that are the module's own."""
    return sorted(
        name
        for name, found in vars(module).items()
        if getattr(found, "__module__", None) == module.__name__ and not name.startswith("_")
    )
