"""What a daemon costs that has nothing to show: its cameras are away, and a slate is what comes out.

Percent of a core, all processes, over twenty seconds that begin when everything has been at rest for a while. What ends
meanwhile is counted as well.
"""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import dataclass
from statistics import median
from typing import Any

import ours
import processes
import script
from clips import ALL_SIZES
from cost import MeasurementError
from report import table
from rtmp_server import free_port

MOST_PERCENT = 2.0
_ROLES = ("daemon", "encoder", "publisher", "recorder")
# Newcomers are shown more of a slate for some seconds, and outputs connect.
_SETTLE_S = 14.0
_SECONDS, _QUICK_S = 20.0, 3.0


@dataclass(frozen=True, slots=True)
class Case:
    """``count`` streams whose camera is away. Without a slate nothing is encoded."""

    name: str
    size: str
    count: int
    slate: bool = True
    outputs: bool = True


CASES = (
    Case("slate", "720p", 1),
    Case("slate", "720p", 2),
    Case("slate", "1080p", 1),
    Case("slate", "1080p", 2),
    Case("no slate", "720p", 1, slate=False),
    Case("no slate, no outputs", "720p", 1, slate=False, outputs=False),
)


def measure_one(setting: script.Setting, case: Case) -> dict[str, float]:
    """Percent of a core for each stream, by process."""
    width, height = ALL_SIZES[case.size]
    seconds = _QUICK_S if setting.quick else _SECONDS
    with contextlib.ExitStack() as stack:
        streams: dict[str, Any] = {}
        for number in range(case.count):
            away = f"rtsp://127.0.0.1:{free_port()}/away"
            stream: dict[str, Any] = {"source": away, "effect": {"type": "replace"}, "slate": {"enabled": case.slate}}
            stream["video"] = {"size": f"{width}x{height}"}
            if case.outputs:
                stream["record"] = str(setting.folder / f"recordings-{number}")
                stream["publish"] = stack.enter_context(ours.server(setting.ffmpeg))
            streams[f"s{number}"] = stream
        config, http = ours.write_config(setting.ffmpeg, streams, setting.folder)
        pid = stack.enter_context(ours.running(config))
        time.sleep(_SETTLE_S)
        before = _spent(pid)
        shown = ours.slates(http)
        started = time.monotonic()
        time.sleep(seconds)
        after, passed_s = _spent(pid), time.monotonic() - started
        shown = ours.slates(http) - shown
    if bool(shown) != case.slate:
        raise MeasurementError(f"{shown:g} slates came out, where the slate is {'on' if case.slate else 'off'}")
    percent = {name: (after[name] - before[name]) / passed_s * 100 / case.count for name in after}
    return {"all": sum(percent.values()), **percent}


def _spent(pid: int) -> dict[str, float]:
    """CPU seconds so far, by process."""
    spent = dict.fromkeys((*_ROLES, "ended"), 0.0)
    spent["ended"] = processes.reaped_cpu_s(pid)
    for each in processes.tree(pid):
        role = processes.role(each)
        if role:
            spent[role] += processes.cpu_s(each)
    return spent


def measure(setting: script.Setting) -> dict[str, Any]:
    cases = (CASES[0], CASES[4]) if setting.quick else CASES
    rows: dict[Case, list[dict[str, float]]] = {case: [] for case in cases}
    for number in range(setting.rounds):
        for case in cases:
            rows[case].append(measure_one(setting, case))
            said = f"{case.name}, {case.count} x {case.size}: {rows[case][-1]['all']:.2f} %"
            setting.say(f"round {number + 1}/{setting.rounds}, {said}")
    results = [
        {"case": case.name, "size": case.size, "streams": case.count}
        | {name: round(median(row[name] for row in values), 3) for name in values[0]}
        for case, values in rows.items()
    ]
    return {"targets": {"percent": MOST_PERCENT}, "results": results}


def text(results: dict[str, Any]) -> str:
    """One table."""
    rows = [
        [row["case"], row["size"], str(row["streams"]), *(f"{row[name]:.2f}" for name in ("all", *_ROLES, "ended"))]
        for row in results["results"]
    ]
    target = f"Percent of a core for each stream, all processes (target: {results['targets']['percent']:g}):"
    return "\n".join([target, "", *table(["at rest", "size", "streams", "all", *_ROLES, "ended"], rows)])


if __name__ == "__main__":
    sys.exit(script.main("rest", __doc__, measure, text, rounds=2))
