"""Finds pictures with their true masks, and reads the masks."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from edgeseg import pictures
from edgeseg.colour import i420_from_rgb
from edgeseg.errors import UsageError
from edgeseg.types import U8, Colour, Frame

# What an HD camera sends; the pictures of a test set are made to look as if one had.
COLOUR = Colour()


@dataclass(frozen=True, slots=True)
class Pair:
    """A picture and the file of its truth."""

    picture: Path
    mask: Path

    @property
    def name(self) -> str:
        return self.picture.stem


def find_pairs(images: Path, masks: Path) -> list[Pair]:
    """Pictures and masks with the same name before the last dot, sorted by it. Pictures without a mask are left out.

    Raises:
        UsageError: a folder is none, two files have the same name, or no picture has a mask.
    """
    shown, truths = _by_stem(images, "--images"), _by_stem(masks, "--masks")
    found = [Pair(shown[stem], truths[stem]) for stem in sorted(shown.keys() & truths.keys(), key=_natural)]
    if not found:
        raise UsageError(
            f"--masks: none of the {len(truths)} masks in {masks} is called as one of the {len(shown)} pictures in "
            f"{images}",
            hint="7.jpg goes with 7.png: the names before the dot have to be equal",
        )
    return found


def read_mask(path: Path, size: tuple[int, int]) -> U8:
    """The true mask, u8 [h, w], 255 = keep, brought to ``size`` (width, height) with smooth edges.

    Raises:
        UsageError: it cannot be read, or is a picture in colours.
    """
    mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if mask is None:
        raise UsageError(f"{path} is no picture that can be read")
    if mask.dtype != np.uint8:
        raise UsageError(f"{path} is no mask: it holds {mask.dtype}, and 8 bits are wanted")
    if mask.ndim == 3:
        if np.ptp(mask[..., :3], axis=2).any():
            raise UsageError(
                f"{path} is no mask: it is in colours",
                hint="white is to be kept, black is not; a map of classes needs --classes",
            )
        mask = mask[..., 0]
    method = cv2.INTER_AREA if mask.shape[1] > size[0] else cv2.INTER_LINEAR
    return np.asarray(mask if mask.shape[::-1] == size else cv2.resize(mask, size, interpolation=method), np.uint8)


def read_classes(path: Path, size: tuple[int, int]) -> U8:
    """The true class of each pixel, u8 [h, w], brought to ``size`` (width, height) by the nearest pixel.

    Pictures with a palette give the number in the palette, as Pascal VOC has it; OpenCV would give its colours.

    Raises:
        UsageError: it cannot be read, or holds no classes.
    """
    try:
        with av.open(io.BytesIO(path.read_bytes()), "r") as container:
            picture = next(container.decode(video=0))
    except (OSError, av.FFmpegError, StopIteration) as exc:
        raise UsageError(f"{path} is no picture that can be read") from exc
    if picture.format.name not in ("pal8", "gray"):
        raise UsageError(
            f"{path} is no map of classes: its pixels are {picture.format.name}",
            hint="the value of a pixel is the number of its class: 8 bits, grey or with a palette",
        )
    plane = picture.planes[0]
    rows: npt.NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8)[: plane.line_size * picture.height]
    labels = np.ascontiguousarray(rows.reshape(picture.height, plane.line_size)[:, : picture.width])
    if labels.shape[::-1] == size:
        return labels
    return np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)


def read_pair(pair: Pair, read_truth: Callable[[Path, tuple[int, int]], U8]) -> tuple[U8, Frame, U8]:
    """The picture, R'G'B' u8 [h, w, 3], the same as a frame, and its truth, u8 [h, w], by ``read_mask`` or
    ``read_classes``.

    Raises:
        UsageError: one of the files cannot be read.
    """
    rgb = pictures.read(pair.picture)
    frame = as_frame(rgb)
    return rgb, frame, read_truth(pair.mask, (frame.width, frame.height))


def as_frame(rgb: U8) -> Frame:
    """R'G'B' as a frame of a camera: planar 4:2:0 with BT.709 and limited range. Sides may be odd."""
    height, width = rgb.shape[:2]
    even = cv2.copyMakeBorder(rgb, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    y, u, v = i420_from_rgb(even, COLOUR)
    return Frame(y[:height, :width], u, v, 0, Fraction(1, 1000), COLOUR, 0.0)


def _by_stem(folder: Path, option: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in pictures.find(folder, f"{option}: "):
        if path.stem in found:
            raise UsageError(f"{option}: {found[path.stem].name} and {path.name} in {folder} have the same name")
        found[path.stem] = path
    return found


def _natural(stem: str) -> tuple[int, str]:
    """9 before 10."""
    return (int(stem) if stem.isascii() and stem.isdecimal() else 0, stem)
