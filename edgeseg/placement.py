"""Where the source's picture goes in the output's: cropping to even sides, scaling, bars."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np

from edgeseg.frames import fill, region
from edgeseg.types import U8, Frame, SourceFormat


class Placement:
    """Fits the pictures of one source into an output of a fixed size. Belongs to one thread.

    Without a wanted size the output is the source, less the last column or row where its sides are odd: 4:2:0 H.264
    cannot have them. ``contain`` leaves black bars, ``cover`` cuts off, ``stretch`` distorts; pixels that are not
    square are taken into account, and square afterwards.

    Args:
        source: what the source gives.
        size: (width, height) of the output, both even, or None for the source's.
        fit: "contain", "cover" or "stretch".
    """

    def __init__(self, source: SourceFormat, size: tuple[int, int] | None, fit: str) -> None:
        even_width, even_height = source.width & ~1, source.height & ~1
        self._crop = (0, 0, even_width, even_height)
        self.sample_aspect_ratio = source.sample_aspect_ratio if size is None else Fraction(1)
        self.width, self.height = size or (even_width, even_height)
        self._box = (0, 0, self.width, self.height)
        if size is not None and fit != "stretch":
            shown = Fraction(even_width) * source.sample_aspect_ratio / even_height
            wanted = Fraction(self.width, self.height)
            if fit == "contain":
                self._box = _centred(self.width, self.height, shown)
            else:
                self._crop = _centred(even_width, even_height, wanted / source.sample_aspect_ratio)
        self._has_bars = self._box[2:] != (self.width, self.height)
        self._planes: list[U8] = []

    def prepare(self, frame: Frame) -> Frame:
        """The part of ``frame`` that is shown, at the size of its place in the output. Valid until the next call."""
        part = frame
        if self._crop != (0, 0, frame.width, frame.height):
            part = region(frame, *self._crop)
        width, height = self._box[2:]
        if (part.width, part.height) == (width, height):
            return part
        if not self._planes:
            self._planes = [
                np.empty(shape, np.uint8)
                for shape in ((height, width), (height // 2, width // 2), (height // 2, width // 2))
            ]
        smaller = width < part.width
        for plane, scaled in zip(part.planes, self._planes, strict=True):
            method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
            cv2.resize(plane, scaled.shape[::-1], dst=scaled, interpolation=method)
        y, u, v = self._planes
        return replace(part, y=y, u=u, v=v)

    def place(self, canvas: Frame) -> Frame:
        """The writable part of ``canvas`` that the picture belongs to; paints the bars around it."""
        if not self._has_bars:
            return canvas
        fill(canvas, (0 if canvas.colour.full_range else 16, 128, 128))
        return region(canvas, *self._box)


def _centred(width: int, height: int, shape: Fraction) -> tuple[int, int, int, int]:
    """The largest box of this aspect ratio in the middle of a picture, on even pixels: x, y, width, height."""
    box_width, box_height = width, height
    if Fraction(width, height) > shape:
        box_width = min(width, max(2, 2 * round(height * shape / 2)))
    else:
        box_height = min(height, max(2, 2 * round(width / shape / 2)))
    return (width - box_width) // 2 & ~1, (height - box_height) // 2 & ~1, box_width, box_height
