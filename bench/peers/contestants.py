"""Who takes part besides edgeseg and the usual loop, and how each is started in its own environment."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from edgeseg.recipes import find_model, load_recipe

_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Peer:
    """``package`` is its distribution; None: it needs none. ``segments``: it does the job, and is no mere floor."""

    name: str
    program: str
    package: str | None
    segments: bool = True

    @property
    def python(self) -> Path:
        """The interpreter of its environment, where `make peers` puts it."""
        return _HERE / ".venv" / self.name / "bin" / "python" if self.package else Path(sys.executable)

    def is_installed(self) -> bool:
        return self.python.exists()

    def version(self) -> str:
        """That of ``package``, as installed."""
        ask = f"from importlib.metadata import version; print(version({self.package!r}))"
        return subprocess.run([self.python, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()

    def command(self, clip: Path, ffmpeg: str, target: Path, options: list[str]) -> list[str]:
        """As ``job.Job`` reads it."""
        model = load_recipe(find_model("selfie")).path
        return [*map(str, (self.python, _HERE / self.program, clip, model, ffmpeg, target)), *options]


PEERS = (
    Peer("vidgear", "vidgear_loop.py", "vidgear"),
    Peer("model-api", "model_api_loop.py", "openvino-model-api"),
    Peer("mediapipe", "mediapipe_loop.py", "mediapipe"),
    Peer("plain ffmpeg", "plain_ffmpeg.py", None, segments=False),
)
