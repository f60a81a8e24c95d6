"""How old a picture is when it leaves: from the camera's first byte of it to its tag in the hub.

A live 720p30 camera, a whole daemon that publishes and records, with clocks inside (``inside.py``); camera and daemon
read the same monotonic clock. The first seconds do not count: a stream that has just been opened catches up.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

import cost
import ours
import script
from camera import Camera
from clips import EFFECTS, make_clip
from report import table

MOST_MS = {"p50": 60, "p99": 120}
PARTS = ("sent to captured", "captured to composited", "composited to out", "sent to out", "captured to out")
_WARM_S = 3.0
_PATIENCE_S = 30.0
# For the chart: later ones are counted in the last.
_BUCKET_MS, _BUCKETS = 2, 100


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Of at least one value."""
    ordered = sorted(values)

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]

    return {"p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": ordered[-1]}


def delays(frames: Iterable[dict[str, Any]], sent: dict[int, float]) -> dict[str, list[float]]:
    """Milliseconds by part, of each picture that came out.

    The output's time starts at 0 with the first picture that was decoded, which is the camera's first.
    """
    found: dict[str, list[float]] = {part: [] for part in PARTS}
    for frame in frames:
        if frame["captured"] is None:
            continue  # of the header
        times = {
            "sent": _nearest(sent, frame["ms"]),
            **{name: frame[name] for name in ("captured", "composited", "out")},
        }
        for part, values in found.items():
            begin, _, end = part.partition(" to ")
            values.append((times[end] - times[begin]) * 1000)
    return found


def _nearest(sent: dict[int, float], ms: int) -> float:
    """Times are rounded on the way."""
    for off in (0, -1, 1):
        if ms + off in sent:
            return sent[ms + off]
    raise cost.MeasurementError(f"a picture of {ms} ms came out that the camera had not sent")


def run(setting: script.Setting, size: str, effect: str, seconds: float) -> tuple[dict[str, list[float]], int, int]:
    """Delays by part; how many pictures were sent meanwhile, and how many of them came out.

    Raises:
        MeasurementError: none did, or the daemon failed.
    """
    clip = make_clip(setting.ffmpeg, setting.clip, size, 60, 5)
    notes = setting.folder / "notes.json"
    notes.unlink(missing_ok=True)
    with ours.server(setting.ffmpeg) as url, Camera(setting.ffmpeg, clip.path) as camera:
        stream = {"source": camera.url, "effect": EFFECTS[effect], "publish": url}
        stream |= {"record": str(setting.folder / "recordings")}
        config, _ = ours.write_config(setting.ffmpeg, {"bench": stream}, setting.folder)
        with ours.running(config, notes):
            deadline = time.monotonic() + _PATIENCE_S
            while not camera.sent and time.monotonic() < deadline:
                time.sleep(0.05)
            time.sleep(_WARM_S + seconds)
        sent = camera.sent
    first, last = _WARM_S * 1000, (_WARM_S + seconds - 0.5) * 1000
    frames = [frame for frame in json.loads(notes.read_text())["frames"] if first <= frame["ms"] < last]
    if not frames:
        raise cost.MeasurementError(f"no picture came out in {seconds:g} s")
    return delays(frames, sent), sum(1 for ms in sent if first <= ms < last), len(frames)


def measure(setting: script.Setting) -> dict[str, Any]:
    jobs = [("720p", "replace"), ("720p", "blur")] + ([] if setting.quick else [("1080p", "replace")])
    seconds = 4.0 if setting.quick else 20.0
    found: dict[tuple[str, str], dict[str, list[float]]] = {job: {part: [] for part in PARTS} for job in jobs}
    lost = dict.fromkeys(jobs, 0)
    for number in range(setting.rounds):
        for job in jobs:
            values, sent, came = run(setting, *job, seconds)
            if came < sent * 0.98:
                setting.say(
                    f"note: {sent - came} of {sent} pictures did not come out: the machine is too slow, or busy"
                )
            lost[job] += sent - came
            for part, each in values.items():
                found[job][part] += each
            whole = percentiles(values["sent to out"])
            said = ", ".join(f"{name} {value:.0f}" for name, value in whole.items())
            setting.say(f"round {number + 1}/{setting.rounds}, {' '.join(job)}: {said} ms")
    results = [
        {
            "size": size,
            "effect": effect,
            "pictures": len(found[size, effect]["sent to out"]),
            "lost": lost[size, effect],
            "parts": {
                part: {name: round(value, 1) for name, value in percentiles(values).items()}
                for part, values in found[size, effect].items()
            },
            "histogram": histogram(found[size, effect]["sent to out"]),
        }
        for size, effect in jobs
    ]
    return {"targets": MOST_MS, "bucket_ms": _BUCKET_MS, "results": results}


def histogram(values: Sequence[float]) -> list[int]:
    """How many lie in each two milliseconds, from 0 on; in the last one also what is beyond."""
    places = [min(_BUCKETS - 1, max(0, int(value // _BUCKET_MS))) for value in values]
    return [places.count(place) for place in range(max(places) + 1)]


def text(results: dict[str, Any]) -> str:
    """One table."""
    rows = [
        [row["size"], row["effect"], part, *(f"{value:.1f}" for value in row["parts"][part].values())]
        for row in results["results"]
        for part in PARTS
    ]
    target = ", ".join(f"{name} {ms} ms" for name, ms in results["targets"].items())
    said = [
        f"{row['size']} {row['effect']}: {row['pictures']} pictures, {row['lost']} lost" for row in results["results"]
    ]
    names = ["size", "effect", "part", "p50", "p90", "p99", "max"]
    return "\n".join(
        [f"Milliseconds, live at 30 a second (target: {target}). {'; '.join(said)}.", "", *table(names, rows)]
    )


if __name__ == "__main__":
    sys.exit(script.main("latency", __doc__, measure, text, rounds=2))
