"""The buffers that composited frames are written into, used again and again."""

from __future__ import annotations

import contextlib
import mmap
import threading
from dataclasses import replace
from fractions import Fraction

import numpy as np

from edgeseg.types import U8, Colour, Frame

# Where x86-64, and aarch64 with pages of 4 KB, have huge ones, and from which size on a picture is given some.
_HUGE_PAGE_BYTES = 2 << 20
_LARGE_BYTES = 1 << 20


class Canvas:
    """One writable I420 picture in a single contiguous buffer.

    ``buffer`` is u8 [width*height*3/2], the planes one after another as the encoder wants them; ``frame`` shows the
    same bytes as planes. Width and height are even.
    """

    __slots__ = ("buffer", "frame")

    def __init__(self, width: int, height: int, colour: Colour) -> None:
        luma, chroma = width * height, width * height // 4
        self.buffer: U8 = _room(luma + 2 * chroma)
        half = (height // 2, width // 2)
        self.frame = Frame(
            self.buffer[:luma].reshape(height, width),
            self.buffer[luma : luma + chroma].reshape(half),
            self.buffer[luma + chroma :].reshape(half),
            0,
            Fraction(1, 1000),
            colour,
            0.0,
        )

    def stamp(self, source: Frame) -> None:
        """Give the canvas the time of the frame that is composited into it."""
        mine = self.frame  # not by ``replace``, which takes twice as long
        self.frame = Frame(mine.y, mine.u, mine.v, source.pts, source.time_base, mine.colour, source.captured_at)


def _room(size: int) -> U8:
    """u8 [size], on huge pages where it is large and the kernel has any.

    A picture is lent to a pipe page by page, and read and written from one end to the other: 760 pages at 1080p. With
    two, lending takes a fifth less time and compositing a twentieth (decision 0002).
    """
    if size < _LARGE_BYTES:
        return np.empty(size, np.uint8)
    whole = -(-size // _HUGE_PAGE_BYTES) * _HUGE_PAGE_BYTES
    memory = mmap.mmap(-1, whole + _HUGE_PAGE_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError):  # a kernel without them
        memory.madvise(mmap.MADV_HUGEPAGE)
    room = np.frombuffer(memory, np.uint8)  # keeps the memory; what is never touched takes none
    start = -int(room.__array_interface__["data"][0]) % _HUGE_PAGE_BYTES
    return room[start : start + size]


class CanvasPool:
    """Hands out canvases of one size and takes them back; allocates only when none is free.

    So memory stays level instead of rising and falling with every frame. Bounded by whoever holds them: the encoder's
    queue.
    """

    def __init__(self, width: int, height: int, colour: Colour) -> None:
        self.width, self.height, self.colour = width, height, colour
        self._free: list[Canvas] = []
        self._lock = threading.Lock()

    def take(self) -> Canvas:
        with self._lock:
            if self._free:
                return self._free.pop()
        return Canvas(self.width, self.height, self.colour)

    def give(self, canvas: Canvas) -> None:
        with self._lock:
            self._free.append(canvas)


def region(frame: Frame, x: int, y: int, width: int, height: int) -> Frame:
    """A view of a part of ``frame``. Position is even; the size may be odd only where the frame ends."""
    cx, cy, cw, ch = x // 2, y // 2, (width + 1) // 2, (height + 1) // 2
    return replace(
        frame,
        y=frame.y[y : y + height, x : x + width],
        u=frame.u[cy : cy + ch, cx : cx + cw],
        v=frame.v[cy : cy + ch, cx : cx + cw],
    )


def fill(frame: Frame, yuv: tuple[int, int, int]) -> None:
    """Paint the whole of a writable frame in one colour."""
    for plane, value in zip(frame.planes, yuv, strict=True):
        plane[...] = value


def copy(source: Frame, target: Frame) -> None:
    """Copy the planes of ``source`` into those of ``target``, which has the same size."""
    for a, b in zip(source.planes, target.planes, strict=True):
        np.copyto(b, a)
