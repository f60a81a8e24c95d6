"""CPU and memory of edgeseg beside what people use instead: vidgear, Model API, MediaPipe, plain ffmpeg.

The same clip, the same model, green behind the person, the same options of libx264; all take turns in every round, and
the medians are shown. Each figure is the difference of a long and a short run, and a run counts only if every picture
that went in came out. README.md beside this file says who does what.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cost
import likeness
import memory
import ours
import script
import usual_loop
from clips import SIZES, Clip, encoder_options, make_clip, render
from contestants import PEERS, Peer
from report import table

_FRAMES = 60
_OURS, _USUAL = "edgeseg", "usual loop"


@dataclass(frozen=True, slots=True)
class Plan:
    """Turns of the short and of the long run. The short one is longer than vidgear's queue: see the README."""

    sizes: tuple[str, ...]
    light: tuple[int, int]
    heavy: tuple[int, int]


DEFAULT = Plan(tuple(SIZES), light=(2, 10), heavy=(2, 4))
QUICK = Plan(("720p",), light=(2, 4), heavy=(2, 3))


class Cell:
    """One size: all who do the job, and what is known of them."""

    def __init__(self, setting: script.Setting, size: str, plan: Plan, peers: list[Peer]) -> None:
        self._setting, self._size = setting, size
        self._target = setting.folder / "out.flv"
        all_turns = {1, *plan.light, *plan.heavy}
        clips = {turns: make_clip(setting.ffmpeg, setting.clip, size, _FRAMES, turns) for turns in all_turns}
        self._once = clips[1]
        self._reference = setting.folder / f"{size}.yuv"
        render(clips[1], "replace", self._reference)
        light, heavy = ([clips[turns] for turns in runs] for runs in (plan.light, plan.heavy))
        self._jobs: dict[str, tuple[list[Clip], Callable[[Clip], float]]] = {_OURS: (light, self._ours)}
        for peer in peers:
            self._jobs[peer.name] = (heavy if peer.segments else light, partial(self._peer, peer))
        self._jobs[_USUAL] = (heavy, self._usual)
        self._cpu_ms: dict[str, list[float]] = {name: [] for name in self._jobs}

    def round(self) -> None:
        """Everybody once."""
        for name, (clips, run) in self._jobs.items():
            spent = cost.slope_ms(*((clip.total, run(clip)) for clip in clips))
            self._cpu_ms[name].append(spent)
            self._setting.say(f"{self._size}, {name}: {spent:.1f} ms/frame")

    def look(self) -> dict[str, dict[str, float]]:
        """Memory and masks of everybody, in a short run of its own, since looking costs CPU itself."""
        facts: dict[str, dict[str, float]] = {}
        for name, (_, run) in self._jobs.items():
            self._target.unlink(missing_ok=True)
            with memory.peak_of_children() as peak:
                run(self._once)
            pictures = self._reference if name == _OURS else self._target
            masks = likeness.masks(pictures, SIZES[self._size], _FRAMES)
            facts[name] = {"memory_mb": round(peak.pss / 2**20), **self._likeness(masks)}
        return facts

    def medians(self) -> dict[str, dict[str, float]]:
        middle = {name: median(values) for name, values in self._cpu_ms.items()}
        return {name: {"cpu_ms": round(ms, 2), "of_ours": round(ms / middle[_OURS], 2)} for name, ms in middle.items()}

    def _likeness(self, masks: list[likeness.Mask]) -> dict[str, float]:
        if not masks[0].mean() < 0.9:  # nothing was replaced
            return {}
        own = likeness.masks(self._reference, SIZES[self._size], _FRAMES)
        found = {"iou_ours": round(likeness.iou(masks, own), 3)}
        if self._setting.clip == likeness.DEMO:
            found["iou_truth"] = round(likeness.iou(masks, likeness.truth(SIZES[self._size], _FRAMES)), 3)
        return found

    def _ours(self, clip: Clip) -> float:
        return ours.run(self._setting.ffmpeg, clip, "replace", self._setting.folder).cpu_s

    def _usual(self, clip: Clip) -> float:
        return self._run(usual_loop.command(clip.path, self._size, "replace", self._setting.ffmpeg, self._target), clip)

    def _peer(self, peer: Peer, clip: Clip) -> float:
        options = encoder_options(self._setting.ffmpeg, self._size)
        return self._run(peer.command(clip.path, self._setting.ffmpeg, self._target, options), clip)

    def _run(self, command: list[str], clip: Clip) -> float:
        spent = cost.run(command)
        cost.check_frames([self._target], clip.total)
        return spent


def measure(setting: script.Setting) -> dict[str, Any]:
    """Everything; the shape is that of ``--json``."""
    plan = QUICK if setting.quick else DEFAULT
    peers = [peer for peer in PEERS if peer.is_installed()]
    for peer in set(PEERS) - set(peers):
        setting.say(f"{peer.name} is left out: there is no {peer.python} (make peers installs it)")
    setting.say("making the clips")
    cells = {size: Cell(setting, size, plan, peers) for size in plan.sizes}
    for number in range(setting.rounds):
        setting.say(f"round {number + 1}/{setting.rounds}")
        for size, cell in cells.items():
            # One round of the large pictures for three of the small ones: they take twice as long.
            if size == "720p" or number % 3 == 0:
                cell.round()
    first = next(iter(cells.values()))
    return {
        "versions": {peer.name: peer.version() for peer in peers if peer.package},
        "looks": {plan.sizes[0]: first.look()},
        "results": {size: cell.medians() for size, cell in cells.items()},
    }


def text(results: dict[str, Any]) -> str:
    """One table, the cheapest first."""
    sizes = list(results["results"])
    first = results["results"][sizes[0]]
    looks = results["looks"][sizes[0]]
    rows = []
    for name in sorted(first, key=lambda name: float(first[name]["cpu_ms"])):
        cpu = [f"{results['results'][size][name][key]:{style}}" for size in sizes for key, style in _COLUMNS]
        seen = looks[name]
        shown = f"**{name}**" if name == _OURS else name
        alike = [f"{seen[key]:.3f}" if key in seen else "" for key in _LIKENESSES]
        rows.append([shown, results["versions"].get(name, ""), *cpu, f"{seen['memory_mb']:.0f}", *alike])
    heads = [head for size in sizes for head in (f"{size}, CPU ms/frame", "of edgeseg's")]
    names = ["", "version", *heads, "memory, MB", "IoU with edgeseg's masks", "IoU with the truth"]
    return "\n".join(table(names, rows))


_COLUMNS = (("cpu_ms", ".1f"), ("of_ours", ".2f"))
_LIKENESSES = ("iou_ours", "iou_truth")


if __name__ == "__main__":
    sys.exit(script.main("peers/run", __doc__, measure, text))
