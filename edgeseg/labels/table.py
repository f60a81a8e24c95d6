"""Which list of classes a model with so many classes was most likely trained on."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

Color = tuple[int, int, int]
_BY_COUNT = {21: "pascal_voc", 19: "cityscapes", 151: "ade20k", 150: "ade20k"}


@dataclass(frozen=True, slots=True)
class LabelTable:
    """Names and R'G'B' 0..255 colours of classes, by number. ``title`` is the name of the data set."""

    title: str
    names: tuple[str, ...]
    colors: tuple[Color, ...]

    def number(self, name: str) -> int:
        """The number of the class ``name``.

        Raises:
            ValueError: there is none of that name.
        """
        return self.names.index(name)


def by_count(count: int) -> LabelTable | None:
    """The table with ``count`` classes, or None. ADE20K comes with 151 classes, and with 150 where "other" was left
    out.
    """
    module = _BY_COUNT.get(count)
    if module is None:
        return None
    table: LabelTable = import_module(f"edgeseg.labels.{module}").TABLE
    left_out = len(table.names) - count
    return LabelTable(table.title, table.names[left_out:], table.colors[left_out:])


def bit_colors(count: int) -> tuple[Color, ...]:
    """The colours that Pascal VOC gives to numbers: the bits of the number, three at a time, become the highest bits of
    red, green and blue.
    """
    return tuple(_bit_color(number) for number in range(count))


def _bit_color(number: int) -> Color:
    red = green = blue = 0
    for bit in range(7, -1, -1):
        red |= (number & 1) << bit
        green |= (number >> 1 & 1) << bit
        blue |= (number >> 2 & 1) << bit
        number >>= 3
    return red, green, blue
