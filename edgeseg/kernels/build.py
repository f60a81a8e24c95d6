"""Compiles the kernels when edgeseg is installed. Needs nothing but Python and, if there is one, a C compiler.

One source gives one library for each kind of processor; which one is loaded is decided at run time.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
SOURCE = FOLDER / "compositing.c"
_FLAGS = ("-std=c11", "-O3", "-fPIC", "-shared")
# Every aarch64 has NEON; an x86-64 may lack AVX2.
_VARIANTS = {"x86_64": {"avx2": ("-mavx2",), "baseline": ()}}


def library(variant: str) -> Path:
    """Where the library for ``variant`` lies, if it was built."""
    return FOLDER / f"compositing-{variant}.so"


def find_compiler() -> list[str] | None:
    """The command of a C compiler: ``$CC``, else what the system calls cc, gcc or clang."""
    chosen = shlex.split(os.environ.get("CC", ""))
    if chosen:
        return chosen
    found = next((path for name in ("cc", "gcc", "clang") if (path := shutil.which(name))), None)
    return [found] if found else None


def build() -> list[Path]:
    """Compile every variant for this processor and return the libraries.

    Raises:
        RuntimeError: there is no compiler, or it fails. What was built before is gone then: it may be from another
            source.
    """
    variants = _VARIANTS.get(platform.machine(), {"baseline": ()})
    for stale in FOLDER.glob("compositing-*.so"):
        stale.unlink()
    if not sys.platform.startswith("linux"):
        raise RuntimeError(f"they are built on Linux only, not on {sys.platform}")
    compiler = find_compiler()
    if compiler is None:
        raise RuntimeError("there is no C compiler (Debian: apt install gcc libc6-dev)")
    return [_compile(compiler, variant, flags) for variant, flags in variants.items()]


def _compile(compiler: list[str], variant: str, flags: tuple[str, ...]) -> Path:
    target = library(variant)
    part = target.with_suffix(f".{os.getpid()}.part")
    try:
        command = [*compiler, *_FLAGS, *flags, str(SOURCE), "-o", str(part)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{compiler[0]} failed: {' '.join(done.stderr.split()) or done.returncode}")
        part.replace(target)
    except OSError as exc:
        raise RuntimeError(f"{compiler[0]} cannot be run: {exc.strerror}") from exc
    finally:
        part.unlink(missing_ok=True)
    return target
