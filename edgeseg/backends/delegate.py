"""Loads a TensorFlow Lite delegate from a shared library.

The TFLite packages have a loader too. It holds the GIL while the delegate looks for its device, which takes seconds for
a stick whose firmware has to be sent first, and it puts every failure into one empty ValueError.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping

from edgeseg.errors import ModelError

_CREATE, _DESTROY = "tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate"
_ErrorCallback = ctypes.CFUNCTYPE(None, ctypes.c_char_p)


class DelegateRefusedError(Exception):
    """The library was loaded, and did not make a delegate; the text, maybe empty, is what it said."""


class ExternalDelegate:
    """A delegate of ``library``, made with ``options``. Handed to an interpreter, which must be gone before ``close``.

    Raises:
        ModelError: the library cannot be loaded, or is no delegate.
        DelegateRefusedError: it does not want to.
    """

    def __init__(self, library: str, options: Mapping[str, str]) -> None:
        self._pointer: int | None = None
        try:
            loaded = ctypes.CDLL(library)
        except OSError as exc:
            raise _explained(library, str(exc)) from exc
        try:
            create, self._destroy = loaded[_CREATE], loaded[_DESTROY]
        except AttributeError as exc:
            raise ModelError(f"{library} is no TensorFlow Lite delegate: it has no function {_CREATE}") from exc
        strings = ctypes.c_char_p * len(options)
        create.argtypes = [ctypes.POINTER(ctypes.c_char_p)] * 2 + [ctypes.c_size_t, _ErrorCallback]
        create.restype = ctypes.c_void_p
        self._destroy.argtypes = [ctypes.c_void_p]
        self._destroy.restype = None
        said: list[str] = []
        # Kept: nothing forbids a delegate to complain later.
        self._report = _ErrorCallback(lambda text: said.append((text or b"").decode(errors="replace")))
        self._pointer = create(
            strings(*(key.encode() for key in options)),
            strings(*(value.encode() for value in options.values())),
            len(options),
            self._report,
        )
        if self._pointer is None:
            raise DelegateRefusedError(" ".join(" ".join(said).split()))

    def _get_native_delegate_pointer(self) -> int:
        """What both TFLite packages ask a delegate for."""
        if self._pointer is None:
            raise ValueError("the delegate is closed")
        return self._pointer

    def close(self) -> None:
        """Destroy it. May be called twice."""
        pointer, self._pointer = self._pointer, None
        if pointer is not None:
            self._destroy(pointer)


def _explained(library: str, text: str) -> ModelError:
    """What dlopen says names the file that it missed, which may be one that the library itself needs."""
    if text.startswith(f"{library}: cannot open shared object file: No such file"):
        return ModelError(f"{library} is not installed")
    return ModelError(f"{library} cannot be loaded: {text}")
