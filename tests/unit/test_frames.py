"""Where composited pictures lie: one buffer each, used again and again."""

from __future__ import annotations

import mmap
from fractions import Fraction

import numpy as np
import pytest

from edgeseg.frames import Canvas, CanvasPool
from edgeseg.types import Colour, Frame

SIZES = [(2, 2), (640, 360), (1280, 720), (1920, 1080), (1918, 1078), (3840, 2160)]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_planes_are_the_buffer_in_the_encoders_order(size: tuple[int, int]) -> None:
    width, height = size
    canvas = Canvas(width, height, Colour())
    assert canvas.buffer.nbytes == width * height * 3 // 2
    for value, plane in enumerate(canvas.frame.planes, 1):
        plane[:] = value
    luma = width * height
    parts = np.split(canvas.buffer, [luma, luma + luma // 4])
    assert [set(part.tolist()) for part in parts] == [{1}, {2}, {3}]
    assert canvas.frame.y.shape == (height, width)
    assert canvas.frame.u.shape == canvas.frame.v.shape == (height // 2, width // 2)


def test_large_ones_begin_on_a_huge_page() -> None:
    addresses = [Canvas(1920, 1080, Colour()).buffer.__array_interface__["data"][0] for _ in range(3)]
    assert [address % (2 << 20) for address in addresses] == [0, 0, 0]


def test_a_large_one_gives_its_memory_back() -> None:
    """Mapped by us, and so unmapped when nobody has it any more."""
    canvas = Canvas(1920, 1080, Colour())
    view = canvas.frame.y[10:20]
    memory = canvas.buffer.base
    while isinstance(memory, np.ndarray):
        memory = memory.base
    mapped = memory.obj if isinstance(memory, memoryview) else memory
    assert isinstance(mapped, mmap.mmap)
    del canvas, memory
    with pytest.raises(BufferError):
        mapped.close()  # the view still needs it
    del view
    mapped.close()


def test_a_stamp_changes_the_time_and_nothing_else() -> None:
    canvas = Canvas(64, 32, Colour())
    tiny = np.zeros((2, 2), np.uint8)
    canvas.stamp(Frame(tiny, tiny[:1, :1], tiny[:1, :1], 4711, Fraction(1, 90000), Colour(full_range=True), 12.5))
    frame = canvas.frame
    assert (frame.pts, frame.time_base, frame.captured_at) == (4711, Fraction(1, 90000), 12.5)
    assert frame.colour == Colour()
    assert np.shares_memory(frame.y, canvas.buffer)


def test_the_pool_hands_out_what_came_back() -> None:
    pool = CanvasPool(64, 32, Colour())
    one, two = pool.take(), pool.take()
    assert one is not two
    pool.give(one)
    assert pool.take() is one
