"""Writes an IR that depends on the source model and on OpenVINO's version, and on nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgeseg.ovruntime import ov


def save(model: Any, xml: Path, *, name: str, fp16: bool) -> None:
    """Write ``model`` to ``xml`` and the ``.bin`` beside it, the same bytes each time.

    With ``fp16`` the weights are kept as half floats; they are computed with in the precision that the device is told.
    """
    model.set_friendly_name(name)
    _name_nodes(model)
    ov.save_model(model, str(xml), compress_to_fp16=fp16)


def _name_nodes(model: Any) -> None:
    """Nodes that the front end made up are named by a counter that runs through the whole process, so that the second
    conversion of a process would give other names than the first. Count anew, in the order of the graph.
    """
    used: set[str] = set()
    for index, node in enumerate(model.get_ordered_ops()):
        names = sorted(node.output(0).get_names()) if node.get_output_size() else []
        wanted = names[0] if names and names[0] not in used else f"{node.get_type_name()}_{index}"
        used.add(wanted)
        node.set_friendly_name(wanted)
