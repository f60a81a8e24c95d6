"""A viewer who watches when pictures arrive: FLV over HTTP, tag by tag."""

from __future__ import annotations

import contextlib
import threading
import time
import urllib.request
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

from edgeseg.errors import EncoderError
from edgeseg.flv import FlvReader
from edgeseg.types import TagKind


class Onlooker:
    """A context manager that watches ``url`` until the end of the block, without ever connecting again.

    Args:
        url: ``http://…/streams/<name>/live.flv``.
        path: what comes is kept there, as an FLV file.
    """

    def __init__(self, url: str, path: Path) -> None:
        self.path = path
        self.arrivals: list[tuple[float, int]] = []  # (monotonic seconds, the stream's ms) of every live picture
        self.ended = False
        self._url = url
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="onlooker")

    def __enter__(self) -> Self:
        self._answer = urllib.request.urlopen(self._url, timeout=60)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        self._thread.join(60)

    @property
    def longest_gap_s(self) -> float:
        """The longest time without a new picture, the one up to now included."""
        times = [at for at, _ in self.arrivals] + [time.monotonic()]
        return max((b - a for a, b in pairwise(times)), default=0.0)

    @property
    def times_ms(self) -> list[int]:
        """The stream's own time of every picture, in order of arrival."""
        return [ms for _, ms in self.arrivals]

    def _watch(self) -> None:
        with (
            self._answer,
            self.path.open("wb") as copy,
            contextlib.suppress(OSError, EncoderError, ValueError),
        ):
            copy.write(b"FLV\x01\x01\x00\x00\x00\x09\x00\x00\x00\x00")
            for tag in FlvReader(self._answer):
                copy.write(tag.wire)
                if tag.kind is TagKind.VIDEO and not tag.config:
                    self.arrivals.append((time.monotonic(), tag.timestamp_ms))
                if self._leaving.is_set():
                    return
        self.ended = not self._leaving.is_set()
