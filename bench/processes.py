"""What a process of the daemon is for, and what its children took that have ended; with what the package knows."""

from __future__ import annotations

import os
from pathlib import Path

from edgeseg.benchmark.processes import Memory, cpu_s, memory, tree

__all__ = ["Memory", "cpu_s", "memory", "reaped_cpu_s", "role", "tree"]

_TICKS = os.sysconf("SC_CLK_TCK")


def reaped_cpu_s(pid: int) -> float:
    """CPU seconds of the children that ``pid`` has waited for, in ticks of 10 ms."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[13]) + int(fields[14])) / _TICKS


def role(pid: int) -> str:
    """What a process of the daemon's is for, by its command line; empty when it is gone."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return ""
    if any(word.endswith("_relay") for word in words):
        return "publisher"
    if "ffmpeg" in Path(words[0]).name:
        return "encoder" if "pipe:1" in words else "recorder"
    return "daemon" if words[0] else ""
