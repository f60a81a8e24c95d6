"""Shows the mask itself: white is kept, black is not."""

from __future__ import annotations

import cv2
import numpy as np

from edgeseg.types import Frame, Mask


class Matte:
    """The mask as a grey picture in the stream's own range, for keying elsewhere and for looking at the model."""

    def apply(self, frame: Frame, mask: Mask, out: Frame) -> None:
        black, white = (0, 255) if frame.colour.full_range else (16, 235)
        levels = np.rint(np.linspace(black, white, 256)).astype(np.uint8)
        cv2.resize(cv2.LUT(mask.alpha, levels), out.y.shape[::-1], dst=out.y, interpolation=cv2.INTER_LINEAR)
        out.u[...] = 128
        out.v[...] = 128
