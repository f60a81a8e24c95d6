"""The same as ``e2e.py``, of the daemon and the floor, at the rate of a camera.

A clip that is played as fast as it goes keeps every core busy, as no box is that keeps up with its cameras. Here both
are given 30 pictures a second, and rest between them.
"""

from __future__ import annotations

import sys
from statistics import median
from typing import Any

import cost
import floor
import ours
import script
from clips import EFFECTS, FPS, SIZES, Clip, make_clip
from report import table

FRAMES = 60  # of one turn of the clip
TURNS = (2, 12)
QUICK_TURNS = (1, 5)
_INFERENCES = 150


def _ours(setting: script.Setting, clips: list[Clip], effect: str) -> float:
    spent = [
        (clip.total, ours.run(setting.ffmpeg, clip, effect, setting.folder, realtime=True).cpu_s) for clip in clips
    ]
    return cost.slope_ms(*spent)


def _codec(setting: script.Setting, clips: list[Clip]) -> float:
    """Decoding and encoding."""
    target = setting.folder / "out.flv"
    spent = []
    for clip in clips:
        spent.append((clip.total, cost.run(floor.command(setting.ffmpeg, clip, target, realtime=True))))
        cost.check_frames([target], clip.total)
    return cost.slope_ms(*spent)


def measure(setting: script.Setting) -> dict[str, Any]:
    """CPU ms/frame; the floor of a size is measured once a round."""
    turns = QUICK_TURNS if setting.quick else TURNS
    sizes = ["720p"] if setting.quick else list(SIZES)
    clips = {size: [make_clip(setting.ffmpeg, setting.clip, size, FRAMES, n) for n in turns] for size in sizes}
    inference = floor.Inference()
    daemon: dict[tuple[str, str], list[float]] = {(size, effect): [] for size in sizes for effect in EFFECTS}
    floors: dict[str, list[float]] = {size: [] for size in sizes}
    for number in range(setting.rounds):
        for size in sizes:
            codec = _codec(setting, clips[size])
            infer = inference.measure(_INFERENCES, every_s=float(1 / FPS))
            floors[size].append(codec + infer)
            for effect in EFFECTS:
                daemon[size, effect].append(_ours(setting, clips[size], effect))
            said = ", ".join(f"{effect} {daemon[size, effect][-1]:.1f}" for effect in EFFECTS)
            setting.say(f"round {number + 1}/{setting.rounds}, {size}: {said}, floor {codec:.1f} + {infer:.1f} ms")
    rows: list[dict[str, Any]] = []
    for (size, effect), values in daemon.items():
        ours_ms, floor_ms = median(values), median(floors[size])
        row = {"ours": ours_ms, "floor": floor_ms, "ratio_floor": ours_ms / floor_ms, "core": ours_ms * FPS / 1000}
        rows.append({"size": size, "effect": effect, **{name: round(float(value), 3) for name, value in row.items()}})
    return {"results": rows}


def text(results: dict[str, Any]) -> str:
    """One table."""
    rows = [
        [
            *(row["size"], row["effect"], f"{row['ours']:.1f}", f"{row['floor']:.1f}"),
            *(f"{row['ratio_floor']:.2f}", f"{row['core']:.0%}"),
        ]
        for row in results["results"]
    ]
    names = ["size", "effect", "ours", "floor", "ours / floor", "of a core, ours"]
    head = "CPU ms/frame, all processes, at 30 pictures a second, medians of the rounds:"
    return "\n".join([head, "", *table(names, rows)])


if __name__ == "__main__":
    sys.exit(script.main("paced", __doc__, measure, text))
