"""The configurations that are measured: a user's streams, with files for cameras and a temporary folder for outputs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from edgeseg.config import Config, StreamConfig, load_config

# Nothing is cut or removed during a measurement.
_SEGMENT_S = 86_400


@dataclass(frozen=True, slots=True)
class Played:
    """A stream of the user's, and the ``source:`` that is played in its place; ``fps`` is how many pictures it shows.

    ``width`` and ``height`` are the source's. ``made`` says how the source was made, where it is not the user's own
    file.
    """

    name: str
    stream: StreamConfig
    source: dict[str, Any]
    width: int
    height: int
    source_fps: float
    made: str = ""

    @property
    def fps(self) -> float:
        wanted = self.stream.video.fps
        return min(self.source_fps, float(wanted)) if isinstance(wanted, Fraction) else self.source_fps

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of what is put out."""
        size = self.stream.video.size
        return size if isinstance(size, tuple) else (self.width, self.height)


def write(
    folder: Path, streams: Sequence[Played], ffmpeg: str, *, fps: float | None = None, realtime: bool = True
) -> Path:
    """A configuration in ``folder`` that plays ``streams`` in a loop, named s0, s1, …, and records them beside itself.

    ``fps`` is the highest rate. Nothing in it reaches an address or a folder of the user's.
    """
    sections = {
        f"s{number}": _section(played, folder / f"recordings-{number}", fps, realtime)
        for number, played in enumerate(streams)
    }
    config = {"http": {"port": 0}, "log": {"level": "warning"}, "ffmpeg": ffmpeg, "streams": sections}
    file = folder / "bench.yaml"
    # JSON is YAML. A dollar sign would begin a reference.
    file.write_text(json.dumps(config).replace("$", "$$"), encoding="utf-8")
    return file


def read(file: Path) -> Config:
    """What ``write`` wrote."""
    return load_config(file)


def _section(played: Played, recordings: Path, fps: float | None, realtime: bool) -> dict[str, Any]:
    section = played.stream.model_dump()
    section["source"] = {**played.source, "realtime": realtime}
    # A scene that stays still would promise more than the machine can do when somebody comes.
    section["mask"]["motion_gate"] = {"enabled": False}
    section["model"]["cache"] = str(recordings.parent / "models")
    section |= {"enabled": True, "slate": {"enabled": False}, "publish": [], "outputs": []}
    section["record"] = {"directory": str(recordings), "segment_s": _SEGMENT_S, "min_free": None}
    if fps is not None and fps < played.fps:
        section["video"]["fps"] = str(Fraction(fps).limit_denominator(1001))
    return section
