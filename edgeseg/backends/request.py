"""One stream's request on a compiled model, with memory of our own for everything that goes in and comes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgeseg.backends import compiled
from edgeseg.errors import InferenceError, ModelError
from edgeseg.ovruntime import ov, reason
from edgeseg.types import U8


class Request:
    """Holds a compiled model until it is closed. One thread at a time.

    ``inputs`` are those of the graph (``edgeseg.backends.graph.wrap``), u8 each, and ``mask`` is its answer, u8 [h, w]:
    all of them memory that the model itself reads and writes.

    Raises:
        ModelError: the model cannot be compiled, or its device has no room for a request.
    """

    def __init__(self, wanted: compiled.Wanted) -> None:
        self.wanted = wanted
        self._model = compiled.acquire(wanted)
        try:
            self._make(self._model)
        except BaseException as exc:
            self.close()  # nobody else could
            if isinstance(exc, RuntimeError):
                raise ModelError(f"model {wanted.recipe.name!r} cannot run on {wanted.device}: {reason(exc)}") from exc
            raise

    def _make(self, model: Any) -> None:
        self.inputs: list[U8] = [np.zeros(tuple(port.shape), np.uint8) for port in model.inputs]
        self.mask: U8 = np.zeros(tuple(model.output(0).shape), np.uint8)
        self._broken: U8 = np.zeros(1, np.uint8)
        self._request: Any = model.create_infer_request()
        for index, array in enumerate(self.inputs):
            self._request.set_input_tensor(index, ov.Tensor(array, shared_memory=True))
        for index, array in enumerate((self.mask, self._broken)):
            self._request.set_output_tensor(index, ov.Tensor(array, shared_memory=True))

    def fill(self, arrays: Sequence[U8]) -> None:
        """Copy ``arrays`` into the first inputs, whose sizes they have; what lies there already is left alone."""
        for array, room in zip(arrays, self.inputs, strict=False):
            if array is not room:
                np.copyto(room.reshape(array.shape), array)

    def run(self) -> bool:
        """Let the model answer into ``mask``; False when it answered with something that is no number.

        Raises:
            InferenceError: it failed.
        """
        if self._request is None:
            raise InferenceError("no model is loaded")
        try:
            self._request.infer(share_outputs=True)  # the answer is in self.mask already
        except RuntimeError as exc:
            raise InferenceError(f"model {self.wanted.recipe.name!r} did not answer: {reason(exc)}") from exc
        return not self._broken[0]

    def distrust(self) -> None:
        """Whoever wants the same model next gets one that is compiled anew. From any thread."""
        compiled.distrust(self.wanted, self._model)

    def close(self) -> None:
        """Give the model back. Once."""
        self._request = None
        model, self._model = self._model, None
        compiled.release(self.wanted, model)
