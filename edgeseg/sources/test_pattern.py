"""A moving test pattern, to try everything else without a camera."""

from __future__ import annotations

from fractions import Fraction

from edgeseg.errors import SourceError
from edgeseg.sources._container import Container, OpenArguments
from edgeseg.types import AudioPacket, Frame, SourceFormat

_PATTERNS = ("testsrc2", "testsrc", "smptehdbars", "smptebars", "pal75bars", "mandelbrot", "colorchart")


class TestPatternSource:
    """FFmpeg's pattern generators as a source that never ends.

    Args:
        url: ``test:`` and the name of a pattern, ``testsrc2`` when it is left out.
        size: (width, height), 1280x720 by default.
        fps: 30 by default.
    """

    __test__ = False  # the name begins with "Test", which pytest would collect

    def __init__(self, url: str = "test:", *, size: tuple[int, int] | None = None, fps: Fraction | None = None) -> None:
        pattern = url.removeprefix("test:").strip("/") or _PATTERNS[0]
        if pattern not in _PATTERNS:
            raise SourceError(
                f"there is no test pattern {pattern!r}", hint=f"choose from {', '.join(_PATTERNS)}", permanent=True
            )
        width, height = size or (1280, 720)
        graph = f"{pattern}=size={width}x{height}:rate={fps or 30},format=yuv420p"
        self._arguments = OpenArguments(graph, f"test pattern {pattern}", "lavfi")
        self._container: Container | None = None

    def open(self) -> SourceFormat:
        self._container = Container(self._arguments)
        return self._container.probe(live=False)

    def read(self) -> Frame | AudioPacket | None:
        if self._container is None:
            raise SourceError("the test pattern is not open")
        return self._container.read()

    def close(self) -> None:
        if self._container is not None:
            self._container.close()
            self._container = None
