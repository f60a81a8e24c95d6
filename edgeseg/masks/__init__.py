"""From the model's answer to the mask that the effect uses, at the model's size."""

from edgeseg.masks.refine import MaskRefiner, RefineSettings

__all__ = ["MaskRefiner", "RefineSettings"]
