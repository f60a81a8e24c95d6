"""What decoding costs in the daemon and in a child: CPU ms/frame of all processes, by turns, medians.

    python bench/decode.py [--clip FILE] [--rounds 5]

Each figure is the difference of a long and a short run divided by the difference of their frames, so that starting
counts for nobody. Everything goes through the source itself, planes included.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent))

from clips import SIZES, make_clip
from cost import ROOT, MeasurementError, slope_ms

from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.native import quieten
from edgeseg.sources.av_input import AvSource
from edgeseg.sources.decode_command import DecodeSettings
from edgeseg.types import Frame

_PICTURES = 60
_TURNS = (2, 8)


def cpu_s() -> float:
    """Of this process and of the children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def decode(path: Path, settings: DecodeSettings | None, expected: int) -> tuple[int, float]:
    """Pictures and CPU seconds of one run.

    Raises:
        MeasurementError: not every picture came out.
    """
    before = cpu_s()
    source = AvSource(str(path), audio=False, decode=settings)
    source.open()
    frames = sum(isinstance(item, Frame) for item in iter(source.read, None))
    source.close()
    if frames != expected:
        raise MeasurementError(f"{frames} pictures came out of {path.name}, which has {expected}")
    return frames, cpu_s() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, default=ROOT / "demo" / "clip.mp4")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    quieten()
    ffmpeg = find_ffmpeg()
    ways = {"in the daemon": None, "in a child": DecodeSettings(ffmpeg)}
    print(f"load before the run {os.getloadavg()[0]:.2f}, rounds: {args.rounds}\n")
    print("| size | in the daemon | in a child | ratio |\n| --- | --- | --- | --- |")
    for size in SIZES:
        short, long = (make_clip(ffmpeg, args.clip, size, _PICTURES, turns) for turns in _TURNS)
        costs: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(args.rounds):
            for way, settings in ways.items():
                runs = [decode(clip.path, settings, clip.total) for clip in (short, long)]
                costs[way].append(slope_ms(*runs))
        inside, child = (median(costs[way]) for way in ways)
        print(f"| {size} | {inside:.2f} | {child:.2f} | {child / inside:.2f} |", flush=True)


if __name__ == "__main__":
    main()
