"""Runs an IR with OpenVINO."""

from __future__ import annotations

import dataclasses
import logging
import threading
from pathlib import Path

import cv2
import numpy as np

from edgeseg.backends import compiled
from edgeseg.backends.fit import no_numbers
from edgeseg.backends.request import Request
from edgeseg.errors import InferenceError, ModelError
from edgeseg.types import U8, Frame, PlaneFormat, Recipe

_log = logging.getLogger(__name__)


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
        sampling: "graph" takes whole frames and samples them on the device, "host" takes tensors, and "auto" does what
            is cheaper: "graph" on a GPU.
    """

    def __init__(
        self, precision: str = "auto", streams: int = 1, cache_dir: Path | None = None, sampling: str = "auto"
    ) -> None:
        self._precision = precision
        self._streams = streams
        self._cache_dir = cache_dir
        self._sampling = sampling
        self._samples = False  # on the device that the model runs on
        self._request: Request | None = None
        self._refused: PlaneFormat | None = None
        self._swap = threading.Lock()  # another thread may close while the graph for other frames is compiled

    @property
    def tensor(self) -> U8:
        """u8 [1, h, w, 3], the memory that the model reads: who fills it in place and passes it to ``infer`` saves
        a copy. Valid from ``load`` to ``close``, unless ``takes`` said that frames are taken.
        """
        request = self._request
        return np.zeros((1, 0, 0, 3), np.uint8) if request is None or request.wanted.planes else request.inputs[0]

    def load(self, recipe: Recipe, device: str) -> None:
        """Make ``recipe`` ready to run on ``device`` ("CPU", "GPU", "AUTO:GPU,CPU", …). May take seconds.

        Raises:
            ModelError: it cannot be used; the message says why.
        """
        self.close()
        wanted = compiled.Wanted.of(recipe, device, self._precision, self._streams, self._cache_dir)
        self._refused = None
        self._samples = self._sampling == "graph" or (self._sampling == "auto" and _is_gpu(wanted.device))
        self._request = Request(wanted)

    def takes(self, planes: PlaneFormat) -> bool:
        """Whether ``infer`` takes frames with such planes and samples them itself. If it does, the graph for them is
        ready when this returns, which may take as long as ``load``. Where it cannot be made, that is said once.
        """
        request = self._request
        if request is None or not self._samples or planes == self._refused:
            return False
        if request.wanted.planes == planes:
            return True
        try:
            self._replace(request, dataclasses.replace(request.wanted, planes=planes))
        except ModelError as exc:
            _log.warning("%s; frames are sampled on the processor instead", exc)
            self._refused = planes
            return False
        return self._request is not None

    def infer(self, tensor: U8 | Frame) -> U8:
        """The mask of ``tensor``, u8 [h, w], 255 = keep; the next call overwrites it. A frame has to be one that
        ``takes`` was asked about last.

        Raises:
            InferenceError: the tensor or frame has another shape or type than the model wants, the model failed, or it
                answered with something that is no number.
        """
        request = self._request
        if request is None:
            raise InferenceError("no model is loaded")
        if isinstance(tensor, Frame):
            request.fill(_planes_for(request, tensor))
        else:
            if request.wanted.planes is not None:
                request = self._back_to_tensors(request)
            request.fill([_checked(request, tensor)])
        if not request.run():
            raise no_numbers(request.wanted.recipe.name)
        self._remember(request)
        return request.mask

    def reset(self) -> None:
        """Forget the mask of the picture before, as after a cut in the source. Not while ``infer`` runs."""
        if self._request is not None and self._request.wanted.recipe.prior_channel:
            self._request.inputs[-1].fill(0)

    def distrust(self) -> None:
        """The model keeps failing: whoever loads it next gets one that is compiled anew. From any thread."""
        request = self._request
        if request is not None:
            request.distrust()

    def close(self) -> None:
        """Give the model back. May be called twice."""
        with self._swap:
            request, self._request = self._request, None
        if request is not None:
            request.close()

    def _back_to_tensors(self, request: Request) -> Request:
        try:
            return self._replace(request, dataclasses.replace(request.wanted, planes=None))
        except ModelError as exc:
            raise InferenceError(str(exc)) from exc

    def _replace(self, request: Request, wanted: compiled.Wanted) -> Request:
        """Another request in the place of ``request``, unless it was closed meanwhile."""
        other = Request(wanted)
        with self._swap:
            still = self._request is request
            if still:
                self._request = other
        (request if still else other).close()
        return other

    @staticmethod
    def _remember(request: Request) -> None:
        """The next inference reads this mask, in the size of the picture."""
        if not request.wanted.recipe.prior_channel:
            return
        prior, mask = request.inputs[-1][0, ..., 0], request.mask
        if prior.shape == mask.shape:
            np.copyto(prior, mask)
        else:
            cv2.resize(mask, prior.shape[::-1], dst=prior, interpolation=cv2.INTER_LINEAR)


def _planes_for(request: Request, frame: Frame) -> tuple[U8, U8, U8]:
    wanted, size = request.wanted.planes, f"{frame.width}x{frame.height}"
    if wanted is None:
        raise InferenceError(f"model {request.wanted.recipe.name!r} takes a tensor, and was given a frame of {size}")
    if (wanted.width, wanted.height) != (frame.width, frame.height):
        raise InferenceError(
            f"model {request.wanted.recipe.name!r} takes frames of {wanted.width}x{wanted.height}, and was given {size}"
        )
    return frame.planes


def _checked(request: Request, tensor: U8) -> U8:
    wanted = request.inputs[0].shape
    if tensor.shape != wanted or tensor.dtype != np.uint8:
        raise InferenceError(
            f"model {request.wanted.recipe.name!r} takes uint8 {wanted}, and was given {tensor.dtype} {tensor.shape}"
        )
    return tensor


def _is_gpu(device: str) -> bool:
    """Whether ``device`` is a GPU, or names one first: "GPU.1", "AUTO:GPU,CPU"."""
    return device.rpartition(":")[2].startswith("GPU")
