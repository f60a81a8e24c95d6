"""Finds and reads the pictures that models are tried on."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edgeseg.errors import UsageError
from edgeseg.types import U8

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def find(folder: Path, where: str = "") -> list[Path]:
    """The pictures in ``folder``, by name. ``where`` begins the complaints.

    Raises:
        UsageError: it is no folder, or no picture lies in it.
    """
    if not folder.is_dir():
        raise UsageError(f"{where}{folder} is no folder")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not found:
        raise UsageError(f"{where}no picture lies in {folder}", hint=f"looked for {', '.join(SUFFIXES)}")
    return found


def read(path: Path) -> U8:
    """R'G'B', u8 [h, w, 3], as it is stored: how the camera was held (EXIF) is not asked, as masks never know it.

    Raises:
        UsageError: it cannot be read.
    """
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if bgr is None:
        raise UsageError(f"{path} is no picture that can be read")
    return np.ascontiguousarray(bgr[..., ::-1])
