"""Draws measured quantities over time as an SVG, without a library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from trend import Trend

_WIDTH, _ROW, _LEFT, _TOP = 760, 110, 150, 40
_RIGHT, _GAP = 20, 30
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Curve:
    """One quantity: its name with the unit, its values, and the line through them; ``significant`` draws it red."""

    name: str
    values: Sequence[float]
    trend: Trend
    significant: bool


def svg(title: str, times_s: Sequence[float], curves: Sequence[Curve]) -> str:
    """The curves below one another over the same minutes."""
    height = _TOP + len(curves) * (_ROW + _GAP) + _GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{_LEFT}" y="22" font-size="14">{escape(title)}</text>',
    ]
    for number, curve in enumerate(curves):
        parts += _row(_TOP + number * (_ROW + _GAP), times_s, curve)
    minutes = (times_s[-1] - times_s[0]) / 60
    foot = height - 12
    parts.append(f'<text x="{_LEFT}" y="{foot}">0</text>')
    parts.append(f'<text x="{_WIDTH - _RIGHT}" y="{foot}" text-anchor="end">{minutes:.1f} minutes</text>')
    return "\n".join([*parts, "</svg>", ""])


def _row(top: int, times_s: Sequence[float], curve: Curve) -> list[str]:
    low, high = min(curve.values), max(curve.values)
    # A quantity that does not move is a line in the middle, not noise blown up.
    room = max(high - low, abs(high) * 0.05, 1e-9)
    low, high = (low + high - room) / 2, (low + high + room) / 2
    begin, length = times_s[0], max(times_s[-1] - times_s[0], 1e-9)

    def x(time_s: float) -> float:
        return _LEFT + (time_s - begin) / length * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return top + (high - value) / (high - low) * _ROW

    line = curve.trend
    colour = "#c0392b" if curve.significant else "#2c7a3f"
    ends = [line.mean + line.slope / _HOUR_S * (t - begin - length / 2) for t in (times_s[0], times_s[-1])]
    points = _corners([(f"{x(t):.1f}", f"{y(v):.1f}") for t, v in zip(times_s, curve.values, strict=True)])
    return [
        f'<rect x="{_LEFT}" y="{top}" width="{_WIDTH - _LEFT - _RIGHT}" height="{_ROW}" fill="none" stroke="#ccc"/>',
        f'<polyline points="{points}" fill="none" stroke="#4a6fa5" stroke-width="1"/>',
        f'<line x1="{x(times_s[0]):.1f}" y1="{y(ends[0]):.1f}" x2="{x(times_s[-1]):.1f}" y2="{y(ends[1]):.1f}" '
        f'stroke="{colour}" stroke-width="1.5"/>',
        f'<text x="10" y="{top + 30}" font-weight="bold">{escape(curve.name)}</text>',
        f'<text x="10" y="{top + 48}">{line.slope:+.3g} per hour</text>',
        f'<text x="10" y="{top + 64}">± {line.margin:.3g}</text>',
        f'<text x="{_LEFT - 6}" y="{top + 10}" text-anchor="end" fill="#666">{high:.4g}</text>',
        f'<text x="{_LEFT - 6}" y="{top + _ROW}" text-anchor="end" fill="#666">{low:.4g}</text>',
    ]


def _corners(points: Sequence[tuple[str, str]]) -> str:
    """The points of a line, without those in the middle of a level stretch."""
    kept = [
        point
        for number, point in enumerate(points)
        if number in (0, len(points) - 1) or not points[number - 1][1] == point[1] == points[number + 1][1]
    ]
    return " ".join(f"{x},{y}" for x, y in kept)
