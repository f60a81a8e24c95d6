"""Rectangles and words on a white page, as SVG or as PNG."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import Literal

import cv2
import numpy as np

from edgeseg.types import U8

Anchor = Literal["start", "middle", "end"]
BLACK, GREY = "#1a1a1a", "#666666"
# PNGs are drawn so much larger, for screens of today.
_SCALE = 2
_SHIFT = {"start": 0.0, "middle": 0.5, "end": 1.0}
_FONT = cv2.FONT_HERSHEY_SIMPLEX
# Of the font's own height, for letters as large as the SVG's at that size.
_PER_POINT = 1 / 31


@dataclass(frozen=True, slots=True)
class Rect:
    """A filled rectangle; ``colour`` is ``#rrggbb``."""

    x: float
    y: float
    width: float
    height: float
    colour: str


@dataclass(frozen=True, slots=True)
class Words:
    """A line of text; ``x`` is its start, middle or end, ``y`` its base line, ``size`` in pixels."""

    x: float
    y: float
    text: str
    anchor: Anchor = "start"
    colour: str = BLACK
    size: int = 12
    bold: bool = False


@dataclass(slots=True)
class Page:
    """A page of ``width`` by ``height`` pixels; what comes later lies on top."""

    width: int
    height: int
    shapes: list[Rect | Words] = field(default_factory=list)

    def svg(self) -> str:
        """The page as an SVG document."""
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            'font-family="sans-serif">',
            f'<rect width="{self.width}" height="{self.height}" fill="white"/>',
            *map(_svg, self.shapes),
            "</svg>",
            "",
        ]
        return "\n".join(lines)

    def picture(self) -> U8:
        """The page as u8 [2 * height, 2 * width, 3] in BGR."""
        canvas: U8 = np.full((self.height * _SCALE, self.width * _SCALE, 3), 255, np.uint8)
        for shape in self.shapes:
            if isinstance(shape, Rect):
                x, y = round(shape.x * _SCALE), round(shape.y * _SCALE)
                right, bottom = round((shape.x + shape.width) * _SCALE), round((shape.y + shape.height) * _SCALE)
                canvas[y:bottom, x:right] = _bgr(shape.colour)
            else:
                _put(canvas, shape)
        return canvas


def _svg(shape: Rect | Words) -> str:
    if isinstance(shape, Rect):
        size = f'width="{shape.width:.1f}" height="{shape.height:.1f}"'
        return f'<rect x="{shape.x:.1f}" y="{shape.y:.1f}" {size} fill="{shape.colour}"/>'
    weight = ' font-weight="bold"' if shape.bold else ""
    at = f'x="{shape.x:.1f}" y="{shape.y:.1f}" font-size="{shape.size}" text-anchor="{shape.anchor}"{weight}'
    return f'<text {at} fill="{shape.colour}">{escape(shape.text)}</text>'


def _put(canvas: U8, words: Words) -> None:
    scale, thick = words.size * _SCALE * _PER_POINT, 2 if words.bold else 1
    # OpenCV's letters are ASCII.
    text = words.text.encode("ascii", "replace").decode()
    (width, _), _ = cv2.getTextSize(text, _FONT, scale, thick)
    at = (round(words.x * _SCALE - width * _SHIFT[words.anchor]), round(words.y * _SCALE))
    cv2.putText(canvas, text, at, _FONT, scale, _bgr(words.colour), thick, cv2.LINE_AA)


def _bgr(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour[1:])
    return blue, green, red


def fits(text: str, letters: int) -> str:
    """``text``, or its beginning where it is longer than so many letters."""
    return text if len(text) <= letters else text[: letters - 3] + "..."
