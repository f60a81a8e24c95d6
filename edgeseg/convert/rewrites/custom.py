"""Finds the options of a custom operator again, and reads them.

OpenVINO's front end does not hand them to Python, so they are read from the file and recognised by the tensors that the
operator reads.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, TypeVar

from edgeseg.convert.readers.tflite_file import TfliteFile
from edgeseg.errors import ModelError
from edgeseg.ovruntime import ov

Options = TypeVar("Options")


def extension(
    file: TfliteFile,
    name: str,
    parse: Callable[[bytes], Options],
    translate: Callable[[list[Any], Options], list[Any]],
) -> Any:
    """The ``ConversionExtension`` for every operator ``name`` of ``file``.

    ``parse`` makes options of the bytes in the file; ``translate`` makes outputs of the operator's inputs and options.

    Raises:
        ModelError: ``parse`` did.
    """
    known = [
        (operator.inputs, parse(operator.custom_options)) for operator in file.operators if operator.custom == name
    ]

    def convert(node: Any) -> list[Any]:
        inputs = [node.get_input(index) for index in range(node.get_input_size())]
        for names, options in known:
            if all(wanted in port.get_names() for wanted, port in zip(names, inputs, strict=False)):
                return translate(inputs, options)
        raise ModelError(f"{name}: the operator that reads {sorted(inputs[0].get_names())} is not in the file")

    return ov.frontend.ConversionExtension(name, convert)


def integers(name: str, custom_options: bytes, count: int) -> tuple[int, ...]:
    """The first ``count`` little-endian 32-bit integers in the options of the operator ``name``.

    Raises:
        ModelError: there are fewer.
    """
    size = 4 * count
    if len(custom_options) < size:
        raise ModelError(f"{name}: {len(custom_options)} bytes of options where {size} are expected")
    return struct.unpack_from(f"<{count}i", custom_options)
