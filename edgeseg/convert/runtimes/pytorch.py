"""PyTorch modules of any kind in PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgeseg.backends.engine import Array
from edgeseg.convert.graph_walk import name
from edgeseg.convert.runtimes.extras import need
from edgeseg.convert.runtimes.framework import FrameworkEngine, ends


def open_module(path: Path, module: Any, model: Any) -> FrameworkEngine:
    """``module``, something that torch can call, which is from ``path``; ``model`` is the ``openvino.Model`` of it.

    Raises:
        UsageError: PyTorch is not installed.
        ModelError: it cannot run this module.
    """
    torch = need("torch", "pytorch", "running a PyTorch model")
    leaves = torch.utils._pytree.tree_leaves  # what torch.export flattens answers with, so in the same order

    def call(arrays: Sequence[Array]) -> list[Array]:
        with torch.no_grad():
            answers = module(*(torch.from_numpy(array.copy()) for array in arrays))
        return [answer.numpy() for answer in leaves(answers)]

    return FrameworkEngine(
        path, f"torch {torch.__version__}", ends(path, model.inputs), [name(port) for port in model.outputs], call
    )
