"""The least that the job can cost: decode, run the model, encode, and nothing between."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from clips import FPS, SIZES, Clip, encoder_options

from edgeseg.backends.openvino import OpenVinoBackend
from edgeseg.recipes import find_model, load_recipe


def command(ffmpeg: str, clip: Clip, target: Path, *, realtime: bool = False) -> list[str]:
    """One ffmpeg that decodes ``clip`` on one thread and encodes the same pictures as the daemon encodes its own.

    As fast as it goes, or at the clip's own rate.
    """
    return [
        *(ffmpeg, "-nostdin", "-v", "error", "-y"),
        *(["-re"] if realtime else []),
        *("-threads", "1", "-i", str(clip.path), "-map", "0:v:0"),
        *encoder_options(ffmpeg, clip.size),
        str(target),
    ]


def composited_command(ffmpeg: str, clip: Clip, composited: Path, target: Path) -> list[str]:
    """One ffmpeg that decodes ``clip`` on one thread to nowhere, and encodes ``composited`` as the daemon does.

    The stricter floor: what is encoded is what the daemon puts out, and a plain or soft background is cheaper to encode
    than the room. The raw pictures come from the page cache, one copy of each.
    """
    width, height = SIZES[clip.size]
    raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{width}x{height}", "-r", str(FPS), "-i", str(composited)]
    return [
        *(ffmpeg, "-nostdin", "-v", "error", "-y"),
        *("-threads", "1", "-i", str(clip.path)),
        *("-stream_loop", str(clip.turns - 1), *raw),
        *("-map", "0:v:0", "-fps_mode", "passthrough", "-f", "null", "-"),
        *("-map", "1:v:0", *encoder_options(ffmpeg, clip.size), str(target)),
    ]


class Inference:
    """The daemon's backend on a constant picture."""

    def __init__(self) -> None:
        self._backend = OpenVinoBackend()
        self._backend.load(load_recipe(find_model("selfie")), "CPU")
        self._backend.tensor[...] = np.uint8(128)
        self.measure(20)

    def measure(self, times: int, *, every_s: float = 0.0) -> float:
        """CPU milliseconds for one inference, all threads of this process; one ``every_s``, or one after the other."""
        before, due = time.process_time(), time.monotonic()
        for _ in range(times):
            self._backend.infer(self._backend.tensor)
            due += every_s
            time.sleep(max(0.0, due - time.monotonic()))
        return (time.process_time() - before) / times * 1000
