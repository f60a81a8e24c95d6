"""The chart: where a picture's milliseconds go, and how many streams hold."""

from __future__ import annotations

from pathlib import Path

import cv2

from edgeseg.benchmark.drawing import BLACK, GREY, Page, Rect, Words, fits
from edgeseg.benchmark.figures import FLOOR, STAGES, Capacity, Costs
from edgeseg.benchmark.job import Result
from edgeseg.errors import UsageError

SUFFIXES = (".svg", ".png")
COLOURS = {
    "decode": "#4a6fa5",
    "infer": "#2c7a3f",
    "encode": "#8a6fa5",
    "sample": "#e8b04a",
    "mask": "#f2d38b",
    "composite": "#d9773c",
    "rest": "#9a9a9a",
}
_CARRIED, _TOO_MANY = "#2c7a3f", "#d8a39d"
_WIDTH, _LEFT, _RIGHT, _BAR, _ROW = 760, 150, 70, 18, 26
_LEGEND = 88


def check_target(file: Path) -> None:
    """Whether a chart can be written there, before anything is measured.

    Raises:
        UsageError: it is no SVG or PNG, or its folder is not there.
    """
    if file.suffix.lower() not in SUFFIXES:
        raise UsageError(f"--chart: {file} is neither an .svg nor a .png")
    if not file.parent.is_dir():
        raise UsageError(f"--chart: there is no folder {file.parent}")
    if file.is_dir():
        raise UsageError(f"--chart: {file} is a folder")


def write(file: Path, result: Result) -> None:
    """Draw ``result`` into ``file``, as its name says.

    Raises:
        UsageError: it cannot be written.
    """
    page = draw(result)
    try:
        if file.suffix.lower() == ".svg":
            file.write_text(page.svg(), encoding="utf-8")
        else:
            file.write_bytes(cv2.imencode(".png", page.picture())[1].tobytes())
    except OSError as exc:
        raise UsageError(f"--chart: cannot write {file}: {(exc.strerror or str(exc)).lower()}") from exc


def draw(result: Result) -> Page:
    """The page with both parts."""
    page = Page(_WIDTH, 0)
    words = fits(f"{result.processor or 'this machine'}, {result.cores:g} cores", 90)
    page.shapes.append(Words(_LEFT, 40, words, colour=GREY))
    y = _stages(page, result, 22)
    page.height = _capacities(page, result, y + 18) + 8
    return page


def _stages(page: Page, result: Result, y: int) -> int:
    page.shapes.append(Words(_LEFT, y, "CPU of a picture by stage, ms", size=14, bold=True))
    y += 42
    for number, (name, colour) in enumerate(COLOURS.items()):
        at = _LEFT + number * _LEGEND
        page.shapes += [Rect(at, y - 10, 12, 12, colour), Words(at + 17, y, name)]
    y += 14
    bars = []
    for stream in result.streams:
        bars.append((stream.played.name, _parts(stream.costs), stream.costs.whole))
        bars.append(("floor", [(name, stream.costs.stages[name]) for name in FLOOR], stream.costs.floor))
    scale = (_WIDTH - _LEFT - _RIGHT) / max(sum(value for _, value in parts) for _, parts, _ in bars)
    for name, parts, total in bars:
        x, is_floor = float(_LEFT), name == "floor"
        page.shapes.append(Words(_LEFT - 8, y + 13, fits(name, 20), "end", GREY if is_floor else BLACK))
        for stage, value in parts:
            page.shapes.append(Rect(x, y, value * scale, _BAR, COLOURS[stage]))
            x += value * scale
        page.shapes.append(Words(x + 6, y + 13, f"{total:.1f}"))
        y += _ROW + 6 if is_floor else _ROW - 4
    return y


def _parts(costs: Costs) -> list[tuple[str, float]]:
    order = [*FLOOR, *(name for name in STAGES if name not in FLOOR)]
    return [*((name, costs.stages[name]) for name in order), ("rest", max(0.0, costs.rest))]


def _capacities(page: Page, result: Result, y: int) -> int:
    page.shapes.append(Words(_LEFT, y + 14, "streams that hold, recorded", size=14, bold=True))
    y += 28
    counts = [trial.count for capacity in result.capacities for trial in capacity.trials]
    scale = (_WIDTH - _LEFT - 3 * _RIGHT) / max([1, *counts])
    for capacity in result.capacities:
        carried = capacity.carried.count if capacity.carried else 0
        page.shapes.append(Words(_LEFT - 8, y + 13, rate_name(capacity, result), "end"))
        if capacity.too_many is not None:
            page.shapes.append(Rect(_LEFT, y, capacity.too_many.count * scale, _BAR, _TOO_MANY))
        page.shapes.append(Rect(_LEFT, y, carried * scale, _BAR, _CARRIED))
        end = max(carried, capacity.too_many.count if capacity.too_many else 0)
        page.shapes.append(Words(_LEFT + end * scale + 6, y + 13, _verdict(capacity, carried)))
        y += _ROW
    return y


def rate_name(capacity: Capacity, result: Result) -> str:
    """The rate of a search, in words."""
    own = sorted({stream.costs.fps for stream in result.streams})
    if capacity.fps is not None:
        return f"at {capacity.fps:g} fps"
    return f"at {own[0]:.4g} fps" if own[-1] - own[0] < 0.01 else "at their own rates"


def _verdict(capacity: Capacity, carried: int) -> str:
    if capacity.too_many is None:
        return f"{carried} or more"
    return f"{carried}; with {capacity.too_many.count}: {capacity.too_many.share:.0%} of the rate"
