"""Replaces what is not kept by a colour, a picture or a looping video."""

from __future__ import annotations

from pathlib import Path

from edgeseg.colour import yuv_of
from edgeseg.effects._blend import make_blender, plain
from edgeseg.effects._pictures import Fit, Planes, PlayedVideo, load_picture, planes_of
from edgeseg.types import U8, Colour, Frame, Mask, Source


class Replace:
    """Puts the kept region before another background.

    Args:
        color: R'G'B', 0..255 each. Used when there is neither picture nor video.
        picture: a file that OpenCV reads.
        video: a source that loops; it is opened at the first frame.
        fit: how a picture or video of another shape fills the frame.
    """

    def __init__(
        self,
        *,
        color: tuple[int, int, int] = (0, 255, 0),
        picture: Path | None = None,
        video: Source | None = None,
        fit: str = "cover",
    ) -> None:
        self._color = color
        self._fit = Fit(fit)
        self._picture: U8 | None = load_picture(picture) if picture else None
        self._video = PlayedVideo(video, self._fit) if video else None
        self._blender = make_blender()
        self._still: Planes | None = None
        self._still_for: tuple[int, int, Colour] | None = None

    def apply(self, frame: Frame, mask: Mask, out: Frame) -> None:
        self._blender.blend_planes(frame.planes, self._background(frame), mask.alpha, out.planes)

    def _background(self, frame: Frame) -> Planes:
        if self._video is not None:
            return self._video.at(frame.pts * frame.time_base, frame.width, frame.height, frame.colour)
        wanted = (frame.width, frame.height, frame.colour)
        if self._still is None or self._still_for != wanted:
            self._still, self._still_for = self._make_still(frame), wanted
        return self._still

    def _make_still(self, frame: Frame) -> Planes:
        if self._picture is not None:
            return planes_of(self._picture, frame.width, frame.height, self._fit, frame.colour)
        colour = yuv_of(self._color, frame.colour)
        y, u, v = (plain(plane.shape, value) for plane, value in zip(frame.planes, colour, strict=True))
        return y, u, v
