"""What the kernel knows of a process and of those below it: CPU, memory, what it is for."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes: ``rss`` counts each page that is mapped, ``pss`` shared pages by their share."""

    rss: int
    pss: int


def tree(pid: int) -> list[int]:
    """``pid`` and everything below it, parents first."""
    found = [pid]
    for parent in found:
        for task in _listed(Path(f"/proc/{parent}/task")):
            with contextlib.suppress(OSError):
                found += map(int, (task / "children").read_text().split())
    return found


def cpu_s(pid: int) -> float:
    """CPU seconds of a living process, all its threads, without its children, to the microsecond; 0 when it is gone."""
    try:
        # The clock of another process, as clock_getcpuclockid(3) builds its number.
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def reaped_cpu_s(pid: int) -> float:
    """CPU seconds of the children that ``pid`` has waited for, in ticks of 10 ms."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[13]) + int(fields[14])) / _TICKS


def memory(pid: int) -> Memory:
    """Of a living process; zeros when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return Memory(0, 0)
    bytes_of = {line.partition(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.endswith("kB")}
    return Memory(bytes_of.get("Rss", 0), bytes_of.get("Pss", 0))


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


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
