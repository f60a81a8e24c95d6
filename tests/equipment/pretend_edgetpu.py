"""Compiles the delegate that stands for libedgetpu."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

_SOURCE = Path(__file__).with_suffix(".c")


@cache
def pretend_edgetpu() -> str:
    """The path of the compiled library; skips the test where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler (cc) to make the delegate with")
    library = Path(mkdtemp(prefix="edgeseg-delegate-")) / "libpretend.so.1"
    command = [
        compiler,
        "-std=c11",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-shared",
        "-fPIC",
        "-o",
        str(library),
        str(_SOURCE),
    ]
    subprocess.run(command, check=True)
    return str(library)
