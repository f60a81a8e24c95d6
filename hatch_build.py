"""Builds the kernels into the package. Never fails for want of a compiler: then edgeseg composites with OpenCV."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class KernelHook(BuildHookInterface):
    """Run by hatchling for a wheel and for an editable installation alike; an sdist holds sources only."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        sys.path.insert(0, self.root)
        from edgeseg.kernels.build import build

        try:
            libraries = build()
        except RuntimeError as exc:
            self.app.display_warning(
                f"no kernels were built, {exc}: without them edgeseg composites with OpenCV, which takes longer"
            )
            return
        root = Path(self.root)
        build_data["artifacts"] += [str(library.relative_to(root)) for library in libraries]
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"
