"""What the kernel knows of a process and of those below it: CPU and memory."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes: ``rss`` counts each page that is mapped, ``pss`` shared pages by their share."""

    rss: int
    pss: int


def tree(pid: int) -> list[int]:
    """``pid`` and everything below it, parents first."""
    found = [pid]
    for parent in found:
        for task in _listed(_PROC / str(parent) / "task"):
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


def memory(pid: int) -> Memory:
    """Of a living process; zeros when it is gone."""
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return Memory(0, 0)
    bytes_of = {line.partition(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.endswith("kB")}
    return Memory(bytes_of.get("Rss", 0), bytes_of.get("Pss", 0))


def machine_cpu_s() -> float:
    """CPU seconds that all processes of the machine have taken since it was started, in ticks of 10 ms."""
    try:
        fields = (_PROC / "stat").read_text().split("\n", 1)[0].split()
    except OSError:
        return 0.0
    user, nice, system, _idle, _iowait, irq, softirq = map(int, fields[1:8])
    return (user + nice + system + irq + softirq) / _TICKS


def available_bytes() -> int:
    """Memory that can be had without swapping; 0 where the kernel does not say."""
    with contextlib.suppress(OSError):
        for line in (_PROC / "meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 0


def processor_name() -> str:
    """As the kernel has it; empty where it does not say."""
    with contextlib.suppress(OSError):
        for line in (_PROC / "cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "Model")):
                return line.partition(":")[2].strip()
    return ""


def cores() -> float:
    """How many processors this process may use: by its affinity and the limit of its control group."""
    allowed = float(len(os.sched_getaffinity(0)))
    with contextlib.suppress(OSError, ValueError):
        quota, period = (Path("/sys/fs/cgroup/cpu.max")).read_text().split()
        return min(allowed, int(quota) / int(period))
    return allowed


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
