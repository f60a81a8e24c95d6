"""From packets to pictures, and from a decoded PyAV picture to a Frame: planes without a copy, colour as tagged."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import Any, Protocol

import av
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from edgeseg.errors import SourceError
from edgeseg.types import U8, Colour, Frame, Matrix

# H.273 matrix coefficients as FFmpeg numbers them (AVColorSpace).
_SPC_RGB, _SPC_BT709, _SPC_UNSPECIFIED = 0, 1, 2
_SPC_BT601 = {4, 5, 6}
_RANGE_FULL = 2
_I420 = {"yuv420p", "yuvj420p"}
_HD_HEIGHT = 720


def colour_of(frame: av.VideoFrame) -> Colour:
    """How to read the planes of ``frame``.

    Where the stream says nothing, HD is BT.709, smaller is BT.601, and the range is limited: what players assume. A
    matrix that is neither (BT.2020, YCgCo) is read as BT.709.
    """
    space = int(frame.colorspace)
    if space in _SPC_BT601 or (space == _SPC_UNSPECIFIED and frame.height < _HD_HEIGHT):
        matrix = Matrix.BT601
    else:
        matrix = Matrix.BT709
    is_rgb = frame.format.is_rgb
    full = not is_rgb and (int(frame.color_range) == _RANGE_FULL or frame.format.name.startswith("yuvj"))
    return Colour(matrix, full, int(frame.color_primaries), int(frame.color_trc))


class Decoder(Protocol):
    """From packets to pictures; ``None`` for a packet asks for what is there by now."""

    def decode(self, packet: Packet[Any] | None) -> list[VideoFrame]: ...

    def close(self) -> None: ...


class InProcess:
    """FFmpeg's decoder, in this process."""

    def decode(self, packet: Packet[Any] | None) -> list[VideoFrame]:
        if packet is None:
            return []
        try:
            return [picture for picture in packet.decode() if isinstance(picture, VideoFrame)]
        except av.error.FFmpegError:
            return []  # one damaged picture; the decoder goes on at the next

    def close(self) -> None:
        """Nothing is open: the decoder belongs to the container."""


class ToFrame:
    """Turns pictures of one source into frames; keeps the converter for sources that are not 4:2:0."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._tags: tuple[Any, ...] = ()
        self._colour = Colour()

    def __call__(self, picture: av.VideoFrame, pts: int, time_base: Fraction) -> Frame:
        tags = _tags_of(picture)
        if tags != self._tags:  # one picture is tagged as the other, and then its colour is the same object
            self._tags, self._colour = tags, colour_of(picture)
        colour = self._colour
        if picture.format.name not in _I420:
            picture = self._to_i420(picture, colour)
        y, u, v = picture.planes[:3]
        return Frame(_plane(y), _plane(u), _plane(v), pts, time_base, colour, time.monotonic())

    def _to_i420(self, picture: av.VideoFrame, colour: Colour) -> av.VideoFrame:
        """Convert the layout only: matrix and range stay, except for RGB, which has neither."""
        space = _SPC_BT709 if colour.matrix is Matrix.BT709 else 5
        range_ = _RANGE_FULL if colour.full_range else 1
        try:
            return self._reformatter.reformat(
                picture,
                format="yuv420p",
                src_colorspace=None if picture.format.is_rgb else space,
                dst_colorspace=space,
                src_color_range=_RANGE_FULL if picture.format.is_rgb else range_,
                dst_color_range=range_,
            )
        except (ValueError, av.error.FFmpegError) as exc:
            raise SourceError(f"cannot convert {picture.format.name} pictures to planar 4:2:0: {exc}") from exc


def _plane(plane: av.video.plane.VideoPlane) -> U8:
    view: U8 = np.ndarray((plane.height, plane.width), np.uint8, memoryview(plane), 0, (plane.line_size, 1))
    view.setflags(write=False)
    return view


def _tags_of(frame: av.VideoFrame) -> tuple[Any, ...]:
    """All that ``colour_of`` looks at."""
    return (
        frame.colorspace,
        frame.color_range,
        frame.color_primaries,
        frame.color_trc,
        frame.format.name,
        frame.height,
    )
