"""A camera that looks at a photograph, and what a motion gate makes of pictures beside the masks that are their own."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from edgeseg.backends.openvino import OpenVinoBackend
from edgeseg.masks import LatestMask, MaskRefiner, RefineSettings, StillGate, StillSettings
from edgeseg.pictures import read
from edgeseg.recipes import find_model, load_recipe
from edgeseg.sampling import Sampler
from edgeseg.sources.av_input import AvSource
from edgeseg.types import U8, Frame

PHOTOGRAPH = Path(__file__).resolve().parent.parent / "edgeseg" / "convert" / "pictures" / "1.jpg"


def photograph(size: tuple[int, int]) -> U8:
    """R'G'B' [h, w, 3] of somebody, stretched to ``size`` (width, height)."""
    picture: U8 = cv2.resize(read(PHOTOGRAPH), size, interpolation=cv2.INTER_CUBIC)
    return picture


def noisy(rgb: U8, count: int, sigma: float = 2.5, flicker: float = 0.006) -> Iterator[U8]:
    """R'G'B' pictures of what does not move: Gaussian noise in levels of 255, and light that flickers by a share."""
    noise = np.random.default_rng(1)
    for number in range(count):
        light = 1 + flicker * math.sin(2.1 * number)
        yield (rgb * light + noise.normal(0, sigma, rgb.shape)).clip(0, 255).astype(np.uint8)


def frames_in(path: Path, most: int) -> Iterator[Frame]:
    """The first ``most`` pictures of a clip."""
    source = AvSource(str(path), audio=False)
    source.open()
    try:
        while most and (frame := source.read()) is not None:
            if isinstance(frame, Frame):
                most -= 1
                yield frame
    finally:
        source.close()


@dataclass(slots=True)
class Outcome:
    """What became of each picture: whether it was found still, the share of its own mask that is somebody, and, where
    it was still, the IoU of the mask that it was shown with and its own.
    """

    still: list[bool] = field(default_factory=list)
    area: list[float] = field(default_factory=list)
    overlaps: list[float] = field(default_factory=list)

    @property
    def share(self) -> float:
        return sum(self.still) / len(self.still)


def watch(frames: Iterable[Frame], settings: StillSettings | None = None, model: str = "selfie") -> Outcome:
    """Run the gate as the pipeline does, and the model on every picture all the same."""
    recipe, backend = load_recipe(find_model(model)), OpenVinoBackend(precision="f32")
    backend.load(recipe, "CPU")
    gate, latest = StillGate(settings or StillSettings()), LatestMask(0.0)
    sampler, refiner, outcome = Sampler(recipe), MaskRefiner(RefineSettings()), Outcome()
    try:
        for frame in frames:
            tensor = sampler.sample(frame)
            kept = latest.still_for(frame, gate.max_age_s) if gate.still(tensor) else None
            own = refiner.refine(backend.infer(tensor), frame.pts)
            outcome.still.append(kept is not None)
            outcome.area.append(float((own.alpha > 127).mean()))
            if kept is None:
                latest.keep(frame, own)
                gate.keep(masked=True)
            else:
                outcome.overlaps.append(overlap(kept.alpha, own.alpha))
    finally:
        backend.close()
    return outcome


def overlap(one: U8, other: U8) -> float:
    """Intersection over union of what two masks keep; 1 where neither keeps anything."""
    a, b = one > 127, other > 127
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 1.0
