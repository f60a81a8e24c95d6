"""From the rows of a benchmark to JSON and tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from machine import BUSY_LOAD

BUSY_NOTE = " The machine was busy with other work: only the ratios mean something, and those roughly."
BEGIN, END = "<!-- bench/e2e.py --save: begin -->", "<!-- bench/e2e.py --save: end -->"


@dataclass(frozen=True, slots=True)
class Row:
    """One round of one cell, CPU ms/frame.

    ``codec`` is decoding and encoding the source, ``composited`` decoding the source and encoding the composited
    picture, ``infer`` the model alone.
    """

    ours: float
    usual: float
    codec: float
    composited: float
    infer: float

    def __str__(self) -> str:
        return (
            f"ours {self.ours:.1f}, usual {self.usual:.1f}, "
            f"floor {self.codec:.1f} (composited {self.composited:.1f}) + {self.infer:.1f} ms"
        )


def summary(rows: list[Row]) -> dict[str, float]:
    """Medians and their ratios."""
    ours, usual = median(row.ours for row in rows), median(row.usual for row in rows)
    least = median(row.codec + row.infer for row in rows)
    strict = median(row.composited + row.infer for row in rows)
    return {
        "ours": round(ours, 2),
        "usual": round(usual, 2),
        "floor": round(least, 2),
        "ratio_floor": round(ours / least, 3),
        "ratio_usual": round(ours / usual, 3),
        "floor_composited": round(strict, 2),
        "ratio_floor_composited": round(ours / strict, 3),
    }


def nested(cells: dict[tuple[str, str], dict[str, float]]) -> dict[str, dict[str, dict[str, float]]]:
    """``{size: {effect: figures}}``."""
    result: dict[str, dict[str, dict[str, float]]] = {}
    for (size, effect), figures in cells.items():
        result.setdefault(size, {})[effect] = {name: round(value, 3) for name, value in figures.items()}
    return result


def tables(results: dict[str, Any]) -> str:
    """The results as Markdown."""
    facts = results["machine"]
    versions = ", ".join(f"{name} {facts[name]}" for name in ("python", "openvino", "opencv", "av", "ffmpeg"))
    note = BUSY_NOTE if float(facts["load_before"]) > BUSY_LOAD else ""
    head = [
        f"{facts['cpu']}, {facts['cores']} cores; {versions}; load before the run {facts['load_before']}; "
        f"clip {results['clip']}, rounds: {results['rounds']}.{note}",
        "",
        "CPU ms/frame, all processes:",
        "",
    ]
    cells = [
        [size, effect, *(f"{figures[name]:.1f}" for name in ("ours", "usual", "floor", "floor_composited"))]
        + [f"{figures[name]:.2f}" for name in ("ratio_usual", "ratio_floor", "ratio_floor_composited")]
        for size, effects in results["results"].items()
        for effect, figures in effects.items()
    ]
    names = ["size", "effect", "ours", "usual loop", "floor", "strict floor"]
    names += ["ours / usual", "ours / floor", "ours / strict floor"]
    stages = results["stages"]
    columns = list(dict.fromkeys(name for effects in stages.values() for row in effects.values() for name in row))
    rows = [
        [size, effect, *(f"{row[name]:.2f}" if name in row else "" for name in columns)]
        for size, effects in stages.items()
        for effect, row in effects.items()
    ]
    between = [
        "",
        "Inside the daemon, from its own `/metrics`, ms/frame. The first two columns are CPU; the others are times on "
        "the clock, and `hand_over` is mostly waiting for the encoder when a file is played as fast as it goes:",
        "",
    ]
    return "\n".join([*head, *_table(names, cells), *between, *_table(["size", "effect", *columns], rows)])


def save(results: dict[str, Any], page: Path) -> None:
    """Put the tables between the two marks of ``page``."""
    text = page.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n{tables(results)}\n\n{END}{after}")


def _table(names: list[str], rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in [names, *rows]) for column in range(len(names))]

    def line(cells: list[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    return [line(names), line(["-" * width for width in widths]), *map(line, rows)]
