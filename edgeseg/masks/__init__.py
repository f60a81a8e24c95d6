"""From the model's answer to the mask that the effect uses, at the model's size."""

from edgeseg.masks.latest import LatestMask
from edgeseg.masks.refine import MaskRefiner, RefineSettings
from edgeseg.masks.still import StillGate, StillSettings, settling

__all__ = ["LatestMask", "MaskRefiner", "RefineSettings", "StillGate", "StillSettings", "settling"]
