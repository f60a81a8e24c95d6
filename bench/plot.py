"""Bars, lines and histograms as SVG, without a library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _LEFT, _RIGHT, _TOP = 760, 120, 24, 44
_BAR, _LEGEND_COLUMN = 18, 210
_HEIGHT = 320
_GREY = "#666"


@dataclass(frozen=True, slots=True)
class Bar:
    """A name and what is stacked in it, from the left: (colour, value)."""

    name: str
    parts: Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Line:
    """A name and points (x, y), x growing; figures stand above them, or ``below``."""

    name: str
    colour: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False
    below: bool = False


def stacked(title: str, unit: str, bars: Sequence[Bar], legend: Sequence[tuple[str, str]]) -> str:
    """Bars below one another; a total stands behind each."""
    columns = (_WIDTH - _LEFT) // _LEGEND_COLUMN
    top = _TOP + math.ceil(len(legend) / columns) * 18 + 10
    rows = [
        top + number * (_BAR + 6) + 8 * sum(1 for bar in bars[: number + 1] if _is_head(bar))
        for number in range(len(bars))
    ]
    height = rows[-1] + _BAR + 40
    most = max(sum(value for _, value in bar.parts) for bar in bars)
    scale = (_WIDTH - _LEFT - _RIGHT - 40) / most
    parts = []
    for number, (colour, name) in enumerate(legend):
        x, y = _LEFT + number % columns * _LEGEND_COLUMN, _TOP + number // columns * 18
        parts += [f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{colour}"/>', _text(x + 18, y, name)]
    for y, bar in zip(rows, bars, strict=True):
        parts.append(_text(_LEFT - 8, y + 13, bar.name, anchor="end", fill="black" if _is_head(bar) else _GREY))
        x = float(_LEFT)
        for colour, value in bar.parts:
            parts.append(f'<rect x="{x:.1f}" y="{y}" width="{value * scale:.1f}" height="{_BAR}" fill="{colour}"/>')
            x += value * scale
        parts.append(_text(x + 6, y + 13, f"{sum(value for _, value in bar.parts):.1f}"))
    parts.append(_text(_LEFT, height - 12, unit, fill=_GREY))
    return _page(title, height, parts)


def lines(title: str, x_unit: str, y_unit: str, drawn: Sequence[Line]) -> str:
    """Lines over the same two axes, which begin at 0."""
    xs = [x for line in drawn for x, _ in line.points]
    top = _round_up(max(y for line in drawn for _, y in line.points))
    right = max(xs)

    def place(x: float, y: float) -> tuple[float, float]:
        return _LEFT + x / right * (_WIDTH - _LEFT - _RIGHT - 20), _HEIGHT - 50 - y / top * (_HEIGHT - 50 - _TOP)

    parts = _frame(top, y_unit, place(0, 0), place(right, top))
    for x in sorted(set(xs)):
        parts.append(_text(place(x, 0)[0], _HEIGHT - 32, f"{x:.3g}", anchor="middle"))
    parts.append(_text(_WIDTH - _RIGHT, _HEIGHT - 12, x_unit, anchor="end", fill=_GREY))
    for number, line in enumerate(drawn):
        at = [place(*point) for point in line.points]
        dash = ' stroke-dasharray="6 4"' if line.dashed else ""
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        parts.append(f'<polyline points="{corners}" fill="none" stroke="{line.colour}" stroke-width="2"{dash}/>')
        if not line.dashed:
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{line.colour}"/>' for x, y in at]
            parts += [
                _text(x, y + (18 if line.below else -9), f"{value:.3g}", anchor="middle")
                for (x, y), (_, value) in zip(at, line.points, strict=True)
            ]
        x = _LEFT + number * 220
        parts += [
            f'<line x1="{x}" y1="{_HEIGHT - 16}" x2="{x + 20}" y2="{_HEIGHT - 16}" stroke="{line.colour}" '
            f'stroke-width="2"{dash}/>',
            _text(x + 26, _HEIGHT - 12, line.name),
        ]
    return _page(title, _HEIGHT, parts)


def histogram(title: str, unit: str, counts: Sequence[int], step: float, marks: Sequence[tuple[str, float]]) -> str:
    """``counts`` of steps from 0 on; each of ``marks`` is a word and where it stands."""
    top, right = max(counts), len(counts) * step

    def place(x: float, y: float) -> tuple[float, float]:
        return _LEFT + x / right * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - 40 - y / top * (_HEIGHT - 60 - _TOP)

    parts = _frame(top, "pictures", place(0, 0), place(right, top))
    for number, count in enumerate(counts):
        (x, y), (end, floor) = place(number * step, count), place((number + 1) * step, 0)
        size = f'width="{max(0.5, end - x - 1):.1f}" height="{floor - y:.1f}"'
        parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" {size} fill="#4a6fa5"/>')
    for word, value in marks:
        x = place(value, 0)[0]
        parts.append(f'<line x1="{x:.1f}" y1="{_TOP + 4}" x2="{x:.1f}" y2="{_HEIGHT - 40}" stroke="#c0392b"/>')
        parts.append(_text(x + 4, _TOP + 12, word, fill="#c0392b"))
    for tick in range(0, math.ceil(right) + 1, max(10, round(right / 80) * 10)):
        parts.append(_text(place(tick, 0)[0], _HEIGHT - 22, str(tick), anchor="middle"))
    parts.append(_text(_WIDTH - _RIGHT, _HEIGHT - 6, unit, anchor="end", fill=_GREY))
    return _page(title, _HEIGHT, parts)


def _is_head(bar: Bar) -> bool:
    return bar.name[:1].isdigit()


def _frame(top: float, unit: str, low: tuple[float, float], high: tuple[float, float]) -> list[str]:
    """The axes, and what the vertical one says."""
    parts = [
        f'<path d="M{low[0]:.1f} {high[1]:.1f} V{low[1]:.1f} H{high[0]:.1f}" fill="none" stroke="#999"/>',
        _text(_LEFT - 8, high[1] - 14, unit, anchor="end", fill=_GREY),
    ]
    for share in (0.0, 0.5, 1.0):
        y = low[1] + share * (high[1] - low[1])
        parts.append(_text(_LEFT - 8, y + 4, f"{top * share:.4g}", anchor="end"))
        if share:
            parts.append(f'<path d="M{low[0]:.1f} {y:.1f} H{high[0]:.1f}" stroke="#eee"/>')
    return parts


def _round_up(value: float) -> float:
    """To two digits, so that the axis ends at a plain number."""
    unit = 10.0 ** math.floor(math.log10(value))
    return float(math.ceil(value * 1.1 / unit * 2) / 2 * unit)


def _text(x: float, y: float, words: str, *, anchor: str = "start", fill: str = "black") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}">{escape(words)}</text>'


def _page(title: str, height: float, parts: Sequence[str]) -> str:
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{height:.0f}" fill="white"/>',
        f'<text x="{_LEFT}" y="22" font-size="14" font-weight="bold">{escape(title)}</text>',
    ]
    return "\n".join([*head, *parts, "</svg>", ""])
