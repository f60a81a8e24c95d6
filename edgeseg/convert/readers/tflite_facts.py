"""What a .tflite file says about its recipe, and what a user should know about its numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgeseg.convert.readers import tflite_metadata
from edgeseg.convert.readers.tflite_file import TfliteFile
from edgeseg.flatbuffer import DamagedError

_WHOLE = {"u8", "i8", "u16", "i16"}
_WEIGHTED = {3, 4, 9, 67}  # BuiltinOperator: CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED, TRANSPOSE_CONV


def collect(file: TfliteFile, path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Facts about the first input and the first output, by the names of ``Recipe``'s fields, and sentences."""
    facts: dict[str, Any] = {}
    notes: list[str] = []
    for key, tensors in (("input_quantization", file.inputs), ("output_quantization", file.outputs)):
        if tensors and tensors[0].kind in _WHOLE and tensors[0].quantization is not None:
            facts[key] = tensors[0].quantization
    try:
        facts.update(tflite_metadata.read(file.metadata, path))
    except DamagedError as exc:
        notes.append(f"its metadata cannot be read and is left out: {exc}")
    return facts, (*notes, *_about_numbers(file))


def computes_in_whole_numbers(file: TfliteFile) -> bool:
    """Whether its convolutions have weights that are whole numbers."""
    return bool(_about_numbers(file))


def _about_numbers(file: TfliteFile) -> list[str]:
    kinds = {tensor.name: tensor for tensor in file.tensors}
    readers = [operator for operator in file.operators if operator.builtin in _WEIGHTED and len(operator.inputs) > 1]
    pairs = [(kinds.get(operator.inputs[0]), kinds.get(operator.inputs[1])) for operator in readers]
    whole = [pair for pair in pairs if pair[1] is not None and pair[1].kind in _WHOLE and pair[1].constant]
    if any(x is not None and x.kind == "f32" for x, _ in whole):
        return [
            "its weights are whole numbers and its pictures floats: LiteRT rounds what flows between them while it "
            "runs, OpenVINO does not, so that close decisions may differ"
        ]
    if whole:
        return [
            "it computes in whole numbers: each runtime rounds them in its own way, so that close decisions may differ"
        ]
    return []
