"""What every benchmark that drives the daemon does around its measuring: options, the machine's facts, the results."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import machine
import report
from cost import ROOT, MeasurementError

from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.native import quieten


@dataclass(frozen=True, slots=True)
class Setting:
    """What a benchmark is asked for. ``folder`` is there for the run only."""

    ffmpeg: str
    clip: Path
    rounds: int
    quick: bool
    folder: Path

    def say(self, line: str) -> None:
        """Progress, for who waits."""
        print(line, file=sys.stderr, flush=True)


def main(
    name: str,
    doc: str | None,
    measure: Callable[[Setting], dict[str, Any]],
    text: Callable[[dict[str, Any]], str],
    *,
    rounds: int = 3,
) -> int:
    """Run ``bench/NAME.py``: ``measure``, then print JSON or ``text`` of it; gives the exit code.

    What ``measure`` gives is completed with the machine, the date, the clip and the rounds.
    """
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--quick", action="store_true", help="one short round: shows that it runs, and the ratios")
    parser.add_argument("--rounds", type=int, help=f"how often everything is measured (default {rounds})")
    parser.add_argument("--save", action="store_true", help="JSON into bench/results, tables into docs/performance.md")
    parser.add_argument("--clip", type=Path, default=ROOT / "demo" / "clip.mp4", help="a clip with a person")
    args = parser.parse_args()
    if not args.clip.is_file():
        parser.error(f"there is no {args.clip} (give another with --clip)")
    if args.save and not report.has_place(name):
        parser.error(f"{report.PAGE.name} has no place for the tables: {report.begin(name)} and its end")
    clip = args.clip.resolve()
    quieten()
    os.chdir(ROOT)
    ffmpeg = find_ffmpeg()
    facts = machine.describe(ffmpeg)
    if float(facts["load_before"]) > machine.BUSY_LOAD:
        print(f"note: the machine is busy (load {facts['load_before']}): trust the ratios only", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="edgeseg-bench-") as folder:
        setting = Setting(ffmpeg, clip, args.rounds or (1 if args.quick else rounds), args.quick, Path(folder))
        try:
            measured = measure(setting)
        except MeasurementError as exc:
            print(f"bench: {exc}", file=sys.stderr)
            return 1
    results = {
        "benchmark": name,
        "date": date.today().isoformat(),
        "machine": facts,
        "clip": clip.name,
        "rounds": setting.rounds,
        **measured,
    }
    words = "\n".join([report.about(results), "", text(results)])
    print(json.dumps(results, indent=2) if args.json else words)
    if args.save:
        report.save(name, results, words)
    return 0
