"""Loads a model again when it keeps failing, on its own device or on another: sticks hang, drivers lose devices."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from edgeseg.backends.watched import distrust, forget, takes
from edgeseg.backoff import Backoff
from edgeseg.errors import EdgesegError, InferenceError, ModelError
from edgeseg.types import U8, Backend, PlaneFormat, Recipe

_log = logging.getLogger(__name__)


class Revived:
    """A backend made by ``make``, and another one in its place when it has given no mask for ``failing_s``.

    The new one is loaded on a thread of its own, as that may take a minute; until it is there every picture is refused
    at once. After each failure the wait grows (1 to 60 s).

    Args:
        make: a fresh backend, not loaded.
        fallback: the device to take when the model cannot be loaded on its own; None for none.
        told: is told the device after each load.
        failing_s: how long it may fail.
        backoff: the waits between tries.
        reloaded: is told after each try to load it again whether that went well.
    """

    def __init__(
        self,
        make: Callable[[], Backend],
        fallback: str | None = None,
        told: Callable[[str], None] = lambda _: None,
        failing_s: float = 2.0,
        backoff: Backoff | None = None,
        reloaded: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._make = make
        self._fallback = fallback
        self._told = told
        self._failing_s = failing_s
        self._backoff = backoff or Backoff()
        self._reloaded = reloaded
        self._backend: Backend | None = None
        self._recipe: Recipe | None = None
        self._device = ""
        self._planes: PlaneFormat | None = None
        self._failing_since: float | None = None
        self._loaded_at = 0.0
        self._lock = threading.Lock()  # of the swap
        self._closed = threading.Event()

    def load(self, recipe: Recipe, device: str) -> None:
        """Load on ``device``, else on the fallback.

        Raises:
            ModelError: neither can be used; the message is that of the first.
        """
        self.close()
        self._closed = threading.Event()
        self._recipe, self._device, self._planes, self._failing_since = recipe, device, None, None
        self._backend = self._loaded(recipe, device)

    def takes(self, planes: PlaneFormat) -> bool:
        """As the backend's own ``takes``, if it has one. One that is loaded again is asked before it is used: getting
        ready for frames must not hold up the pictures.
        """
        self._planes = planes
        backend = self._backend
        return backend is not None and takes(backend, planes)

    def infer(self, tensor: Any) -> U8:
        """As the backend's own ``infer``.

        Raises:
            InferenceError: the model failed, or is being loaded again.
        """
        backend = self._backend
        if backend is None:
            name = self._recipe.name if self._recipe else ""
            raise InferenceError(f"model {name!r} is being loaded again" if name else "no model is loaded")
        try:
            mask = _checked(backend.infer(tensor))
        except Exception:
            self._failed(backend)
            raise
        self._failing_since = None
        return mask

    def reset(self) -> None:
        """As the backend's own ``reset``, if it has one. One that is being loaded again has seen nothing."""
        backend = self._backend
        if backend is not None:
            forget(backend)

    def close(self) -> None:
        """Close the backend. One that is being loaded is closed when it is there. May be called twice."""
        self._closed.set()
        self._recipe = None
        with self._lock:
            backend, self._backend = self._backend, None
        if backend is not None:
            backend.close()

    def _failed(self, backend: Backend) -> None:
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        if now - self._failing_since < self._failing_s:
            return
        self._failing_since, self._backend = None, None
        assert self._recipe is not None
        _log.error("model %r has failed for %g s and is loaded again", self._recipe.name, self._failing_s)
        arguments = (backend, self._recipe, self._closed)
        threading.Thread(target=self._revive, args=arguments, name=f"{self._recipe.name}:load", daemon=True).start()

    def _revive(self, broken: Backend, recipe: Recipe, closed: threading.Event) -> None:
        distrust(broken)
        broken.close()
        told = ""
        ran_s = time.monotonic() - self._loaded_at
        while not closed.wait(self._backoff.next_s(ran_s)):
            ran_s = 0.0
            try:
                backend = self._loaded(recipe, self._device)
            except Exception as exc:  # noqa: BLE001 - a backend may be anybody's, and this thread is the only way back
                self._reloaded(False)
                if str(exc) != told:
                    what = (
                        exc if isinstance(exc, EdgesegError) else f"model {recipe.name!r}: {type(exc).__name__}: {exc}"
                    )
                    _log.error("%s; trying again until it works", what)
                    told = str(exc)
                continue
            with self._lock:
                if not closed.is_set():
                    self._backend = backend
                    self._reloaded(True)
                    _log.info("model %r is loaded again", recipe.name)
                    return
            backend.close()

    def _loaded(self, recipe: Recipe, device: str) -> Backend:
        try:
            return self._loaded_on(recipe, device)
        except ModelError as exc:
            if self._fallback in (None, device):
                raise
            try:
                backend = self._loaded_on(recipe, str(self._fallback))
            except ModelError:
                raise exc from None
            _log.warning("%s; running on %s instead", exc, self._fallback)
            return backend

    def _loaded_on(self, recipe: Recipe, device: str) -> Backend:
        backend = self._make()
        try:
            backend.load(recipe, device)
            if self._planes is not None:
                takes(backend, self._planes)
        except BaseException:
            backend.close()
            raise
        self._loaded_at = time.monotonic()
        self._told(device)
        return backend


def _checked(mask: U8) -> U8:
    """``mask``, if it is one: a backend may be anybody's."""
    if not isinstance(mask, np.ndarray) or mask.dtype != np.uint8 or mask.ndim != 2 or not mask.size:
        what = f"{mask.dtype} {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
        raise InferenceError(f"the model answered with {what}, and a mask is uint8 [height, width]")
    return mask
