"""The daemon with instruments: ``inside.py CONFIG NOTES``.

What ``edgeseg run -c CONFIG`` does, with a thread that looks ten times a second at the CPU clocks of all threads and
children, and with clocks around the steps of each stream. NOTES gets one JSON object when the daemon ends:

- ``looks``: what the first thread saw, one after the other. ``threads`` and ``children`` are CPU seconds since their
  start, by name; ``steps`` the CPU seconds that each step took of its own thread; ``frames`` what the encoders gave.
- ``laps``: when what is done once began and ended, monotonic seconds by name.
- ``frames``: for each picture its stream and, in seconds on the monotonic clock, when it was ``captured``, when it was
  ``composited``, when its tag came ``out`` of the hub; ``ms`` is its time in the output.

A step costs half a microsecond more than without them.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import processes

from edgeseg import daemon, supervisor
from edgeseg.config import load_config
from edgeseg.frames import Canvas
from edgeseg.log import setup
from edgeseg.native import limit_arenas, quieten
from edgeseg.outlet import Outlet
from edgeseg.pipeline import Stages
from edgeseg.supervisor import Blueprint
from edgeseg.types import Source, StreamHeader, Tag, TagKind

_LOOK_S = 0.1
_WATCH = "bench:watch"


class Notes:
    """What is seen; each list and each key of ``steps`` has one writer."""

    def __init__(self) -> None:
        self.steps: dict[str, float] = defaultdict(float)
        self.composited: dict[str, dict[int, tuple[float, float]]] = defaultdict(dict)  # stream, ms: captured, done
        self.frames: list[dict[str, Any]] = []
        self.looks: list[dict[str, Any]] = []
        self.laps: dict[str, tuple[float, float]] = {}

    def lap(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """``call``, whose first call's beginning and end are noted under ``name``."""

        def lap(*args: Any, **keywords: Any) -> Any:
            began = time.monotonic()
            try:
                return call(*args, **keywords)
            finally:
                self.laps.setdefault(name, (began, time.monotonic()))

        return lap

    def clocked(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """``call``, whose CPU time on its own thread is added up under ``name``."""

        def clocked(*args: Any, **keywords: Any) -> Any:
            before = time.thread_time()
            try:
                return call(*args, **keywords)
            finally:
                self.steps[name] += time.thread_time() - before

        return clocked

    def look(self) -> None:
        threads: dict[str, float] = defaultdict(float)
        for thread in threading.enumerate():
            if thread.ident is not None:
                try:
                    clock = time.pthread_getcpuclockid(thread.ident)
                    threads[thread.name] += time.clock_gettime(clock)
                except OSError:
                    continue  # it has just ended
        children: dict[str, float] = defaultdict(float)
        for pid in processes.tree(os.getpid())[1:]:
            children[processes.role(pid)] += processes.cpu_s(pid)
        self.looks.append(
            {
                "at": time.monotonic(),
                "frames": len(self.frames),
                "process": time.process_time(),
                "threads": {name: spent for name, spent in threads.items() if name != _WATCH},
                "watch": threads[_WATCH],
                "children": children,
                "steps": self.steps.copy(),
            }
        )


class _Clock:
    """A subscriber of the hub that looks at the clock."""

    def __init__(self, stream: str, notes: Notes) -> None:
        self._stream, self._notes = stream, notes

    def header(self, header: StreamHeader) -> None: ...

    def replay(self, tags: Sequence[Tag]) -> None: ...

    def tag(self, tag: Tag) -> None:
        if tag.kind is TagKind.VIDEO:
            out = time.monotonic()
            captured, composited = self._notes.composited[self._stream].pop(tag.timestamp_ms, (None, None))
            times = {"captured": captured, "composited": composited, "out": out}
            self._notes.frames.append({"stream": self._stream, "ms": tag.timestamp_ms, **times})

    def end(self) -> None: ...


def instrumented(plan: Blueprint, notes: Notes) -> Blueprint:
    """The same stream, with clocks around its steps."""
    name = plan.status.name

    def make_source() -> Source:
        source = plan.make_source()
        source.open = notes.lap(f"{name}:open the source", source.open)  # type: ignore[method-assign]
        source.read = notes.clocked(f"{name}:decode", source.read)  # type: ignore[method-assign]
        return source

    def load() -> Stages:
        stages = notes.lap(f"{name}:load the model", plan.load)()
        for step, part, call in (
            ("sample", stages.sampler, "sample"),
            ("infer", stages.backend, "infer"),
            ("mask", stages.refiner, "refine"),
            ("composite", stages.effect, "apply"),
        ):
            setattr(part, call, notes.clocked(f"{name}:{step}", getattr(part, call)))
        return stages

    return replace(plan, make_source=make_source, load=load)


def main(config_file: Path, notes_file: Path) -> int:
    notes = Notes()
    notes.laps["import"] = (0.0, time.monotonic())
    limit_arenas()
    config = notes.lap("read the configuration", load_config)(config_file)
    setup(config.log.level, config.log.format)
    quieten()
    build = daemon.blueprint
    supervisor.usable_settings = notes.lap("try the encoder", supervisor.usable_settings)
    daemon.blueprint = lambda *args: instrumented(build(*args), notes)
    watched = notes.lap("build the daemon", daemon.Daemon)(config)
    watched.http.start = notes.lap("start HTTP", watched.http.start)  # type: ignore[method-assign]
    for name, stream in watched.streams.items():
        stream.subscribe(_Clock(name, notes))
    _note_composited(notes)
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK_S):
            notes.look()

    threading.Thread(target=watch, name=_WATCH, daemon=True).start()
    try:
        return watched.run()
    finally:
        over.set()
        notes_file.write_text(json.dumps({"laps": notes.laps, "looks": notes.looks, "frames": notes.frames}))


def _note_composited(notes: Notes) -> None:
    hand_over = Outlet.video

    def video(self: Outlet, canvas: Canvas, timestamp_ms: int) -> None:
        stream = threading.current_thread().name.removesuffix(":worker")
        notes.composited[stream][timestamp_ms] = (canvas.frame.captured_at, time.monotonic())
        hand_over(self, canvas, timestamp_ms)

    Outlet.video = video  # type: ignore[method-assign]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
