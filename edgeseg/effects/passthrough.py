"""Lets the bare picture out. The configuration has to say ``allow_uncovered: true``."""

from __future__ import annotations

from edgeseg.frames import copy
from edgeseg.types import Frame, Mask


class Passthrough:
    """The frame as it came."""

    def apply(self, frame: Frame, mask: Mask, out: Frame) -> None:  # noqa: ARG002 - the interface gives a mask
        copy(frame, out)
