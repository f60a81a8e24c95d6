"""Reads what came out: every picture and every bit of sound with its time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from edgeseg.types import U8

_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Picture:
    """One decoded picture; the planes are I420 copies."""

    pts_s: float
    y: U8
    u: U8
    v: U8


@dataclass(frozen=True, slots=True)
class Sound:
    """Decoded sound: blocks of float32 [n] (first channel), each with the time of its first sample."""

    rate: int
    blocks: list[tuple[float, npt.NDArray[np.float32]]]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a container says about its picture, by FFmpeg's names and numbers."""

    codec: str
    width: int
    height: int
    fps: Fraction | None
    matrix: int
    color_range: int
    has_sound: bool


def read_pictures(source: Path | str, limit: int | None = None) -> list[Picture]:
    """Every picture of a file or URL, at most ``limit``."""
    pictures = []
    with av.open(str(source), timeout=_TIMEOUT_S) as container:
        for frame in container.decode(video=0):
            assert isinstance(frame, av.VideoFrame)
            assert frame.time is not None
            pictures.append(Picture(frame.time, *(_plane(plane) for plane in frame.planes[:3])))
            if len(pictures) == limit:
                break
    return pictures


def read_sound(source: Path | str) -> Sound:
    blocks = []
    with av.open(str(source), timeout=_TIMEOUT_S) as container:
        rate = container.streams.audio[0].codec_context.sample_rate
        for frame in container.decode(audio=0):
            assert frame.time is not None
            blocks.append((frame.time, frame.to_ndarray()[0].astype(np.float32)))
    return Sound(rate, blocks)


def read_times(source: Path | str) -> list[float]:
    """The time of every picture in order of presentation, without decoding."""
    with av.open(str(source), timeout=_TIMEOUT_S) as container:
        stream = container.streams.video[0]
        packets = container.demux(stream)
        return sorted(float(p.pts * p.time_base) for p in packets if p.pts is not None and p.time_base is not None)


def packet_hashes(source: Path | str) -> list[str]:
    """A hash of every packet of sound, in order: equal means copied bit by bit."""
    with av.open(str(source), timeout=_TIMEOUT_S) as container:
        packets = container.demux(container.streams.audio[0])
        return [hashlib.sha256(bytes(packet)).hexdigest()[:16] for packet in packets if packet.size]


def read_facts(source: Path | str) -> Facts:
    with av.open(str(source), timeout=_TIMEOUT_S) as container:
        stream = container.streams.video[0]
        first = next(container.decode(stream))
        return Facts(
            stream.codec_context.name,
            first.width,
            first.height,
            stream.average_rate or stream.guessed_rate,
            int(first.colorspace),
            int(first.color_range),
            bool(container.streams.audio),
        )


def _plane(plane: av.video.plane.VideoPlane) -> U8:
    view: U8 = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return view[: plane.height, : plane.width].copy()
