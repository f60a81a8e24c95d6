"""CPU of the whole way of a frame: the daemon, the loop that people write, and the floor.

Milliseconds of user and system time of all processes for each frame. Every figure is the difference of a long and a
short run, so that starting up counts for nobody; the three take turns, and the medians of all rounds are shown.
docs/performance.md says what each includes.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cost
import floor
import machine
import ours
import report
import usual_loop
from clips import EFFECTS, SIZES, Clip, make_clip, render

from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.native import quieten


@dataclass(frozen=True, slots=True)
class Plan:
    """``frames`` is one turn of the clip; the others say how many turns the short and the long run have."""

    frames: int
    rounds: int
    light: tuple[int, int]  # ours and the floor
    heavy: tuple[int, int]  # the usual loop: many times as long a frame, so fewer are as exact


DEFAULT = Plan(frames=60, rounds=3, light=(2, 10), heavy=(1, 3))
QUICK = Plan(frames=20, rounds=1, light=(1, 7), heavy=(1, 2))


class Cell:
    """One size and effect: what it takes to measure it."""

    def __init__(self, ffmpeg: str, source: Path, size: str, effect: str, plan: Plan, folder: Path) -> None:
        self._ffmpeg, self._size, self._effect, self._folder = ffmpeg, size, effect, folder
        turns = {*plan.light, *plan.heavy, 1}
        clips = {count: make_clip(ffmpeg, source, size, plan.frames, count) for count in turns}
        self._light = [clips[count] for count in plan.light]
        self._heavy = [clips[count] for count in plan.heavy]
        self._composited = folder / f"{size}-{effect}.yuv"
        render(clips[1], effect, self._composited)
        self.scrapes: list[ours.Scrape] = []

    def ours(self) -> float:
        runs = [(clip.total, ours.run(self._ffmpeg, clip, self._effect, self._folder)) for clip in self._light]
        self.scrapes = runs[-1][1].scrapes
        return cost.slope_ms(*((frames, run.cpu_s) for frames, run in runs))

    def usual(self) -> float:
        return self._slope(
            self._heavy,
            lambda clip, target: usual_loop.command(clip.path, self._size, self._effect, self._ffmpeg, target),
        )

    def floor(self) -> float:
        """Decoding and encoding; the inference is measured apart."""
        return self._slope(self._light, lambda clip, target: floor.command(self._ffmpeg, clip, target))

    def composited_floor(self) -> float:
        """The same, where the encoder is given the composited picture."""
        return self._slope(
            self._light, lambda clip, target: floor.composited_command(self._ffmpeg, clip, self._composited, target)
        )

    def _slope(self, clips: list[Clip], command: Callable[[Clip, Path], list[str]]) -> float:
        target = self._folder / "out.flv"
        spent = []
        for clip in clips:
            spent.append((clip.total, cost.run(command(clip, target))))
            cost.check_frames([target], clip.total)
        return cost.slope_ms(*spent)


def measure(ffmpeg: str, source: Path, plan: Plan, say: Callable[[str], None]) -> dict[str, Any]:
    """Everything; the shape is that of ``--json``."""
    facts = machine.describe(ffmpeg)
    if float(facts["load_before"]) > machine.BUSY_LOAD:
        say(f"note: the machine is busy (load {facts['load_before']}): trust the ratios, not the milliseconds")
    with tempfile.TemporaryDirectory(prefix="edgeseg-bench-") as name:
        say("making the clips")
        cells = {
            (size, effect): Cell(ffmpeg, source, size, effect, plan, Path(name)) for size in SIZES for effect in EFFECTS
        }
        inference = floor.Inference()
        rows: dict[tuple[str, str], list[report.Row]] = {key: [] for key in cells}
        for number in range(plan.rounds):
            for key, cell in cells.items():
                row = report.Row(
                    cell.ours(), cell.usual(), cell.floor(), cell.composited_floor(), inference.measure(100)
                )
                rows[key].append(row)
                say(f"round {number + 1}/{plan.rounds}, {' '.join(key)}: {row}")
    return {
        "machine": facts,
        "clip": source.name,
        "frames": {"light": [n * plan.frames for n in plan.light], "heavy": [n * plan.frames for n in plan.heavy]},
        "rounds": plan.rounds,
        "results": report.nested({key: report.summary(values) for key, values in rows.items()}),
        "stages": report.nested({key: ours.breakdown(cell.scrapes) for key, cell in cells.items()}),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--quick", action="store_true", help="one short round: shows that it runs, and the ratios")
    parser.add_argument("--rounds", type=int, help=f"how often everything is measured (default {DEFAULT.rounds})")
    parser.add_argument("--save", action="store_true", help="put the tables into docs/performance.md")
    parser.add_argument("--clip", type=Path, default=cost.ROOT / "demo" / "clip.mp4", help="a clip with a person")
    args = parser.parse_args()
    plan = QUICK if args.quick else DEFAULT
    if args.rounds:
        plan = Plan(plan.frames, args.rounds, plan.light, plan.heavy)
    if not args.clip.is_file():
        parser.error(f"there is no {args.clip} (give another with --clip)")
    quieten()
    os.chdir(cost.ROOT)

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    try:
        results = measure(find_ffmpeg(), args.clip.resolve(), plan, say)
    except cost.MeasurementError as exc:
        print(f"bench: {exc}", file=sys.stderr)
        return 1
    print(json.dumps(results, indent=2) if args.json else report.tables(results))
    if args.save:
        report.save(results, cost.ROOT / "docs" / "performance.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
