"""From the model's answer to the mask that the effect uses, at the model's size."""

from edgeseg.masks.latest import LatestMask
from edgeseg.masks.refine import MaskRefiner, RefineSettings

__all__ = ["LatestMask", "MaskRefiner", "RefineSettings"]
