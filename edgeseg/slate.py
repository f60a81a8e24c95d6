"""What viewers see while the source gives no pictures: a plain picture that says since when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np

from edgeseg.effects._pictures import Fit, load_picture, planes_of
from edgeseg.frames import Canvas, copy, fill
from edgeseg.types import U8, Frame

# Dark grey with nearly white letters, in any matrix and range.
_BACKGROUND, _LETTERS = (40, 128, 128), 220
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SHARE_OF_WIDTH = 0.7
_LARGEST_SCALE = 2.0


@dataclass(frozen=True, slots=True)
class SlateSettings:
    """``after_s`` without a picture the slate is shown, ``fps`` times a second.

    ``text`` is for ``strftime`` and of ASCII letters; ``picture`` is a file that fills the frame below it, or None.
    ``before_first``: also before the source's first picture, where the output's size is configured.
    """

    after_s: float = 3.0
    text: str = "no signal since %H:%M:%S"
    picture: Path | None = None
    fps: float = 1.0
    before_first: bool = False


class Slate:
    """Draws slates. Belongs to one thread.

    Args:
        settings: what they look like.
        now: the local time.

    Raises:
        StreamError: the picture cannot be read.
    """

    def __init__(self, settings: SlateSettings, now: Callable[[], datetime] = datetime.now) -> None:
        self._text = settings.text
        self._picture: U8 | None = load_picture(settings.picture) if settings.picture else None
        self._now = now
        self._said = ""
        self._drawn: Canvas | None = None
        self._filled: Frame | None = None

    def begin(self) -> None:
        """The signal is lost from now on."""
        self._said = self._now().strftime(self._text)
        self._drawn = self._filled = None

    def draw(self, canvas: Canvas) -> None:
        """Fill ``canvas``; nothing is to be done for the one of last time, if no picture went into it since."""
        if canvas.frame is self._filled:
            return  # who puts a picture into a canvas stamps it, and a stamp is another ``Frame``
        size, colour = (canvas.frame.width, canvas.frame.height), canvas.frame.colour
        drawn = self._drawn
        if drawn is None or (drawn.frame.width, drawn.frame.height, drawn.frame.colour) != (*size, colour):
            drawn = self._drawn = self._make(Canvas(*size, colour))
        copy(drawn.frame, canvas.frame)
        self._filled = canvas.frame

    def _make(self, canvas: Canvas) -> Canvas:
        frame = canvas.frame
        fill(frame, _BACKGROUND)
        if self._picture is not None:
            planes = planes_of(self._picture, frame.width, frame.height, Fit.COVER, frame.colour)
            for plane, target in zip(planes, frame.planes, strict=True):
                np.copyto(target, plane)
        if self._said:
            _write(frame.y, self._said, under=self._picture is not None)
        return canvas


def _write(luma: U8, text: str, *, under: bool) -> None:
    """``text`` into the middle of a plane, or near its lower edge, where it leaves a picture alone."""
    height, width = luma.shape
    (wide, _), _ = cv2.getTextSize(text, _FONT, 1.0, 2)
    scale = min(_LARGEST_SCALE, _SHARE_OF_WIDTH * width / wide)
    thickness = max(1, round(2 * scale))
    (wide, tall), _ = cv2.getTextSize(text, _FONT, scale, thickness)
    where = ((width - wide) // 2, height - tall if under else (height + tall) // 2)
    if under:
        cv2.putText(luma, text, where, _FONT, scale, _BACKGROUND[0], thickness * 4, cv2.LINE_AA)
    cv2.putText(luma, text, where, _FONT, scale, _LETTERS, thickness, cv2.LINE_AA)
