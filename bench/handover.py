"""CPU of handing raw pictures to the encoder: bare pipe, NUT through PyAV, and our own Matroska (decision 0002)."""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from statistics import median

import av
import numpy as np

from edgeseg.encoding.command import EncoderSettings, encode_command
from edgeseg.encoding.matroska import VIDEO_TRACK, RawFormat, block_head, header
from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.types import Colour

WIDTH, HEIGHT = 1280, 720


def pictures(count: int) -> list[av.VideoFrame]:
    with av.open(f"testsrc2=size={WIDTH}x{HEIGHT}:rate=30,format=yuv420p", format="lavfi") as source:
        frames = source.decode(video=0)
        return [next(frames) for _ in range(count)]


def write_all(fd: int, parts: list[object]) -> None:
    views = [memoryview(part).cast("B") for part in parts]  # type: ignore[arg-type]
    while views:
        done = os.writev(fd, views)
        while views and done >= len(views[0]):
            done -= len(views.pop(0))
        if done:
            views[0] = views[0][done:]


def planes(frame: av.VideoFrame) -> list[object]:
    return [
        np.ascontiguousarray(np.frombuffer(p, np.uint8).reshape(-1, p.line_size)[:, : p.width]) for p in frame.planes
    ]


def matroska(fd: int, frames: list[av.VideoFrame]) -> None:
    write_all(fd, [header(RawFormat(WIDTH, HEIGHT, Fraction(30), Colour()))])
    for n, frame in enumerate(frames):
        write_all(fd, [block_head(VIDEO_TRACK, n * 1000 // 30, WIDTH * HEIGHT * 3 // 2), *planes(frame)])


def rawvideo(fd: int, frames: list[av.VideoFrame]) -> None:
    for frame in frames:
        write_all(fd, planes(frame))


def nut(fd: int, frames: list[av.VideoFrame]) -> None:
    with os.fdopen(os.dup(fd), "wb", buffering=0) as pipe:
        output = av.open(pipe, "w", format="nut", options={"write_index": "0", "max_interleave_delta": "1"})
        stream = output.add_stream("rawvideo", rate=30)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for n, frame in enumerate(frames):
            frame.pts, frame.time_base = n * 1000 // 30, Fraction(1, 1000)
            for packet in stream.encode(frame):
                output.mux(packet)
        output.close()


def measure(write: Callable[[int, list[av.VideoFrame]], None], frames: list[av.VideoFrame]) -> tuple[float, float]:
    """(CPU of the writing thread, CPU of all processes) in ms per frame."""
    command = encode_command(EncoderSettings(find_ffmpeg()), RawFormat(WIDTH, HEIGHT, Fraction(30), Colour()))
    form = {"matroska": "matroska", "nut": "nut", "rawvideo": "rawvideo"}[write.__name__]
    command[command.index("matroska")] = form
    if form == "rawvideo":
        where = command.index("-i")
        command[where:where] = ["-pix_fmt", "yuv420p", "-video_size", f"{WIDTH}x{HEIGHT}", "-framerate", "30"]

    def total() -> float:
        usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(usage.ru_utime + usage.ru_stime for usage in usages)

    before = total()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        drain = threading.Thread(target=child.stdout.readall)  # type: ignore[attr-defined]
        drain.start()
        started = time.thread_time()
        write(child.stdin.fileno(), frames)
        spent = time.thread_time() - started
        child.stdin.close()
        drain.join()
    return spent / len(frames) * 1000, (total() - before) / len(frames) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    frames = pictures(args.frames)
    results: dict[str, list[tuple[float, float]]] = {}
    for _ in range(args.rounds):
        for write in (rawvideo, nut, matroska):
            results.setdefault(write.__name__, []).append(measure(write, frames))
    print(f"{'form':<10} {'hand-over thread':>17} {'all processes':>14}   ms/frame, medians of {args.rounds}")
    for name, rows in results.items():
        print(f"{name:<10} {median(row[0] for row in rows):>17.2f} {median(row[1] for row in rows):>14.2f}")


if __name__ == "__main__":
    main()
