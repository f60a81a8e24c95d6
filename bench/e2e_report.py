"""From the rows of ``e2e.py`` to medians, ratios and tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import cost
from report import table


@dataclass(frozen=True, slots=True)
class Pair:
    """A short and a long run of one contestant: (frames, CPU seconds) of each."""

    short: tuple[int, float]
    long: tuple[int, float]

    @property
    def ms(self) -> float:
        """What a frame costs."""
        return cost.slope_ms(self.short, self.long)


@dataclass(frozen=True, slots=True)
class Row:
    """One round of one cell.

    ``codec`` is decoding and encoding the source, ``composited`` decoding the source and encoding the composited
    picture, ``infer`` the model alone, in CPU ms/frame.
    """

    ours: Pair
    usual: Pair
    codec: Pair
    composited: Pair
    infer: float

    def __str__(self) -> str:
        return (
            f"ours {self.ours.ms:.1f}, usual {self.usual.ms:.1f}, "
            f"floor {self.codec.ms:.1f} (composited {self.composited.ms:.1f}) + {self.infer:.1f} ms"
        )


def summary(rows: list[Row], of_size: list[Row]) -> dict[str, float]:
    """Medians and their ratios; and of each contestant its least runs, with the names ending in "_least".

    Neighbours on the same machine only ever add to what something costs: where they come and go, the least runs
    of all are nearer to one another than the medians are. Short and long runs are taken apart, because the least
    difference of two would be the one whose short run was held up most. The floor knows of no effect: it is of all rows
    ``of_size``.
    """
    figures: dict[str, float] = {}
    for ending, take in (("", median), ("_least", min)):
        infer = take([row.infer for row in of_size])
        ours, usual = _of([row.ours for row in rows], take), _of([row.usual for row in rows], take)
        floor = _of([row.codec for row in of_size], take) + infer
        strict = _of([row.composited for row in rows], take) + infer
        figures |= {
            f"ours{ending}": round(ours, 2),
            f"usual{ending}": round(usual, 2),
            f"floor{ending}": round(floor, 2),
            f"ratio_floor{ending}": round(ours / floor, 3),
            f"ratio_usual{ending}": round(ours / usual, 3),
            f"floor_composited{ending}": round(strict, 2),
            f"ratio_floor_composited{ending}": round(ours / strict, 3),
        }
    return figures


def _of(pairs: list[Pair], take: Callable[[list[float]], float]) -> float:
    """CPU ms/frame from the short and the long runs, one of each."""
    short, long = (
        (runs[0][0], take([spent for _, spent in runs]))
        for runs in ([pair.short for pair in pairs], [pair.long for pair in pairs])
    )
    return cost.slope_ms(short, long)


def nested(cells: dict[tuple[str, str], dict[str, float]]) -> dict[str, dict[str, dict[str, float]]]:
    """``{size: {effect: figures}}``."""
    result: dict[str, dict[str, dict[str, float]]] = {}
    for (size, effect), figures in cells.items():
        result.setdefault(size, {})[effect] = {name: round(value, 3) for name, value in figures.items()}
    return result


def text(results: dict[str, Any]) -> str:
    """The tables."""

    def cells(ending: str) -> list[list[str]]:
        return [
            [size, effect, *(f"{row[name + ending]:.1f}" for name in ("ours", "usual", "floor", "floor_composited"))]
            + [f"{row[name + ending]:.2f}" for name in ("ratio_usual", "ratio_floor", "ratio_floor_composited")]
            for size, effects in results["results"].items()
            for effect, row in effects.items()
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
    return "\n".join(
        [
            "CPU ms/frame, all processes, medians of the rounds:",
            "",
            *table(names, cells("")),
            "",
            "The least runs of each:",
            "",
            *table(names, cells("_least")),
            *between,
            *table(["size", "effect", *columns], rows),
        ]
    )
