"""CPU of the whole way of a frame: the daemon, the loop that people write, and the floor.

Milliseconds of user and system time of all processes for each frame. Every figure is the difference of a long and a
short run, so that starting up counts for nobody; the three take turns, and the medians of all rounds are shown.
docs/performance.md says what each includes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cost
import floor
import ours
import script
import usual_loop
from clips import EFFECTS, SIZES, Clip, make_clip, render
from e2e_report import Pair, Row, nested, summary, text


@dataclass(frozen=True, slots=True)
class Plan:
    """``frames`` is one turn of the clip; the others say how many turns the short and the long run have."""

    frames: int
    light: tuple[int, int]  # ours and the floor
    heavy: tuple[int, int]  # the usual loop: many times as long a frame, so fewer are as exact


DEFAULT = Plan(frames=60, light=(2, 10), heavy=(1, 3))
QUICK = Plan(frames=20, light=(1, 7), heavy=(1, 2))


class Cell:
    """One size and effect: what it takes to measure it."""

    def __init__(self, setting: script.Setting, size: str, effect: str, plan: Plan) -> None:
        self._ffmpeg, self._size, self._effect, self._folder = setting.ffmpeg, size, effect, setting.folder
        turns = {*plan.light, *plan.heavy, 1}
        clips = {count: make_clip(setting.ffmpeg, setting.clip, size, plan.frames, count) for count in turns}
        self._light = [clips[count] for count in plan.light]
        self._heavy = [clips[count] for count in plan.heavy]
        self._composited = self._folder / f"{size}-{effect}.yuv"
        render(clips[1], effect, self._composited)
        self.scrapes: list[ours.Scrape] = []

    def ours(self) -> Pair:
        runs = [(clip.total, ours.run(self._ffmpeg, clip, self._effect, self._folder)) for clip in self._light]
        self.scrapes = runs[-1][1].scrapes
        return Pair(*((frames, run.cpu_s) for frames, run in runs))

    def usual(self) -> Pair:
        return self._pair(
            self._heavy,
            lambda clip, target: usual_loop.command(clip.path, self._size, self._effect, self._ffmpeg, target),
        )

    def floor(self) -> Pair:
        """Decoding and encoding; the inference is measured apart."""
        return self._pair(self._light, lambda clip, target: floor.command(self._ffmpeg, clip, target))

    def composited_floor(self) -> Pair:
        """The same, where the encoder is given the composited picture."""
        return self._pair(
            self._light, lambda clip, target: floor.composited_command(self._ffmpeg, clip, self._composited, target)
        )

    def _pair(self, clips: list[Clip], command: Callable[[Clip, Path], list[str]]) -> Pair:
        target = self._folder / "out.flv"
        spent = []
        for clip in clips:
            spent.append((clip.total, cost.run(command(clip, target))))
            cost.check_frames([target], clip.total)
        return Pair(*spent)


def measure(setting: script.Setting) -> dict[str, Any]:
    """Everything; the shape is that of ``--json``."""
    plan = QUICK if setting.quick else DEFAULT
    setting.say("making the clips")
    cells = {(size, effect): Cell(setting, size, effect, plan) for size in SIZES for effect in EFFECTS}
    inference = floor.Inference()
    rows: dict[tuple[str, str], list[Row]] = {key: [] for key in cells}
    for number in range(setting.rounds):
        for key, cell in cells.items():
            row = Row(cell.ours(), cell.usual(), cell.floor(), cell.composited_floor(), inference.measure(100))
            rows[key].append(row)
            setting.say(f"round {number + 1}/{setting.rounds}, {' '.join(key)}: {row}")

    def of_size(size: str) -> list[Row]:
        return [row for key, values in rows.items() if key[0] == size for row in values]

    return {
        "frames": {"light": [n * plan.frames for n in plan.light], "heavy": [n * plan.frames for n in plan.heavy]},
        "results": nested({key: summary(values, of_size(key[0])) for key, values in rows.items()}),
        "stages": nested({key: ours.breakdown(cell.scrapes) for key, cell in cells.items()}),
    }


if __name__ == "__main__":
    sys.exit(script.main("e2e", __doc__, measure, text))
