"""Gives up on an inference that takes too long: a stick that hangs must not hold the stream."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

from edgeseg.errors import InferenceError, ModelError
from edgeseg.types import U8, Backend, PlaneFormat, Recipe

_CLOSING_S = 0.2


class Watched:
    """``backend``, whose answers are waited for ``timeout_s`` at most.

    A native call cannot be interrupted. It goes on on a thread of its own, and until it returns every further picture
    is refused at once; its late answer is thrown away. ``infer`` costs two changes of thread more.

    Args:
        backend: any; only this object may call it.
        timeout_s: seconds from the call of ``infer``.
    """

    def __init__(self, backend: Backend, timeout_s: float) -> None:
        self._backend = backend
        self._asks: Callable[[PlaneFormat], bool] | None = getattr(backend, "takes", None)
        self._timeout_s = timeout_s
        self._name = ""
        self._worker: _Worker | None = None
        self._left: _Worker | None = None  # hung when it was told to stop

    def load(self, recipe: Recipe, device: str) -> None:
        """As the backend's own ``load``, without a limit: a GPU compiles for up to a minute.

        Raises:
            ModelError: the model cannot be used, or an earlier call still hangs (that is not for good).
        """
        self.close()
        if self._is_held():
            raise ModelError(f"model {self._name!r} still hangs and cannot be loaded again", permanent=False)
        self._backend.load(recipe, device)
        self._name = recipe.name
        self._worker = _Worker(self._backend, self._timeout_s)

    def takes(self, planes: PlaneFormat) -> bool:
        """As the backend's own ``takes``, if it has one, without a limit. While it hangs it takes nothing."""
        worker, asks = self._worker, self._asks
        return asks is not None and worker is not None and not worker.hangs() and asks(planes)

    def infer(self, tensor: Any) -> U8:
        """As the backend's own ``infer``.

        Raises:
            InferenceError: the model failed, did not answer in time, still hangs in an earlier picture, or was closed.
        """
        worker = self._worker  # once: another thread may close
        if worker is None:
            raise InferenceError("no model is loaded")
        if worker.hangs():
            raise InferenceError(f"model {self._name!r} still hangs in an earlier picture")
        answer = worker.ask(tensor)
        if answer is None:
            raise InferenceError(f"model {self._name!r} did not answer within {self._timeout_s:g} s")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def reset(self) -> None:
        """As the backend's own ``reset``, if it has one. For the thread that asks; while it hangs there is nothing to
        forget: its late answer is thrown away.
        """
        if self._worker is not None and not self._worker.hangs():
            forget(self._backend)

    def distrust(self) -> None:
        """As the backend's own ``distrust``, if it has one; also while a call hangs."""
        distrust(self._backend)

    def close(self) -> None:
        """Close the backend. May be called twice, and by another thread than the one that waits in ``infer``.

        A call that runs is waited for 0.2 s. If it does not return by then, the backend is closed as soon as it does,
        on the thread of that call. Closing itself is waited for ``timeout_s`` at most.
        """
        worker, self._worker = self._worker, None
        if worker is not None and not worker.stop():
            self._left = worker
        if not self._is_held():
            self._backend.close()

    def _is_held(self) -> bool:
        """Whether a thread that was left behind still uses the backend."""
        if self._left is not None and self._left.has_ended():
            self._left = None
        return self._left is not None


class _Worker:
    """The thread on which the backend is asked, and closed. One thread may ask while another stops it."""

    def __init__(self, backend: Backend, timeout_s: float) -> None:
        self._backend = backend
        self._timeout_s = timeout_s
        self._questions: SimpleQueue[Any] = SimpleQueue()
        self._answers: SimpleQueue[U8 | Exception] = SimpleQueue()
        self._lock = threading.Lock()  # of the two below, so that no question follows the one that ends the thread
        self._in_flight = False  # a question was put, and its answer not taken yet
        self._stopped = False
        # A daemon, as the process must be able to end while it hangs.
        self._thread = threading.Thread(target=self._serve, name="inference", daemon=True)
        self._thread.start()

    def ask(self, tensor: Any) -> U8 | Exception | None:
        """The answer, or None if there is none in time."""
        with self._lock:
            if self._stopped:
                return InferenceError("no model is loaded")
            self._in_flight = True
            self._questions.put(tensor)
        try:
            answer = self._answers.get(timeout=self._timeout_s)
        except Empty:
            return None
        self._in_flight = False
        return answer

    def hangs(self) -> bool:
        """Whether the last question has no answer yet. An answer that came too late is thrown away here.

        Only for the thread that asks: to another, a question that was put just now looks the same.
        """
        if self._in_flight and not self._answers.empty():
            self._answers.get()
            self._in_flight = False
            forget(self._backend)  # nobody saw that mask: it must not become the prior of the next
        return self._in_flight

    def stop(self) -> bool:
        """Tell the thread to end, and whether it did so soon."""
        with self._lock:
            self._stopped = True
            in_flight = self._in_flight
            self._questions.put(None)
        self._thread.join(_CLOSING_S if in_flight else max(self._timeout_s, _CLOSING_S))
        return self.has_ended()

    def has_ended(self) -> bool:
        return not self._thread.is_alive()

    def _serve(self) -> None:
        while (tensor := self._questions.get()) is not None:
            try:
                self._answers.put(self._backend.infer(tensor))
            except Exception as exc:  # noqa: BLE001 - it is raised where infer was called
                self._answers.put(exc)
        self._backend.close()


def takes(backend: Backend, planes: PlaneFormat) -> bool:
    """Whether ``backend`` samples such frames itself; most have never heard of it."""
    ask = getattr(backend, "takes", None)
    return ask is not None and bool(ask(planes))


def forget(backend: Backend) -> None:
    """Let ``backend`` forget the masks that it gave, if it reads them again."""
    reset = getattr(backend, "reset", None)
    if reset is not None:
        reset()


def distrust(backend: Backend) -> None:
    """Tell ``backend`` that its model keeps failing, if it shares that with others."""
    tell = getattr(backend, "distrust", None)
    if tell is not None:
        tell()
