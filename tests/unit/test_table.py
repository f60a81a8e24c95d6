"""Columns are aligned, and no line ends in spaces."""

from __future__ import annotations

import pytest

from edgeseg.table import columns, table


def test_words_are_flush_left() -> None:
    assert columns([("a", "bcd", ""), ("efgh", "i", "j")]) == ["a     bcd", "efgh  i    j"]


def test_numbers_are_flush_right_below_their_names() -> None:
    assert table(["model", "ms"], [["x", "1.25"], ["longer", "10.5"]]) == "model     ms\nx       1.25\nlonger  10.5\n"


def test_nothing_is_no_line() -> None:
    assert columns([]) == []


def test_a_row_that_is_too_short_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="argument"):
        columns([("a", "b"), ("c",)])
