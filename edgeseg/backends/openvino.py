"""Runs an IR with OpenVINO."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edgeseg.backends import compiled
from edgeseg.backends.fit import no_numbers
from edgeseg.errors import InferenceError
from edgeseg.ovruntime import ov, reason
from edgeseg.types import U8, Recipe


class OpenVinoBackend:
    """One stream's way to a model, with the state that a model with a prior channel has. The compiled model is shared
    with the other streams that run the same one.

    Not for several threads at once: each stream has its own, and they do run at the same time, as inference releases
    the GIL and ``streams`` allows.

    Args:
        precision: "f32", "bf16", "f16", or "auto": what the device does best.
        streams: how many inferences of this model the process runs at the same time, each on one thread. Backends that
            share a model wait for each other beyond that: say how many they are (up to the number of processors).
        cache_dir: where compiled models are kept for the next start; a GPU compiles for up to a minute.
    """

    def __init__(self, precision: str = "auto", streams: int = 1, cache_dir: Path | None = None) -> None:
        self._precision = precision
        self._streams = streams
        self._cache_dir = cache_dir
        self._wanted: compiled.Wanted | None = None
        self._model: Any = None
        self._request: Any = None
        self._tensor: U8 = np.zeros((1, 0, 0, 3), np.uint8)
        self._prior: U8 | None = None
        self._mask: U8 = np.zeros((0, 0), np.uint8)
        self._broken: U8 = np.zeros(1, np.uint8)
        self._name = ""

    @property
    def tensor(self) -> U8:
        """u8 [1, h, w, 3], the memory that the model reads: who fills it in place and passes it to ``infer`` saves
        a copy. Valid from ``load`` to ``close``.
        """
        return self._tensor

    def load(self, recipe: Recipe, device: str) -> None:
        """Make ``recipe`` ready to run on ``device`` ("CPU", "GPU", "AUTO:GPU,CPU", …). May take seconds.

        Raises:
            ModelError: it cannot be used; the message says why.
        """
        self.close()
        wanted = compiled.Wanted.of(recipe, device, self._precision, self._streams, self._cache_dir)
        model = compiled.acquire(wanted)
        self._wanted, self._model = wanted, model
        self._name = recipe.name
        self._tensor = np.zeros(tuple(model.input(0).shape), np.uint8)
        self._mask = np.zeros(tuple(model.output(0).shape), np.uint8)
        self._request = model.create_infer_request()
        self._request.set_input_tensor(0, ov.Tensor(self._tensor, shared_memory=True))
        if recipe.prior_channel:
            self._prior = np.zeros(tuple(model.input(1).shape), np.uint8)
            self._request.set_input_tensor(1, ov.Tensor(self._prior, shared_memory=True))
        self._request.set_output_tensor(0, ov.Tensor(self._mask, shared_memory=True))
        self._request.set_output_tensor(1, ov.Tensor(self._broken, shared_memory=True))

    def infer(self, tensor: U8) -> U8:
        """The mask of ``tensor``, u8 [h, w], 255 = keep; the next call overwrites it.

        Raises:
            InferenceError: the tensor has another shape or type than the model wants, the model failed, or it answered
                with something that is no number.
        """
        if self._request is None:
            raise InferenceError("no model is loaded")
        if tensor.shape != self._tensor.shape or tensor.dtype != np.uint8:
            raise InferenceError(
                f"model {self._name!r} takes uint8 {self._tensor.shape}, and was given {tensor.dtype} {tensor.shape}"
            )
        if tensor is not self._tensor:
            np.copyto(self._tensor, tensor)
        try:
            self._request.infer(share_outputs=True)  # the answer is in self._mask already
        except RuntimeError as exc:
            raise InferenceError(f"model {self._name!r} did not answer: {reason(exc)}") from exc
        if self._broken[0]:
            raise no_numbers(self._name)
        if self._prior is not None:
            self._remember(self._prior[0, ..., 0])
        return self._mask

    def reset(self) -> None:
        """Forget the mask of the picture before, as after a cut in the source. Not while ``infer`` runs."""
        if self._prior is not None:
            self._prior.fill(0)

    def distrust(self) -> None:
        """The model keeps failing: whoever loads it next gets one that is compiled anew. From any thread."""
        wanted, model = self._wanted, self._model
        if wanted is not None:
            compiled.distrust(wanted, model)

    def _remember(self, prior: U8) -> None:
        """The next inference reads this mask, in the size of the picture."""
        if prior.shape == self._mask.shape:
            np.copyto(prior, self._mask)
        else:
            cv2.resize(self._mask, prior.shape[::-1], dst=prior, interpolation=cv2.INTER_LINEAR)

    def close(self) -> None:
        """Give the model back. May be called twice."""
        self._request = None
        self._prior = None
        wanted, self._wanted = self._wanted, None
        model, self._model = self._model, None
        if wanted is not None:
            compiled.release(wanted, model)
