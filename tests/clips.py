"""Small clips for tests, made by the ffmpeg that is there."""

from __future__ import annotations

import subprocess
from pathlib import Path

from edgeseg.ffmpeg import find_ffmpeg


def make_clip(
    path: Path,
    *,
    size: str = "64x48",
    fps: str = "25",
    seconds: float = 1.0,
    sound: bool = False,
    video: str = "-c:v libx264 -preset ultrafast -bf 2 -g 10 -pix_fmt yuv420p",
    filters: str = "",
) -> Path:
    """A moving test picture, with a tone if ``sound``, in the container that the name of ``path`` says."""
    inputs = ["-f", "lavfi", "-i", f"testsrc2=s={size}:r={fps}:d={seconds}"]
    if sound:
        inputs += ["-f", "lavfi", "-i", f"sine=440:r=48000:d={seconds}", "-c:a", "aac"]
    picture = [*(["-vf", filters] if filters else []), *video.split()]
    command = [find_ffmpeg(), "-v", "error", "-y", *inputs, *picture, str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path
