"""What more streams cost, and larger ones: CPU for each picture, and memory.

Each stream is published to a server of its own and recorded, all run the same model, and files are played as fast as
they go. CPU is the difference of a long and a short run, of all processes. Memory is looked at twice a second in the
second half of the long run.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import cost
import ours
import processes
import script
from clips import ALL_SIZES, EFFECTS, Clip, make_clip
from report import table

COUNTS = (1, 2, 4, 8)
# Of CPU for each picture, to both sides; of memory for each stream after the first, in MB.
MOST_OFF, MOST_MB = 0.10, 60
_EACH_S = 0.5
_MB = 1e6
_TURN = 60


@dataclass(slots=True)
class Memory:
    """What a running daemon and its children hold, in bytes, look by look."""

    looks: list[dict[str, int]] = field(default_factory=list)

    @contextlib.contextmanager
    def of(self) -> Any:
        """Gives what is to be told the daemon's process id; looks until the end of the block."""
        over = threading.Event()
        threads: list[threading.Thread] = []

        def loop(pid: int) -> None:
            while not over.wait(_EACH_S):
                self._look(pid)

        def started(pid: int) -> None:
            threads.append(threading.Thread(target=loop, args=(pid,)))
            threads[0].start()

        try:
            yield started
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def _look(self, pid: int) -> None:
        daemon, *children = [processes.memory(each) for each in processes.tree(pid)]
        look = {"daemon_rss": daemon.rss, "daemon_pss": daemon.pss}
        look["all_rss"] = daemon.rss + sum(child.rss for child in children)
        look["all_pss"] = daemon.pss + sum(child.pss for child in children)
        self.looks.append(look)

    def megabytes(self) -> dict[str, float]:
        """Medians of the second half."""
        late = self.looks[len(self.looks) // 2 :]
        if not late:
            raise cost.MeasurementError("the daemon had ended before anybody could look at its memory")
        return {name: median(look[name] for look in late) / _MB for name in late[0]}


def run(setting: script.Setting, clip: Clip, count: int, memory: Memory) -> tuple[int, float]:
    """``count`` streams of ``clip`` to their ends: (pictures, CPU seconds)."""
    with contextlib.ExitStack() as stack:
        streams = {}
        for number in range(count):
            url = stack.enter_context(ours.server(setting.ffmpeg))
            record = str(setting.folder / f"recordings-{number}")
            effect = EFFECTS["replace"]
            streams[f"s{number}"] = {"source": ours.played(clip), "effect": effect, "record": record, "publish": url}
        config, _ = ours.write_config(setting.ffmpeg, streams, setting.folder)
        started = stack.enter_context(memory.of())
        cpu_s = cost.run([sys.executable, "-m", "edgeseg", "run", "-c", str(config)], started=started)
    for number in range(count):
        ours.take_recordings(setting.folder / f"recordings-{number}", clip.total)
    return count * clip.total, cpu_s


def measure_one(setting: script.Setting, size: str, count: int) -> dict[str, float]:
    """CPU ms/frame and MB of ``count`` streams."""
    turns = max(3, 6 // count) if setting.quick else max(5, 24 // count)
    short, long = (make_clip(setting.ffmpeg, setting.clip, size, _TURN, each) for each in (1, turns))
    memory = Memory()
    cpu_ms = cost.slope_ms(run(setting, short, count, Memory()), run(setting, long, count, memory))
    return {"cpu_ms": cpu_ms, **memory.megabytes()}


def measure(setting: script.Setting) -> dict[str, Any]:
    jobs = [("360p", count) for count in COUNTS] + [(size, 1) for size in ALL_SIZES if size != "360p"]
    rows: dict[tuple[str, int], list[dict[str, float]]] = {job: [] for job in jobs}
    for number in range(setting.rounds):
        for job in jobs:
            rows[job].append(measure_one(setting, *job))
            setting.say(f"round {number + 1}/{setting.rounds}, {job[0]} x {job[1]}: {rows[job][-1]['cpu_ms']:.2f} ms")
    medians = {
        job: {name: round(median(row[name] for row in values), 2) for name in values[0]} for job, values in rows.items()
    }
    one = medians["360p", 1]
    streams = {}
    for count in COUNTS:
        row = medians["360p", count]
        streams[str(count)] = row | {"of_one": round(row["cpu_ms"] / one["cpu_ms"], 3)}
        if count > 1:
            for name in ("daemon_rss", "daemon_pss", "all_rss", "all_pss"):
                streams[str(count)][f"{name}_each"] = round((row[name] - one[name]) / (count - 1), 1)
    pixels = {size: {"pixels": w * h, **medians[size, 1]} for size, (w, h) in ALL_SIZES.items()}
    return {"targets": {"off": MOST_OFF, "mb": MOST_MB}, "streams": streams, "pixels": pixels}


def text(results: dict[str, Any]) -> str:
    """Two tables."""
    held = ("daemon_rss", "daemon_pss", "all_rss", "all_pss")
    streams = [
        [count, f"{row['cpu_ms']:.2f}", f"{row['of_one']:.2f}"]
        + [f"{row[name]:.0f}" + (f" (+{row[name + '_each']:.0f})" if name + "_each" in row else "") for name in held]
        for count, row in results["streams"].items()
    ]
    pixels = [
        [size, f"{row['pixels'] / 1e6:.2f}", f"{row['cpu_ms']:.1f}", f"{row['cpu_ms'] / row['pixels'] * 1e6:.1f}"]
        + [f"{row[name]:.0f}" for name in held]
        for size, row in results["pixels"].items()
    ]
    names = ["daemon RSS", "daemon PSS", "all RSS", "all PSS"]
    off, most = results["targets"]["off"], results["targets"]["mb"]
    return "\n".join(
        [
            f"Streams of 360p, one model: CPU ms for each picture (target: within {off:.0%} of one stream) and MB, in "
            f"brackets for each stream after the first (target: {most}):",
            "",
            *table(["streams", "CPU", "of one", *names], streams),
            "",
            "One stream of each size: CPU ms for each picture and for each million pixels, and MB:",
            "",
            *table(["size", "Mpixel", "CPU", "CPU / Mpixel", *names], pixels),
        ]
    )


if __name__ == "__main__":
    sys.exit(script.main("streams", __doc__, measure, text))
