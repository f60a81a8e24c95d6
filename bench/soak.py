"""Whether the daemon grows: memory, file descriptors, threads, children and the age of its pictures, over time.

Two streams run while viewers come and go, and while the server that one of them is published to and the camera of the
other go away and come back. A second's samples are taken from ``/metrics``; a line is laid through them by least
squares. The exit code is 1 when one of them surely grows (99 %), by more than what one viewer or one connection makes
up.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import machine
from cost import MeasurementError
from prometheus_client.parser import text_string_to_metric_families
from soak_load import load
from soak_plot import Curve, svg
from trend import BLOCKS, Trend, trend

from edgeseg.ffmpeg import find_ffmpeg

_SAMPLE_S = 1.0
# The first pictures, the first viewers and the first segments allocate what is used again from then on.
_WARM_UP_S, _WARM_UP_SHARE = 120.0, 1 / 3
_MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something that must not grow; ``floor`` is by how much it may differ between two moments of a quiet day."""

    name: str
    unit: str
    floor: float


QUANTITIES = (
    Quantity("rss", "MB, daemon", 4.0),
    Quantity("rss_children", "MB, children", 40.0),
    Quantity("fds", "open", 3.0),
    Quantity("threads", "", 2.0),
    Quantity("children", "", 1.0),
    Quantity("frame_age", "ms", 5.0),
)


class Sampler:
    """Reads ``/metrics``; the age of pictures is the mean of those that came out since the last look."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/metrics"
        self._ages = (0.0, 0.0)

    def sample(self) -> dict[str, float]:
        """One value for each of ``QUANTITIES``; raises OSError when there is no answer."""
        sums: dict[str, float] = {}
        with urllib.request.urlopen(self._url, timeout=10) as answer:
            for family in text_string_to_metric_families(answer.read().decode()):
                for sample in family.samples:
                    sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
        ages = (sums["edgeseg_latency_seconds_sum"], sums["edgeseg_latency_seconds_count"])
        pictures = ages[1] - self._ages[1]
        age_ms = (ages[0] - self._ages[0]) / pictures * 1000 if pictures else float("nan")
        self._ages = ages
        return {
            "rss": sums["process_resident_memory_bytes"] / _MB,
            "rss_children": sums["edgeseg_child_resident_memory_bytes"] / _MB,
            "fds": sums["process_open_fds"],
            "threads": sums["edgeseg_threads"],
            "children": sums["edgeseg_child_processes"],
            "frame_age": age_ms,
        }


def measure(minutes: float, say: Callable[[str], None]) -> tuple[list[float], dict[str, list[float]]]:
    """Run the load for ``minutes``; gives the seconds and the values, the warm-up left out.

    Raises:
        MeasurementError: the daemon failed, or pictures stopped coming.
    """
    length_s = minutes * 60
    warm_up_s = min(_WARM_UP_S, length_s * _WARM_UP_SHARE)
    times: list[float] = []
    values: dict[str, list[float]] = {quantity.name: [] for quantity in QUANTITIES}
    with tempfile.TemporaryDirectory(prefix="edgeseg-soak-") as name, load(find_ffmpeg(), Path(name)) as port:
        sampler = Sampler(port)
        began = time.monotonic()
        said = 0
        while (now := time.monotonic() - began) < length_s:
            try:
                sample = sampler.sample()
            except OSError as exc:
                raise MeasurementError(f"no answer from the daemon after {now:.0f} s: {exc}") from exc
            if now >= warm_up_s:
                if sample["frame_age"] != sample["frame_age"]:
                    raise MeasurementError(f"no picture came out for {_SAMPLE_S:g} s, after {now:.0f} s")
                times.append(now)
                for quantity in QUANTITIES:
                    values[quantity.name].append(sample[quantity.name])
            if now >= said * 60:
                say(f"minute {said}: " + ", ".join(f"{key} {value:.4g}" for key, value in sample.items()))
                said += 1
            time.sleep(max(0.0, began + now + _SAMPLE_S - time.monotonic()))
    return times, values


def judge(times: list[float], values: dict[str, list[float]]) -> dict[str, tuple[Trend, bool]]:
    """The trend of each quantity, and whether it grows."""
    result = {}
    for quantity in QUANTITIES:
        line = trend(times, values[quantity.name])
        result[quantity.name] = (line, line.is_significant(quantity.floor))
    return result


def table(judged: dict[str, tuple[Trend, bool]]) -> str:
    """The verdicts for people."""
    rows = [f"{'':14}{'mean':>10}{'per hour':>12}{'± (99 %)':>12}{'grew by':>10}"]
    for quantity in QUANTITIES:
        line, grows = judged[quantity.name]
        row = f"{quantity.name:14}{line.mean:10.2f}{line.slope:+12.2f}{line.margin:12.2f}{line.growth:+10.2f}"
        rows.append(f"{row}  {quantity.unit:14}{'GROWS' if grows else 'steady'}")
    return "\n".join(rows)


def _document(
    facts: dict[str, str], minutes: float, times: list[float], judged: dict[str, tuple[Trend, bool]]
) -> dict[str, Any]:
    results = {name: {**asdict(line), "grows": grows} for name, (line, grows) in judged.items()}
    return {"machine": facts, "minutes": minutes, "samples": len(times), "results": results}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=3.0, help="how long (default 3; the first third warms up)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the samples and their lines")
    args = parser.parse_args()
    shortest = 2 * BLOCKS * _SAMPLE_S / (1 - _WARM_UP_SHARE) / 60 * 1.2
    if args.minutes < shortest:
        parser.error(f"--minutes must be at least {shortest:.1f}")
    facts = machine.describe(find_ffmpeg())
    try:
        times, values = measure(args.minutes, lambda line: print(line, file=sys.stderr, flush=True))
    except MeasurementError as exc:
        print(f"soak: {exc}", file=sys.stderr)
        return 1
    judged = judge(times, values)
    if args.svg is not None:
        curves = [Curve(f"{q.name} {q.unit}".strip(), values[q.name], *judged[q.name]) for q in QUANTITIES]
        args.svg.write_text(svg(f"edgeseg soak: {args.minutes:g} minutes, {facts['cores']} cores", times, curves))
    print(json.dumps(_document(facts, args.minutes, times, judged), indent=2) if args.json else table(judged))
    return int(any(grows for _, grows in judged.values()))


if __name__ == "__main__":
    sys.exit(main())
