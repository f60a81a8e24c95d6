"""The one way to OpenVINO: ``from edgeseg.ovruntime import ov``.

``import openvino`` reports itself to a web analytics service and leaves a client identifier in the home directory,
without asking, whenever the package ``openvino_telemetry`` can be imported
(``openvino/tools/ovc/__init__.py``). A box that looks at people's rooms does not phone home: the package is hidden
while OpenVINO is imported, which makes it take the silent stub that it has for machines without that package.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_TELEMETRY = "openvino_telemetry"

__all__ = ["ov", "reason"]


def _import_silently() -> ModuleType:
    if _TELEMETRY in sys.modules or "openvino" in sys.modules:  # somebody else was first: nothing left to prevent
        return import_module("openvino")
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # the documented way to make an import fail
    try:
        return import_module("openvino")
    finally:
        del sys.modules[_TELEMETRY]


ov: Any = _import_silently()


def reason(exc: BaseException) -> str:
    """The line of an OpenVINO exception that says something, without its trail of C++ file names.

    Of "Exception from src/…:84:", "Check 'x' failed at src/…:53:", "what happened" only the last remains.
    """
    lines = [line.strip() for line in str(exc).splitlines()]
    telling = [line for line in lines if line and " src/" not in line and not line.startswith(("At:", "/"))]
    return (telling[-1] if telling else str(exc).strip() or type(exc).__name__).rstrip(".")
