"""The soak test's arithmetic: what grows is seen, what only moves is not."""

from __future__ import annotations

import math
from importlib import import_module
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
TIMES = [float(second) for second in range(120)]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Gives the scripts' modules by name, as they find one another when run."""
    monkeypatch.syspath_prepend(str(BENCH))
    return import_module


def test_a_straight_line_is_found_exactly(bench: Any) -> None:
    line = bench("trend").trend(TIMES, [100 + 0.5 * t for t in TIMES])
    assert line.slope == pytest.approx(0.5 * 3600)
    assert line.margin == pytest.approx(0, abs=1e-6)
    assert line.growth == pytest.approx(0.5 * 119)
    assert line.is_significant(10)
    assert not line.is_significant(60), "less than one thing more"


def test_what_only_swings_does_not_grow(bench: Any) -> None:
    """A sawtooth of any phase, as memory that is freed from time to time."""
    trend = bench("trend").trend
    for phase in range(20):
        assert not trend(TIMES, [100 + 30 * ((t + phase) % 17) / 17 for t in TIMES]).is_significant(1)


def test_growth_is_seen_under_a_swing(bench: Any) -> None:
    assert bench("trend").trend(TIMES, [100 + 0.5 * t + 5 * math.sin(t) for t in TIMES]).is_significant(10)


def test_what_shrinks_does_not_grow(bench: Any) -> None:
    assert not bench("trend").trend(TIMES, [100 - 0.5 * t for t in TIMES]).is_significant(0)


def test_too_few_samples_are_refused(bench: Any) -> None:
    with pytest.raises(ValueError, match="too few"):
        bench("trend").trend(TIMES[:10], TIMES[:10])


def test_the_plot_is_xml_with_one_line_for_each_quantity(bench: Any) -> None:
    values = [100 + math.sin(t) for t in TIMES]
    trend, plot = bench("trend").trend, bench("soak_plot")
    curves = [plot.Curve(name, values, trend(TIMES, values), False) for name in ("a < b", "c")]
    root = ET.fromstring(plot.svg("title & more", TIMES, curves))
    lines = root.findall("{http://www.w3.org/2000/svg}polyline")
    assert [len(line.get("points", "").split()) for line in lines] == [len(TIMES)] * 2
