"""Writes a clip picture by picture, each at the time that the test wants."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from edgeseg.types import U8, Colour, Matrix

Planes = tuple[U8, U8, U8]

_MATRIX_NUMBER = {Matrix.BT709: 1, Matrix.BT601: 6}
_RATE = 48000


def blank(width: int, height: int, yuv: tuple[int, int, int] = (110, 128, 128)) -> Planes:
    """I420 planes of one colour; odd sides are rounded up for chroma."""
    half = ((height + 1) // 2, (width + 1) // 2)
    y, u, v = (np.full(shape, value, np.uint8) for shape, value in zip(((height, width), half, half), yuv, strict=True))
    return y, u, v


def write_clip(
    path: Path,
    pictures: Iterable[tuple[Fraction, Planes]],
    *,
    rate: Fraction = Fraction(25),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    colour: Colour | None = None,
    crf: int = 12,
    sound: npt.NDArray[np.float32] | None = None,
) -> None:
    """Write ``pictures``, each with its time in seconds, without B-frames, a keyframe every second.

    ``sound`` is float32 [n], -1..1, at 48 kHz, and becomes AAC. With ``colour`` None the clip carries no tags.
    """
    options = {"crf": str(crf), "preset": "veryfast", "bf": "0"} if codec == "libx264" else {}
    time_base = Fraction(1, 90_000)
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream(codec, rate=rate, options=options)
        audio: Any = None if sound is None else container.add_stream("aac", rate=_RATE, layout="mono")
        context = video.codec_context
        context.pix_fmt, context.time_base, context.gop_size = pix_fmt, time_base, max(1, round(rate))
        if colour is not None:
            context.colorspace = _MATRIX_NUMBER[colour.matrix]
            context.color_range = 2 if colour.full_range else 1
            context.color_primaries, context.color_trc = colour.primaries, colour.transfer
        # One slice for each picture, as cameras send: GStreamer's payloader repeats the headers before each slice of a
        # keyframe, and receivers take what follows for another picture.
        context.thread_count = 1
        done = 0
        for time, planes in pictures:
            if not context.is_open:
                context.height, context.width = planes[0].shape
            frame = _frame(planes, pix_fmt)
            frame.pts, frame.time_base = round(time / time_base), time_base
            if audio is not None and sound is not None:
                wanted = min(len(sound), int(time * _RATE) + 1024)
                _mux_sound(container, audio, sound, done, wanted)
                done = wanted
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None and sound is not None:
            _mux_sound(container, audio, sound, done, len(sound))
            container.mux(audio.encode(None))


def _mux_sound(container: Any, audio: Any, sound: npt.NDArray[np.float32], begin: int, end: int) -> None:
    if end > begin:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[None, begin:end]), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = _RATE, begin, Fraction(1, _RATE)
        container.mux(audio.encode(frame))


def _frame(planes: Planes, pix_fmt: str) -> av.VideoFrame:
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, pix_fmt)
    for plane, values in zip(frame.planes, planes, strict=True):
        target = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        target[: values.shape[0], : values.shape[1]] = values
    return frame
