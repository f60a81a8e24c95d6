"""From figures to what is kept of them: tables in Markdown, JSON in ``bench/results``, both with the machine's name."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cost import ROOT
from machine import BUSY_LOAD

BUSY_NOTE = " The machine was busy with other work: only the ratios mean something, and those roughly."
PAGE = ROOT / "docs" / "performance.md"
FOLDER = ROOT / "bench" / "results"


def begin(name: str) -> str:
    """The mark in the page before the tables of ``bench/NAME.py``."""
    return f"<!-- bench/{name}.py --save: begin -->"


def end(name: str) -> str:
    """The mark behind them."""
    return f"<!-- bench/{name}.py --save: end -->"


def has_place(name: str, page: Path = PAGE) -> bool:
    """Whether the page has both marks, once."""
    words = page.read_text()
    return words.count(begin(name)) == words.count(end(name)) == 1


def about(results: dict[str, Any]) -> str:
    """On what and when, in a sentence."""
    facts = results["machine"]
    versions = ", ".join(f"{name} {facts[name]}" for name in ("python", "openvino", "opencv", "av", "ffmpeg"))
    note = BUSY_NOTE if float(facts["load_before"]) > BUSY_LOAD else ""
    return (
        f"{facts['cpu']}, {facts['cores']} cores; {versions}; {results['date']}, load before the run "
        f"{facts['load_before']}; clip {results['clip']}, rounds: {results['rounds']}.{note}"
    )


def table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table."""
    widths = [max(len(row[column]) for row in [names, *rows]) for column in range(len(names))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    return [line(names), line(["-" * width for width in widths]), *map(line, rows)]


def save(name: str, results: dict[str, Any], text: str, *, page: Path = PAGE, folder: Path = FOLDER) -> None:
    """Keep the JSON under the names of benchmark and processor; put ``text`` between the marks of ``page``."""
    processor = re.sub(r"\W+", "-", re.sub(r"\((r|tm)\)", "", results["machine"]["cpu"].lower())).strip("-")
    folder.mkdir(exist_ok=True)
    (folder / f"{name.partition('/')[0]}-{processor}.json").write_text(json.dumps(results, indent=2) + "\n")
    before, rest = page.read_text().split(begin(name))
    after = rest.split(end(name))[1]
    page.write_text(f"{before}{begin(name)}\n{text.rstrip()}\n\n{end(name)}{after}")
