"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

# Above this, somebody else is using the machine.
BUSY_LOAD = 0.5


def describe(ffmpeg: str) -> dict[str, str]:
    """Processor, cores, versions, and how busy the machine was before."""
    first = subprocess.run([ffmpeg, "-version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    return {
        "cpu": _cpu(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "openvino": version("openvino"),
        "opencv": version("opencv-python-headless"),
        "av": version("av"),
        "ffmpeg": first.removeprefix("ffmpeg version ").split(" Copyright")[0],
        "load_before": f"{os.getloadavg()[0]:.2f}",
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
