"""What every peer is asked to do, and what is the same in all of them, so that only the libraries differ.

Runs in the environment of a peer, where there is OpenCV, but not edgeseg.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import cv2
import numpy as np

# `import openvino` reports itself to a web service when this package is there. Nobody's benchmark needs that.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

_GREEN = (0, 255, 0)


@dataclass(frozen=True, slots=True)
class Job:
    """Put green behind the person in ``clip``, and encode that into ``target`` with ffmpeg's output ``options``."""

    clip: str
    model: str
    ffmpeg: str
    target: str
    options: list[str]

    @classmethod
    def of_command_line(cls) -> Self:
        """``PROGRAM CLIP MODEL FFMPEG TARGET OPTION…``."""
        clip, model, ffmpeg, target, *options = sys.argv[1:]
        return cls(clip, model, ffmpeg, target, options)


class GreenScreen:
    """Blends in one pass of OpenCV, on a background that is painted once: the quick way, and a soft edge."""

    def __init__(self) -> None:
        self._background: Any = None

    def behind(self, frame: Any, mask: Any) -> Any:
        """``frame``, u8 BGR [height, width, 3], where ``mask``, f32 [height, width], is 1; green where it is 0."""
        if self._background is None:
            self._background = np.full_like(frame, _GREEN)
        return cv2.blendLinear(frame, self._background, mask, 1 - mask)


class Encoder:
    """ffmpeg at the end of a pipe of BGR pictures, for the libraries that do not bring a writer."""

    def __init__(self, job: Job, width: int, height: int, fps: float) -> None:
        raw = ["-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{width}x{height}", "-r", f"{fps:g}", "-i", "pipe:0"]
        command = [job.ffmpeg, "-v", "error", "-y", *raw, *job.options, job.target]
        self._ffmpeg = subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0)

    @classmethod
    def like(cls, job: Job, capture: cv2.VideoCapture) -> Self:
        """For pictures of the size and rate of ``capture``."""
        width, height = (int(capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        return cls(job, width, height, capture.get(cv2.CAP_PROP_FPS))

    def write(self, picture: Any) -> None:
        assert self._ffmpeg.stdin is not None
        rest = memoryview(picture).cast("B")
        while rest:
            rest = rest[self._ffmpeg.stdin.write(rest) :]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._ffmpeg.stdin is not None
        self._ffmpeg.stdin.close()
        if self._ffmpeg.wait() and error is None:
            raise RuntimeError(f"ffmpeg ended with {self._ffmpeg.returncode}")
