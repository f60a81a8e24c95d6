"""An engine made of a framework's own function."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgeseg.backends.engine import Array, Port, check_arrays
from edgeseg.convert.graph_walk import name
from edgeseg.convert.readers.quiet import quiet
from edgeseg.errors import InferenceError, ModelError

_LONGEST = 200
Call = Callable[[Sequence[Array]], Sequence[Array]]


@dataclass(frozen=True, slots=True)
class End:
    """One input or output as OpenVINO knows it: all of its ``names``, of which frameworks know at least one."""

    names: frozenset[str]
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def ends(path: Path, ports: Sequence[Any]) -> tuple[End, ...]:
    """``ports`` of an ``openvino.Model`` whose shapes are fixed.

    Raises:
        ModelError: one is not.
    """
    found = []
    for port in ports:
        shape = port.get_partial_shape()
        if shape.is_dynamic:
            raise ModelError(f"{path} takes {shape}, which is open", hint="choose a size with --size WxH")
        names = port.get_names()
        dtype = np.dtype(port.get_element_type().to_dtype())
        found.append(End(frozenset(names), name(port), tuple(port.get_shape()), dtype))
    return tuple(found)


class FrameworkEngine:
    """``call`` as an engine. One array goes in for each of ``taken``, and comes out for each of ``given``.

    Raises:
        ModelError: the model does not answer a black picture.
    """

    def __init__(self, path: Path, runtime: str, taken: Sequence[End], given: Sequence[str], call: Call) -> None:
        self.runtime = runtime
        self._path = path
        self._call: Call | None = call
        self.inputs = tuple(Port(end.name, end.shape, end.dtype) for end in taken)
        try:
            # Frameworks do not say the shape of an answer before they gave one.
            first = self.run([np.zeros(port.shape, port.dtype) for port in self.inputs])
        except InferenceError as exc:
            raise ModelError(exc.message) from exc
        if len(first) != len(given):
            raise ModelError(f"{path} answers {len(first)} times in {runtime}, and {len(given)} times in OpenVINO")
        self.outputs = tuple(Port(end, answer.shape, answer.dtype) for end, answer in zip(given, first, strict=True))

    def run(self, arrays: Sequence[Array]) -> list[Array]:
        """One answer for each output, the caller's own.

        Raises:
            InferenceError: an array does not fit its input, or the model failed.
        """
        if self._call is None:
            raise InferenceError(f"{self._path} is closed")
        check_arrays(self._path, self.inputs, arrays)
        try:
            with quiet():
                return [np.array(answer) for answer in self._call(arrays)]
        except Exception as exc:  # every framework has its own classes
            raise InferenceError(f"{self._path} did not answer in {self.runtime}: {first_line(exc)}") from exc

    def close(self) -> None:
        """Free the model. May be called twice."""
        self._call = None


def first_line(exc: BaseException) -> str:
    """What a framework complains of, in a line: its errors are often pages."""
    line = next((line.strip() for line in str(exc).splitlines() if line.strip()), type(exc).__name__)
    return textwrap.shorten(line, _LONGEST, placeholder=" …").rstrip(".:")
