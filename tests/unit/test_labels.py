"""The tables of classes: complete, in order, and with colours that differ."""

from __future__ import annotations

import pytest

from edgeseg.labels.table import bit_colors, by_count


@pytest.mark.parametrize(
    ("count", "title", "person"), [(21, "Pascal VOC", 15), (19, "Cityscapes", 11), (151, "ADE20K", 13)]
)
def test_a_table_is_whole(count: int, title: str, person: int) -> None:
    table = by_count(count)
    assert table is not None
    assert table.title == title
    assert len(table.names) == len(table.colors) == count
    assert len(set(table.names)) == len(set(table.colors)) == count
    assert table.number("person") == person


def test_ade20k_without_its_first_class() -> None:
    whole, short = by_count(151), by_count(150)
    assert whole is not None
    assert short is not None
    assert short.names == whole.names[1:]
    assert short.colors == whole.colors[1:]


def test_nobody_knows_other_numbers_of_classes() -> None:
    assert by_count(7) is None


def test_the_rule_of_pascal_voc() -> None:
    """As in its development kit: aeroplane, person, tvmonitor, and the border at 255."""
    colors = bit_colors(256)
    assert [colors[number] for number in (0, 1, 15, 20, 255)] == [
        (0, 0, 0),
        (128, 0, 0),
        (192, 128, 128),
        (0, 64, 128),
        (224, 224, 192),
    ]
