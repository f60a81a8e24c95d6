"""Layers that training has killed, which the quantiser wrote down as ranges of no width.

A FakeQuantize whose range is narrower than any number that f32 can compute with answers with zero, whatever it is
asked; OpenVINO cannot compile it. The weights and the bias behind it were scaled by one through nothing, which is
infinite: times zero, that is zero in the whole numbers of TFLite and no number at all in floats.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeseg.ovruntime import ov

_NOTHING = 1e-30
_RANGES = slice(1, 5)  # the inputs of a FakeQuantize that say its two ranges


def silence(model: Any) -> int:
    """Put zeros where ``model`` can only answer with zeros, and say how many ranges had no width.

    The answers of the model stay the same, up to 1e-30.
    """
    dead = 0
    for node in model.get_ops():
        if node.get_type_name() == "FakeQuantize" and (zero := _only_answer(node)) is not None:
            dead += _replace(node, zero)
    if dead:
        for node in model.get_ops():
            if node.get_type_name() == "Constant":
                _empty_weights(node)
        model.validate_nodes_and_infer_types()
    return dead


def _only_answer(node: Any) -> float | None:
    """What a FakeQuantize of a range without width makes of zero; None where the range has width."""
    sources = [value.get_node() for value in node.input_values()[_RANGES]]
    if any(source.get_type_name() != "Constant" or source.data.size != 1 for source in sources):
        return None
    low, high, low_out, high_out = (float(source.data.reshape(-1)[0]) for source in sources)
    if max(abs(low), abs(high)) >= _NOTHING:
        return None
    steps = node.get_attributes()["levels"] - 1
    share = round(-low / (high - low) * steps) / steps if high > low else 0.0
    return low_out + share * (high_out - low_out)


def _empty_weights(constant: Any) -> None:
    """Put zeros where numbers that are not finite scale weights or are added to what a dead layer gives."""
    if constant.get_output_element_type(0).get_type_name() != "f32" or np.isfinite(constant.data).all():
        return
    readers = [reader.get_node() for reader in constant.output(0).get_target_inputs()]
    for node in readers:
        if node.get_type_name() == "Multiply":
            _replace(node, 0.0)
    if any(node.get_type_name() == "Add" for node in readers):
        _replace(constant, 0.0)


def _replace(node: Any, value: float) -> bool:
    """Let ``value`` take the place of what ``node`` answers, where its shape is fixed."""
    port = node.output(0)
    if port.get_partial_shape().is_dynamic:
        return False
    shape = np.array(list(port.get_shape()), np.int64)
    port.replace(ov.opset13.broadcast(np.array(value, port.get_element_type().to_dtype()), shape).output(0))
    return True
