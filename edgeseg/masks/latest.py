"""Keeps the newest mask for the pictures that follow, as long as it is young enough."""

from __future__ import annotations

from edgeseg.types import Frame, Mask


class LatestMask:
    """The mask of the picture that was segmented last, and how often it has been shown again.

    Args:
        max_age_s: the longest time between that picture and one that is shown with its mask unseen.
    """

    def __init__(self, max_age_s: float) -> None:
        self._max_age_s = max_age_s
        self._mask: Mask | None = None
        self._time_s = 0.0
        self._used = 0
        self.captured_at = 0.0  # of the picture that it was made of, in monotonic seconds

    def keep(self, frame: Frame, mask: Mask | None) -> None:
        """``frame`` was segmented and gave ``mask``. None forgets the mask before: a loss is not to be hidden."""
        self._mask, self._used = (mask if mask is not None and mask.of == frame.pts else None), 0
        self._time_s, self.captured_at = frame.time_s, frame.captured_at

    def mask_for(self, frame: Frame, every: int) -> Mask | None:
        """The kept mask when every ``every``-th picture is looked at and ``frame`` is between two; None when there is
        none, it is too old, or time has not gone forward.
        """
        if self._used + 1 >= every or not self._is_young(frame, self._max_age_s):
            return None
        self._used += 1
        return self._mask

    def still_for(self, frame: Frame, max_age_s: float) -> Mask | None:
        """The kept mask for a ``frame`` that was looked at and is the same; None when there is none, it is older than
        ``max_age_s``, or time has not gone forward. It does not get any younger by that.
        """
        if not self._is_young(frame, max_age_s):
            return None
        self._used = 0
        return self._mask

    def _is_young(self, frame: Frame, max_age_s: float) -> bool:
        if self._mask is None:
            return False
        # By the camera's time and by ours: either may stand still while pictures come in a heap, or after a stall.
        ages = frame.time_s - self._time_s, frame.captured_at - self.captured_at
        return min(ages) >= 0 and max(ages) <= max_age_s
