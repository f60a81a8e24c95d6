"""CPU of handing raw pictures to the encoder's process (decision 0002): a bare pipe, NUT through PyAV, and our own
Matroska with the pictures copied into the pipe or lent to it. ``python bench/handover.py [--size 1920x1080]``.

The ffmpeg that reads throws the pictures away, so that nothing but the way there counts. The forms take turns.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from statistics import median
from typing import IO

import av
import numpy as np

from edgeseg.encoding.matroska import VIDEO_TRACK, RawFormat, block_head, header
from edgeseg.encoding.rawpipe import RawPipe
from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.frames import Canvas
from edgeseg.native import quieten
from edgeseg.types import Colour

# As many as the daemon's pool has in use.
POOL = 4
Write = Callable[[IO[bytes], Iterator[Canvas], Callable[[Canvas], None]], None]


def pictures(width: int, height: int) -> list[Canvas]:
    """Noise: no two pages are alike."""
    canvases = [Canvas(width, height, Colour()) for _ in range(POOL)]
    for number, canvas in enumerate(canvases):
        canvas.buffer[:] = np.random.default_rng(number).integers(0, 256, canvas.buffer.size, np.uint8)
    return canvases


def rawvideo(end: IO[bytes], canvases: Iterator[Canvas], give: Callable[[Canvas], None]) -> None:
    for canvas in canvases:
        left = canvas.buffer.data
        while left:
            left = left[os.write(end.fileno(), left) :]
        give(canvas)


def matroska(end: IO[bytes], canvases: Iterator[Canvas], give: Callable[[Canvas], None], *, lend: bool) -> None:
    pipe = RawPipe(end, give, lend=lend)
    for number, canvas in enumerate(canvases):
        if number == 0:
            pipe.write(header(RawFormat(canvas.frame.width, canvas.frame.height, Fraction(30), Colour())))
        pipe.picture(block_head(VIDEO_TRACK, number * 1000 // 30, canvas.buffer.nbytes), canvas)


def nut(end: IO[bytes], canvases: Iterator[Canvas], give: Callable[[Canvas], None]) -> None:
    output = av.open(end, "w", format="nut", options={"write_index": "0", "max_interleave_delta": "1"})
    stream = output.add_stream("rawvideo", rate=30)
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = Fraction(1, 1000)
    for number, canvas in enumerate(canvases):
        height, width = canvas.frame.y.shape
        if number == 0:
            stream.width, stream.height = width, height
        frame = av.VideoFrame.from_ndarray(canvas.buffer.reshape(height * 3 // 2, width), format="yuv420p")
        frame.pts, frame.time_base = number * 1000 // 30, Fraction(1, 1000)
        for packet in stream.encode(frame):
            output.mux(packet)
        give(canvas)
    output.close()


FORMS: dict[str, tuple[str, Write]] = {
    "bare pipe, no timestamps": ("rawvideo", rawvideo),
    "NUT, by PyAV": ("nut", nut),
    "Matroska, copied": ("matroska", functools.partial(matroska, lend=False)),
    "Matroska, lent": ("matroska", functools.partial(matroska, lend=True)),
}


def measure(form: str, write: Write, canvases: list[Canvas], count: int) -> tuple[float, float]:
    """CPU of the thread that hands over, and of all processes, in ms per picture."""
    size = f"{canvases[0].frame.width}x{canvases[0].frame.height}"
    shape = ["-pix_fmt", "yuv420p", "-video_size", size] if form == "rawvideo" else []
    probe = ["-probesize", "32", "-analyzeduration", "0"]
    reader = ["-nostdin", "-v", "error", "-f", form, *shape, *probe, "-i", "pipe:0", "-c", "copy", "-f", "null", "-"]
    free = list(canvases)
    taken = (free.pop(0) if free else canvases[number % POOL] for number in itertools.count())
    before = _spent_s()
    with subprocess.Popen([find_ffmpeg(), *reader], stdin=subprocess.PIPE, bufsize=0) as child:
        assert child.stdin is not None
        started = time.thread_time()
        write(child.stdin, itertools.islice(taken, count), free.append)
        thread_s = time.thread_time() - started
        child.stdin.close()
    if child.returncode:
        sys.exit(f"bench: ffmpeg could not read {form}")
    return thread_s / count * 1000, (_spent_s() - before) / count * 1000


def _spent_s() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--frames", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    quieten()
    width, height = (int(side) for side in args.size.split("x"))
    canvases = pictures(width, height)
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in FORMS}
    for _ in range(args.rounds):
        for name, (form, write) in FORMS.items():
            results[name].append(measure(form, write, canvases, args.frames))
    print(f"{args.size}, CPU ms/picture, medians of {args.rounds} rounds")
    print(f"{'form':<26} {'hand-over thread':>17} {'all processes':>14}")
    for name, rows in results.items():
        print(f"{name:<26} {median(row[0] for row in rows):>17.2f} {median(row[1] for row in rows):>14.2f}")


if __name__ == "__main__":
    main()
