"""Compiles the kernels when edgeseg is installed. Needs nothing but Python and, if there is one, a C compiler.

The sources give one library for each kind of processor; which one is loaded is decided at run time.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
SOURCES = tuple(FOLDER / name for name in ("arrays.c", "compositing.c", "sampling.c", "softening.c"))
HEADERS = tuple(FOLDER / name for name in ("boxes.h", "rows.h"))
_LIBRARIES = "kernels-*.so"
_FLAGS = ("-std=c11", "-fPIC", "-shared")
# Not -O3: what it unrolls, runs of a few pixels never get through (a third slower with GCC 12).
_OPTIMISED = ("-O2", "-ftree-vectorize")
# Every aarch64 has NEON; an x86-64 may lack AVX2.
_VARIANTS = {"x86_64": {"avx2": ("-mavx2",), "baseline": ()}}


def library(variant: str) -> Path:
    """Where the library for ``variant`` lies, if it was built."""
    return FOLDER / f"kernels-{variant}.so"


def find_compiler() -> list[str] | None:
    """The command of a C compiler: ``$CC``, else what the system calls cc, gcc or clang."""
    chosen = shlex.split(os.environ.get("CC", ""))
    if chosen:
        return chosen
    found = next((path for name in ("cc", "gcc", "clang") if (path := shutil.which(name))), None)
    return [found] if found else None


def build() -> list[Path]:
    """Compile every variant for this processor and return the libraries. ``$CFLAGS`` and ``$LDFLAGS`` are heeded.

    All of them are replaced, or none is.

    Raises:
        RuntimeError: there is no compiler, or it fails. Libraries that are newer than the sources are still there then;
            older ones are gone, as they may do something else.
    """
    variants = _VARIANTS.get(platform.machine(), {"baseline": ()})
    parts = {library(variant): FOLDER / f"kernels-{variant}.{os.getpid()}.part" for variant in variants}
    try:
        command = _command()
        for part, flags in zip(parts.values(), variants.values(), strict=True):
            _compile(command, flags, part)
        _remove(built for built in FOLDER.glob(_LIBRARIES) if built not in parts)
        for target, part in parts.items():
            part.replace(target)
    except RuntimeError:
        source = max(file.stat().st_mtime_ns for file in (*SOURCES, *HEADERS))
        _remove(built for built in FOLDER.glob(_LIBRARIES) if built.stat().st_mtime_ns <= source)
        raise
    finally:
        _remove(parts.values())
    return list(parts)


def _command() -> list[str]:
    """The compiler with the options of every variant."""
    if not sys.platform.startswith("linux"):
        raise RuntimeError(f"they are built on Linux only, not on {sys.platform}")
    compiler = find_compiler()
    if compiler is None:
        raise RuntimeError("there is no C compiler (Debian: apt install gcc libc6-dev)")
    return [*compiler, *_OPTIMISED, *_options("CFLAGS"), *_FLAGS]


def _options(variable: str) -> list[str]:
    try:
        return shlex.split(os.environ.get(variable, ""))
    except ValueError as exc:
        raise RuntimeError(f"${variable} cannot be read: {exc}") from exc


def _compile(command: list[str], flags: tuple[str, ...], target: Path) -> None:
    whole = [*command, *flags, *map(str, SOURCES), "-o", str(target), *_options("LDFLAGS")]
    try:
        done = subprocess.run(whole, check=False, capture_output=True, text=True)
    except OSError as exc:
        raise RuntimeError(f"{command[0]} cannot be run: {exc.strerror}") from exc
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {' '.join(done.stderr.split()) or done.returncode}")


def _remove(files: Iterable[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)
