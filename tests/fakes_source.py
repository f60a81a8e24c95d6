"""A source without a camera: it gives what it was made with, and keeps to the contract of real ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np

from edgeseg.errors import SourceError
from edgeseg.types import AudioFormat, AudioPacket, Colour, Frame, Matrix, SourceFormat

MS = Fraction(1, 1000)
SD = Colour(Matrix.BT601)


def picture(
    number: int = 0,
    size: tuple[int, int] = (64, 48),
    *,
    pts: int | None = None,
    time_base: Fraction = MS,
    colour: Colour = SD,
    period: int = 40,
) -> Frame:
    """A read-only noise picture that depends on ``number`` alone; ``pts`` is ``number * period`` unless given."""
    width, height = size
    half = (-(-height // 2), -(-width // 2))
    dice = np.random.default_rng(number)
    planes = [dice.integers(16, 236, shape, np.uint8) for shape in ((height, width), half, half)]
    for plane in planes:
        plane.flags.writeable = False
    y, u, v = planes
    return Frame(y, u, v, number * period if pts is None else pts, time_base, colour, time.monotonic())


def pictures(count: int, size: tuple[int, int] = (64, 48), *, first: int = 0, period: int = 40) -> list[Frame]:
    """``count`` noise pictures, ``period`` ms apart."""
    return [picture(number, size, period=period) for number in range(first, first + count)]


class FakeSource:
    """Gives ``items`` in order; an exception among them is raised instead, as a camera's failure would be.

    ``hold``, if given, makes ``read`` block after the last item until it is set: a camera that says nothing.
    """

    def __init__(
        self,
        items: Iterable[Frame | AudioPacket | Exception],
        *,
        live: bool = False,
        fps: Fraction | None = Fraction(25),
        audio: AudioFormat | None = None,
        hold: threading.Event | None = None,
        in_bursts: bool = False,
    ) -> None:
        self._all = list(items)
        self._live, self._fps, self._audio, self._hold = live, fps, audio, hold
        self._in_bursts = in_bursts
        self._items: Iterator[Frame | AudioPacket | Exception] | None = None
        self.closed = 0

    def open(self) -> SourceFormat:
        first = next((item for item in self._all if not isinstance(item, AudioPacket)), None)
        if isinstance(first, Exception):
            raise first
        if first is None:
            raise SourceError("the fake ended before the first picture")
        self._items = iter(self._all)
        return SourceFormat(
            first.width, first.height, self._fps, first.colour, self._live, self._audio, in_bursts=self._in_bursts
        )

    def read(self) -> Frame | AudioPacket | None:
        if self._items is None:
            raise SourceError("the fake is not open")
        item = next(self._items, None)
        if isinstance(item, Exception):
            raise item
        if item is None and self._hold is not None:
            self._hold.wait()
        return replace(item, captured_at=time.monotonic()) if isinstance(item, Frame) else item

    def close(self) -> None:
        self._items = None
        self.closed += 1
