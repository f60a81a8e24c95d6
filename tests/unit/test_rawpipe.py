"""Pictures on their way into the encoder's pipe: what the reader gets, and when a canvas is free again."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import IO

import numpy as np
import pytest

from edgeseg.encoding import rawpipe
from edgeseg.encoding.rawpipe import RawPipe
from edgeseg.frames import Canvas
from edgeseg.types import Colour

# One is larger than the pipe, several of the other fit into it.
SIZES = [(1280, 720), (160, 90)]
HEAD = b"head"


@pytest.fixture
def pipe() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    reading, writing = (os.fdopen(fd, mode, buffering=0) for fd, mode in zip(os.pipe(), ("rb", "wb"), strict=True))
    with reading, writing:
        yield reading, writing


def painted(size: tuple[int, int], value: int) -> Canvas:
    canvas = Canvas(*size, Colour())
    canvas.buffer[:] = np.random.default_rng(value).integers(0, 255, canvas.buffer.size, np.uint8)
    return canvas


def read(end: IO[bytes], size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size and (part := end.read(size - len(parts))):
        parts += part
    return bytes(parts)


@pytest.mark.parametrize("lend", [True, False])
@pytest.mark.parametrize("size", SIZES)
def test_what_is_read_is_what_was_written(pipe: tuple[IO[bytes], IO[bytes]], size: tuple[int, int], lend: bool) -> None:
    reading, writing = pipe
    free = [painted(size, 0) for _ in range(3)]
    raw = RawPipe(writing, free.append, lend=lend)
    sent: list[bytes] = []

    def write() -> None:
        for number in range(20):
            # As the pool does: what was given back is painted over at once.
            canvas = free.pop() if free else painted(size, 0)
            canvas.buffer[:] = np.random.default_rng(number).integers(0, 255, canvas.buffer.size, np.uint8)
            sent.append(HEAD + canvas.buffer.tobytes())
            raw.picture(HEAD, canvas)
        writing.close()

    thread = threading.Thread(target=write)
    thread.start()
    got = read(reading, 1 << 30)
    thread.join()
    assert got == b"".join(sent)
    assert raw.written_bytes == len(got)


@pytest.mark.parametrize("lend", [True, False])
def test_a_canvas_is_not_free_before_it_was_read(pipe: tuple[IO[bytes], IO[bytes]], lend: bool) -> None:
    reading, writing = pipe
    given_back: list[Canvas] = []
    raw = RawPipe(writing, given_back.append, lend=lend)
    first, second, third = (painted((160, 90), number) for number in range(3))
    whole = len(HEAD) + first.buffer.nbytes
    raw.picture(HEAD, first)
    assert not given_back
    read(reading, whole - 1)
    raw.picture(HEAD, second)
    assert not given_back, "its last byte is still in the pipe"
    read(reading, 1)
    raw.picture(HEAD, third)
    assert given_back == [first]
    assert raw.unread_bytes() == 2 * whole


def test_release_gives_back_what_nobody_reads_any_more(pipe: tuple[IO[bytes], IO[bytes]]) -> None:
    _, writing = pipe
    given_back: list[Canvas] = []
    raw = RawPipe(writing, given_back.append)
    canvases = [painted((160, 90), number) for number in range(3)]
    for canvas in canvases:
        raw.picture(HEAD, canvas)
    raw.release()
    raw.release()
    assert given_back == canvases


@pytest.mark.parametrize("lend", [True, False])
def test_a_reader_that_is_gone(pipe: tuple[IO[bytes], IO[bytes]], lend: bool) -> None:
    reading, writing = pipe
    given_back: list[Canvas] = []
    raw = RawPipe(writing, given_back.append, lend=lend)
    reading.close()
    canvas = painted((160, 90), 0)
    with pytest.raises(BrokenPipeError):
        raw.picture(HEAD, canvas)
    raw.release()
    assert given_back == [canvas]


def test_a_kernel_that_refuses_gets_copies(pipe: tuple[IO[bytes], IO[bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    """As a sandbox does that knows no vmsplice: here by asking for what it does not know."""
    reading, writing = pipe
    real = rawpipe._vmsplice()
    assert real is not None
    monkeypatch.setattr(rawpipe, "_vmsplice", lambda: lambda fd, vector, count, _: real(fd, vector, count, 1 << 31))
    raw = RawPipe(writing, lambda _: None)
    canvases = [painted((160, 90), number) for number in range(2)]
    for canvas in canvases:
        raw.picture(HEAD, canvas)
    whole = b"".join(HEAD + canvas.buffer.tobytes() for canvas in canvases)
    assert read(reading, len(whole)) == whole
