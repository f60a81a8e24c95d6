"""Aligned columns for people to read."""

from __future__ import annotations

from collections.abc import Sequence


def columns(rows: Sequence[Sequence[str]], left: int | None = None) -> list[str]:
    """A line for each row, its cells two spaces apart: the first ``left`` columns (default: all) flush left, the others
    flush right. All rows have the same number of cells.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    flush_left = len(widths) if left is None else left
    lines = (
        "  ".join(
            cell.ljust(width) if index < flush_left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return [line.rstrip() for line in lines]


def table(names: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """The same as a text, with the names of the columns above."""
    return "\n".join(columns([names, *rows], left)) + "\n"
