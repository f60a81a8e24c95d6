"""Draws ``docs/images`` from what ``--save`` of the other benchmarks has put into ``bench/results``.

``python bench/charts.py``; with several machines in the folder, ``--machine NAME`` takes the files that end in NAME.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import plot
from cost import ROOT
from plot import Bar, Line
from report import FOLDER

IMAGES = ROOT / "docs" / "images"
# What the steps of stages.py are drawn as, from the left: name, colour, steps.
PARTS = (
    ("decode", "#4a6fa5", ("decode",)),
    ("inference", "#2c7a3f", ("infer",)),
    ("encode", "#8a6fa5", ("encode",)),
    ("sample", "#e8b04a", ("sample",)),
    ("mask", "#f2d38b", ("mask",)),
    ("composite", "#d9773c", ("composite",)),
    ("hand-over", "#c0392b", ("hand-over, writing", "hand-over, reading")),
    ("hub and between", "#e59a92", ("hub", "read, rest", "work, rest")),
    ("outputs", "#8c8c8c", ("publish", "record", "publisher", "recorder", "other threads")),
)
FLOOR = (("decode alone", "#4a6fa5"), ("infer alone", "#2c7a3f"), ("encode alone", "#8a6fa5"))
_USUAL = "#bdbdbd"


def cpu_by_stage(stages: dict[str, Any], e2e: dict[str, Any] | None) -> str:
    """A stacked bar for each size and effect, beside the floor, and the usual loop where that was measured."""
    bars = []
    for size, effects in stages["results"].items():
        for effect, cell in effects.items():
            shares = [(colour, max(0.0, sum(cell[step] for step in steps))) for _, colour, steps in PARTS]
            bars.append(Bar(f"{size} {effect}", shares))
            bars.append(Bar("floor", [(colour, cell[name]) for name, colour in FLOOR]))
            usual = (e2e or {"results": {}})["results"].get(size, {}).get(effect)
            if usual is not None:
                bars.append(Bar("usual loop", [(_USUAL, usual["usual"])]))
    legend = [(colour, name) for name, colour, _ in PARTS]
    return plot.stacked("CPU of a picture by step, all processes", "ms", bars, legend)


def cost_by_streams(streams: dict[str, Any]) -> str:
    rows = {int(count): row for count, row in streams["streams"].items()}
    cpu = [(float(count), row["cpu_ms"]) for count, row in rows.items()]
    level = [(float(count), rows[1]["cpu_ms"]) for count in rows]
    lines = [Line("measured", "#4a6fa5", cpu), Line("in proportion", "#bdbdbd", level, dashed=True)]
    return plot.lines("CPU of a picture by streams of 360p", "streams", "ms", lines)


def cost_by_pixels(streams: dict[str, Any]) -> str:
    rows = sorted(streams["pixels"].values(), key=lambda row: row["pixels"])
    cpu = [(row["pixels"] / 1e6, row["cpu_ms"]) for row in rows]
    return plot.lines("CPU of a picture by its size", "million pixels", "ms", [Line("measured", "#4a6fa5", cpu)])


def memory_by_streams(streams: dict[str, Any]) -> str:
    rows = {int(count): row for count, row in streams["streams"].items()}
    daemon = [(float(count), row["daemon_rss"]) for count, row in rows.items()]
    everything = [(float(count), row["all_pss"]) for count, row in rows.items()]
    lines = [Line("daemon", "#4a6fa5", daemon, below=True), Line("with children (PSS)", "#d9773c", everything)]
    return plot.lines("Memory by streams of 360p", "streams", "MB", lines)


def latency(results: dict[str, Any]) -> str:
    """How the delays of the first cell are distributed."""
    row = results["results"][0]
    name = f"{row['size']} {row['effect']}, {row['pictures']} pictures"
    whole = row["parts"]["sent to out"]
    marks = [(f"{share} {whole[share]:.0f} ms", whole[share]) for share in ("p50", "p99")]
    return plot.histogram(
        f"From the camera to the hub: {name}", "ms", row["histogram"], float(results["bucket_ms"]), marks
    )


def charts(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    """SVGs by file name, as far as their results are there."""
    made: dict[str, str] = {}
    if "stages" in found:
        made["cpu-by-stage.svg"] = cpu_by_stage(found["stages"], found.get("e2e"))
    if "streams" in found:
        made["cost-by-streams.svg"] = cost_by_streams(found["streams"])
        made["cost-by-pixels.svg"] = cost_by_pixels(found["streams"])
        made["memory-by-streams.svg"] = memory_by_streams(found["streams"])
    if "latency" in found:
        made["latency.svg"] = latency(found["latency"])
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--machine", default="", help="draw the results whose files end in this")
    parser.add_argument("--results", type=Path, default=FOLDER, help="the folder with the results")
    parser.add_argument("--images", type=Path, default=IMAGES, help="where to put the charts")
    args = parser.parse_args()
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(args.results.glob(f"*{args.machine}.json")):
        results = json.loads(file.read_text())
        name = results["benchmark"]
        if name in found:
            parser.error(f"there are results of {name} on several machines: say which with --machine")
        found[name] = results
    for name, svg in charts(found).items():
        (args.images / name).write_text(svg)
        print(args.images / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
