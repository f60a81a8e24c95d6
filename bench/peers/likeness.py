"""How much alike the masks are, read off the pictures that came out: what is not green is the person."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TypeVar

import av
import numpy as np
import numpy.typing as npt
from cost import ROOT

DEMO = ROOT / "demo" / "clip.mp4"
_EVERY = 6

Mask = npt.NDArray[np.bool_]
_T = TypeVar("_T")


def masks(pictures: Path, size: tuple[int, int], frames: int) -> list[Mask]:
    """Where the person is in every sixth of the first ``frames`` pictures of a video, or of raw I420 of ``size``."""
    raw = {"video_size": f"{size[0]}x{size[1]}", "pixel_format": "yuv420p"}
    is_raw = pictures.suffix == ".yuv"
    with av.open(str(pictures), format="rawvideo" if is_raw else None, options=raw if is_raw else {}) as container:
        return [_person(frame.to_ndarray(format="rgb24")) for frame in _chosen(container.decode(video=0), frames)]


def truth(size: tuple[int, int], frames: int) -> list[Mask]:
    """Where the person was drawn into the same pictures of the bundled clip."""
    sys.path.append(str(ROOT / "demo"))
    from motion import person_alpha

    return [person_alpha(number, *size) > 127 for number in _chosen(range(frames), frames)]


def iou(masks: list[Mask], others: list[Mask]) -> float:
    """Intersection over union, the mean over the pictures."""
    pairs = zip(masks, others, strict=True)
    return float(np.mean([np.sum(one & other) / max(1, np.sum(one | other)) for one, other in pairs]))


def _person(picture: npt.NDArray[np.uint8]) -> Mask:
    """Half mixed with green counts as the edge."""
    red, green, blue = (picture[..., channel].astype(np.int16) for channel in range(3))
    return np.asarray(green - np.maximum(red, blue) < 128)


def _chosen(pictures: Iterable[_T], frames: int) -> Iterator[_T]:
    return islice(pictures, 0, frames, _EVERY)
