"""Gives up on an inference that takes too long: a stick that hangs must not hold the stream."""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue

from edgeseg.errors import InferenceError, ModelError
from edgeseg.types import U8, Backend, Recipe


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
        self._worker = _Worker(self._backend)

    def infer(self, tensor: U8) -> U8:
        """As the backend's own ``infer``.

        Raises:
            InferenceError: the model failed, did not answer in time, or still hangs in an earlier picture.
        """
        if self._worker is None:
            raise InferenceError("no model is loaded")
        if self._worker.hangs():
            raise InferenceError(f"model {self._name!r} still hangs in an earlier picture")
        answer = self._worker.ask(tensor, self._timeout_s)
        if answer is None:
            raise InferenceError(f"model {self._name!r} did not answer within {self._timeout_s:g} s")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """Close the backend; if it hangs, as soon as it returns, and without waiting for that. May be called twice."""
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
    """The thread on which the backend is asked, and closed if that has to wait."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._questions: SimpleQueue[U8 | None] = SimpleQueue()
        self._answers: SimpleQueue[U8 | Exception] = SimpleQueue()
        self._late = False
        # A daemon, as the process must be able to end while it hangs.
        self._thread = threading.Thread(target=self._serve, name="inference", daemon=True)
        self._thread.start()

    def ask(self, tensor: U8, timeout_s: float) -> U8 | Exception | None:
        """The answer, or None if there is none in time."""
        self._questions.put(tensor)
        try:
            return self._answers.get(timeout=timeout_s)
        except Empty:
            self._late = True
            return None

    def hangs(self) -> bool:
        """Whether the last question has no answer yet. An answer that came too late is thrown away here."""
        if self._late and not self._answers.empty():
            self._answers.get()
            self._late = False
        return self._late

    def stop(self) -> bool:
        """End the thread; False if that has to wait for an answer."""
        hangs = self.hangs()
        self._questions.put(None)
        if not hangs:
            self._thread.join()
        return not hangs

    def has_ended(self) -> bool:
        return not self._thread.is_alive()

    def _serve(self) -> None:
        while (tensor := self._questions.get()) is not None:
            try:
                self._answers.put(self._backend.infer(tensor))
            except Exception as exc:  # noqa: BLE001 - it is raised where infer was called
                self._answers.put(exc)
        self._backend.close()
