"""A wall clock that can be put forward and back, for one process and its children."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.equipment.compiled import shared_library


class OtherClock:
    """What a daemon with the environment ``env`` takes for the wall clock; it starts as far off as ``offset_s``."""

    def __init__(self, folder: Path, offset_s: float = 0.0) -> None:
        self._offset_s = offset_s
        self._file = folder / "clock"
        self._write()
        library = shared_library(Path(__file__).with_suffix(".c"), "libotherclock.so")
        self.env = {"LD_PRELOAD": str(library), "OTHER_CLOCK": str(self._file)}

    def step(self, seconds: float) -> None:
        """Put it forward, or back."""
        self._offset_s += seconds
        self._write()

    def _write(self) -> None:
        if not self._file.exists():
            self._file.write_bytes(bytes(8))
        with self._file.open("r+b") as file:  # in place: it is mapped
            file.write(struct.pack("=q", round(self._offset_s * 1e9)))
