"""A package of somebody else that brings plug-ins, as pip would have installed it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_PROJECT = Path(__file__).parents[2]


def install(folder: Path, plugins: Mapping[str, Mapping[str, str]], **modules: str) -> dict[str, str]:
    """Make it in ``folder``, and give the environment in which a process finds it.

    Args:
        folder: where it goes; it may exist.
        plugins: kind ("backends", "effects" …) → name → "module:Class".
        **modules: their names and sources.
    """
    site = folder / "site"
    metadata = site / "thirdparty-1.0.dist-info"
    metadata.mkdir(parents=True)
    for name, source in modules.items():
        (site / f"{name}.py").write_text(source)
    lines = [
        line
        for kind, entries in plugins.items()
        for line in (f"[edgeseg.{kind}]", *(f"{name} = {target}" for name, target in entries.items()))
    ]
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: thirdparty\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return {"PYTHONPATH": os.pathsep.join([str(site), str(_PROJECT)])}
