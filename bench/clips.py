"""The material: a clip as a camera would send it, and the same clip already composited."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from cost import MeasurementError

from edgeseg.build import build_backend, build_effect, build_source, refine_settings
from edgeseg.config.schema import StreamConfig
from edgeseg.encoding.command import EncoderSettings, encode_command
from edgeseg.encoding.matroska import RawFormat
from edgeseg.frames import Canvas
from edgeseg.masks import MaskRefiner
from edgeseg.sampling import Sampler
from edgeseg.types import Colour, Frame

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
FPS = Fraction(30)
ALL_SIZES = {"360p": (640, 360), **SIZES}
# Mbit/s of a camera of that size.
_CAMERA_MBIT = {"360p": 1, "720p": 4, "1080p": 8}


@dataclass(frozen=True, slots=True)
class Clip:
    """``frames`` pictures, the same ones ``turns`` times over, at 30 a second."""

    path: Path
    size: str
    frames: int
    turns: int

    @property
    def total(self) -> int:
        return self.frames * self.turns


def make_clip(ffmpeg: str, source: Path, size: str, frames: int, turns: int) -> Clip:
    """The first ``frames`` pictures of ``source`` at ``size``, ``turns`` times; made once and kept in the temp folder.

    H.264 as cameras send it: no B-frames, a keyframe every two seconds. The turns are copies of the same bytes, so that
    a frame of a long run costs what a frame of a short one does.
    """
    facts = source.stat()
    width, height = ALL_SIZES[size]
    rate = _CAMERA_MBIT[size]
    key = f"{source.resolve()} {facts.st_size} {facts.st_mtime_ns} {width}x{height} {frames} {FPS} {rate}"
    folder = Path(tempfile.gettempdir()) / "edgeseg-bench"
    folder.mkdir(exist_ok=True)
    base = folder / f"{size}-{frames}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.mp4"
    if not base.exists():
        _make(
            [ffmpeg, "-stream_loop", "-1", "-i", str(source)],
            ["-vf", f"scale={width}:{height}:flags=bicubic,setsar=1,format=yuv420p,setpts=N/({FPS}*TB)"],
            ["-r", str(FPS), "-frames:v", str(frames), "-an", "-c:v", "libx264", "-preset", "fast", "-bf", "0"],
            ["-g", str(round(2 * FPS)), "-b:v", f"{rate}M", "-maxrate", f"{rate}M", "-bufsize", f"{rate}M"],
            target=base,
        )
    clip = base.with_stem(f"{base.stem}-x{turns}")
    if not clip.exists():
        _make([ffmpeg, "-stream_loop", str(turns - 1), "-i", str(base), "-an", "-c", "copy"], target=clip)
    return Clip(clip, size, frames, turns)


def encoder_options(ffmpeg: str, size: str) -> list[str]:
    """The daemon's own encoder options for pictures of this size, without its input and output."""
    width, height = ALL_SIZES[size]
    settings = EncoderSettings(ffmpeg)
    command = encode_command(settings, RawFormat(width, height, FPS, Colour()))
    return command[command.index("0:v:0") + 1 : command.index("pipe:1")]


def render(clip: Clip, effect: str, target: Path) -> None:
    """Write the pictures that the daemon's own stages make of ``clip`` as raw I420."""
    stream = StreamConfig.model_validate(
        {"source": {"url": str(clip.path), "audio": False}, "effect": EFFECTS[effect], "record": "unused"}
    )
    source, painter = build_source(stream), build_effect(stream)
    backend, recipe, _ = build_backend(stream)
    sampler, refiner = Sampler(recipe), MaskRefiner(refine_settings(stream))
    opened = source.open()
    canvas = Canvas(opened.width, opened.height, opened.colour)
    with target.open("wb") as file:
        while (frame := source.read()) is not None:
            if isinstance(frame, Frame):
                painter.apply(frame, refiner.refine(backend.infer(sampler.sample(frame)), frame.pts), canvas.frame)
                file.write(canvas.buffer)
    source.close()
    backend.close()


EFFECTS = {"replace": {"type": "replace", "color": "green"}, "blur": {"type": "blur"}}


def _make(*arguments: list[str], target: Path) -> None:
    command = [word for part in arguments for word in part]
    part = target.with_suffix(".part.mp4")
    done = subprocess.run(
        [command[0], "-nostdin", "-v", "error", "-y", *command[1:], str(part)], capture_output=True, check=False
    )
    if done.returncode != 0:
        raise MeasurementError(f"cannot make {target.name}: {done.stderr.decode('utf-8', 'replace').strip()}")
    part.rename(target)
