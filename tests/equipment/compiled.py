"""Compiles the small libraries that stand for what a test cannot have: a stick, another clock, a slow disk."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest


@cache
def shared_library(source: Path, name: str) -> Path:
    """``source`` (C11) as a shared library called ``name``; skips the test where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip(f"no C compiler (cc) to make {name} with (Debian: apt install gcc libc6-dev)")
    library = Path(mkdtemp(prefix="edgeseg-equipment-")) / name
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, "-o", str(library), str(source), "-ldl"], check=True)
    return library
