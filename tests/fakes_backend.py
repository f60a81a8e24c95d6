"""Backends that need no network, and the stamp by which one of them recognises a frame.

The stamp is a number of 16 bits painted into the top quarter of a picture:

    row 1 (top eighth):      16 cells side by side, bit 15 … bit 0, white = 1
    row 2 (second eighth):   the same with black and white exchanged, which betrays a damaged stamp

A cell is a sixteenth of the width, so it still measures 4x8 pixels at 64x64, and only its middle is read: neither
scaling nor colour conversion nor a lossy codec reaches it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from edgeseg.errors import InferenceError, ModelError
from edgeseg.types import U8, Recipe

BITS = 16
BANDS = 16


def paint_stamp(y: U8, u: U8, v: U8, number: int) -> None:
    """Write ``number`` into the writable I420 planes of one picture, limited range."""
    height, width = y.shape
    u[: -(-u.shape[0] // 4)] = 128
    v[: -(-v.shape[0] // 4)] = 128
    for cell in range(BITS):
        left, right = cell * width // BITS, (cell + 1) * width // BITS
        one = bool(number >> (BITS - 1 - cell) & 1)
        y[: height // 8, left:right] = 235 if one else 16
        y[height // 8 : height // 4, left:right] = 16 if one else 235


def read_stamp(picture: U8) -> int:
    """The number painted into ``picture``, u8 [h, w, 3] or [h, w].

    Raises:
        ValueError: there is none, or it is damaged.
    """
    grey = picture.mean(axis=2) if picture.ndim == 3 else picture.astype(float)
    number, opposite = (_read_row(grey, row) for row in (0, 1))
    if number ^ opposite != (1 << BITS) - 1:
        raise ValueError(f"no stamp: the rows say {number:016b} and {opposite:016b}")
    return number


def _read_row(grey: np.ndarray, row: int) -> int:
    height, width = grey.shape
    number = 0
    for cell in range(BITS):
        top, left = row * height / 8, cell * width / BITS
        middle = grey[
            round(top + height / 32) : round(top + 3 * height / 32),
            round(left + width / 64) : round(left + 3 * width / 64),
        ]
        number = number << 1 | int(middle.mean() > 127)
    return number


def band(number: int, height: int, width: int) -> U8:
    """The mask that stands for ``number``: 255 in column band ``number % 16`` of 16, else 0."""
    mask = np.zeros((height, width), np.uint8)
    index = number % BANDS
    mask[:, index * width // BANDS : (index + 1) * width // BANDS] = 255
    return mask


class StubBackend:
    """Answers with ``answer(picture)``, u8 [h, w, 3] to u8 [h, w]; the mean of the channels unless told otherwise.

    With ``recipe.prior_channel`` the picture has four channels, the last being the mask of the one before.
    """

    def __init__(
        self,
        precision: str = "auto",
        streams: int = 1,
        cache_dir: Path | None = None,
        *,
        answer: Callable[[U8], U8] | None = None,
    ) -> None:
        self._answer = answer or mean_of_channels
        self._recipe: Recipe | None = None
        self._mask: U8 = np.zeros((0, 0), np.uint8)  # in a model with a prior plane, what it sees there next
        self.tensor: U8 = np.zeros((1, 0, 0, 3), np.uint8)

    def load(self, recipe: Recipe, device: str) -> None:
        self.close()
        if not Path(recipe.path).is_file():
            raise ModelError(f"model {recipe.name!r}: {recipe.path} does not exist")
        if device != "CPU":
            raise ModelError(f"no device {device!r} on this machine", hint="available: CPU")
        self._recipe = recipe
        self.tensor = np.zeros((1, recipe.height, recipe.width, 3), np.uint8)
        self._mask = np.zeros((recipe.height, recipe.width), np.uint8)

    def infer(self, tensor: U8) -> U8:
        if self._recipe is None:
            raise InferenceError("no model is loaded")
        if tensor.shape != self.tensor.shape or tensor.dtype != np.uint8:
            raise InferenceError(f"takes uint8 {self.tensor.shape}, and was given {tensor.dtype} {tensor.shape}")
        try:
            seen = np.dstack([tensor[0], self._mask]) if self._recipe.prior_channel else tensor[0]
            self._mask[:] = self._answer(seen)
        except ValueError as exc:
            raise InferenceError(str(exc)) from exc
        return self._mask

    def close(self) -> None:
        self._recipe = None


class StampBackend(StubBackend):
    """Reads the stamp of the very picture that it is given and answers with its ``band``."""

    def __init__(self, precision: str = "auto", streams: int = 1, cache_dir: Path | None = None) -> None:
        super().__init__(
            precision, streams, cache_dir, answer=lambda picture: band(read_stamp(picture), *picture.shape[:2])
        )


def mean_of_channels(picture: U8) -> U8:
    return np.rint(picture.mean(axis=2)).astype(np.uint8)
