"""What a command costs: the CPU time of it and of everything that it started, as the kernel counted it."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import av

ROOT = Path(__file__).resolve().parent.parent


class MeasurementError(Exception):
    """Something did not do what was to be measured."""


def run(command: Sequence[str], *, timeout_s: float = 600.0, started: Callable[[int], None] = lambda _: None) -> float:
    """Run ``command`` to its end and give its CPU seconds, user and system, with those of the children it waited for.

    ``started`` is told its process id.

    Raises:
        MeasurementError: it failed, or took longer than ``timeout_s``.
    """
    with tempfile.TemporaryFile() as words:
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=words,
            start_new_session=True,
        )
        watch = threading.Timer(timeout_s, os.killpg, (child.pid, signal.SIGKILL))
        watch.start()
        try:
            started(child.pid)
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            os.killpg(child.pid, signal.SIGTERM)
            child.wait()
            raise
        finally:
            watch.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            words.seek(0)
            last = words.read().decode("utf-8", "replace").strip().splitlines()[-5:]
            raise MeasurementError(f"{command[0]} ended with {child.returncode}: " + "; ".join(last))
    return usage.ru_utime + usage.ru_stime


def slope_ms(short: tuple[int, float], long: tuple[int, float]) -> float:
    """Milliseconds per frame from two runs, each (frames, CPU seconds): what both spent on starting cancels out.

    Raises:
        ValueError: the long run is not longer.
    """
    frames = long[0] - short[0]
    if frames <= 0:
        raise ValueError(f"a run of {long[0]} frames is not longer than one of {short[0]}")
    return (long[1] - short[1]) / frames * 1000


def check_frames(files: Sequence[Path], frames: int) -> None:
    """Raise MeasurementError unless the video in ``files`` has exactly ``frames`` pictures: skipping is cheap."""
    found = 0
    for file in files:
        with av.open(str(file)) as container:
            found += sum(1 for packet in container.demux(video=0) if packet.size)
    if found != frames:
        raise MeasurementError(f"{found} pictures came out where {frames} went in: {[file.name for file in files]}")
