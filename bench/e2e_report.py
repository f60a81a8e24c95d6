"""From the rows of ``e2e.py`` to medians, ratios and tables."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

from report import table


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
    """Medians and their ratios; and of each contestant its least round, with the names ending in "_least".

    Neighbours on the same machine only ever add to what something costs: where they come and go, the least rounds
    of all are nearer to one another than the medians are.
    """
    figures: dict[str, float] = {}
    for ending, take in (("", median), ("_least", min)):
        ours, usual = take([row.ours for row in rows]), take([row.usual for row in rows])
        floor = take([row.codec + row.infer for row in rows])
        strict = take([row.composited + row.infer for row in rows])
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
            "The least round of each:",
            "",
            *table(names, cells("_least")),
            *between,
            *table(["size", "effect", *columns], rows),
        ]
    )
