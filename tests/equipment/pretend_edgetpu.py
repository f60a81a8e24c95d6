"""Compiles the delegate that stands for libedgetpu."""

from __future__ import annotations

from pathlib import Path

from tests.equipment.compiled import shared_library


def pretend_edgetpu() -> str:
    """The path of the compiled library; skips the test where there is no C compiler."""
    return str(shared_library(Path(__file__).with_suffix(".c"), "libpretend.so.1"))
