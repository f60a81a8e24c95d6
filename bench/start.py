"""How long it takes until something is seen: from the start of the process to the first picture at an RTMP server.

With a compiled model in ``model.cache``, and without; from a file, and from a live camera. Everything that is read has
been read before, so that it comes out of the page cache, and Python's bytecode is there, as pip leaves it. A run with
clocks inside (``inside.py``) says where the time goes; steps overlap.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

import cost
import ours
import script
from camera import Camera
from clips import EFFECTS, make_clip
from report import table
from rtmp_server import free_port, wait_for_listener

from edgeseg.flv import FlvReader
from edgeseg.types import TagKind

MOST_S = 2.0
SIZE = "720p"
CASES = (("file", True), ("file", False), ("live", True), ("live", False))
_PATIENCE_S = 30.0
# What is noted from inside, in the order in which it begins, with what it is called here.
_LAPS = {
    "import": "Python and imports",
    "read the configuration": "configuration",
    "build the daemon": "parts",
    "load the model": "model",
    "try the encoder": "encoder tried",
    "open the source": "source",
    "start HTTP": "HTTP",
}


@contextlib.contextmanager
def _server(ffmpeg: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """An RTMP server for one publisher, which gives what it gets at once: its URL, and the process."""
    port = free_port()
    url = f"rtmp://127.0.0.1:{port}/live/bench"
    eager = ["-probesize", "32", "-analyzeduration", "0", "-listen", "1", "-i", url]
    command = [ffmpeg, "-nostdin", "-v", "quiet", *eager, "-c", "copy", "-flush_packets", "1", "-f", "flv", "pipe:1"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True) as server:
        try:
            wait_for_listener(port)
            yield url, server
        finally:
            server.kill()


def _first_picture(server: subprocess.Popen[bytes]) -> float:
    """When the server had the first one, monotonic seconds.

    Raises:
        MeasurementError: none came.
    """
    assert server.stdout is not None
    with selectors.DefaultSelector() as waiting:
        waiting.register(server.stdout, selectors.EVENT_READ)
        if not waiting.select(_PATIENCE_S):
            raise cost.MeasurementError(f"no picture within {_PATIENCE_S:g} s")
    for tag in FlvReader(server.stdout):  # type: ignore[arg-type]
        if tag.kind is TagKind.VIDEO and not tag.config:
            return time.monotonic()
    raise cost.MeasurementError("the connection ended before a picture came")


def run(setting: script.Setting, source: dict[str, Any], cache: bool, *, inside: bool) -> dict[str, float]:
    """One start: seconds until the first picture was ``published``, and if ``inside`` until each step was over."""
    notes = setting.folder / "notes.json"
    with _server(setting.ffmpeg) as (url, server):
        stream = {"source": source, "effect": EFFECTS["replace"], "publish": url}
        stream |= {"record": str(setting.folder / "recordings")}
        if cache:
            stream["model"] = {"name": "selfie", "cache": str(setting.folder / "cache")}
        config, _ = ours.write_config(setting.ffmpeg, {"bench": stream}, setting.folder)
        began = time.monotonic()
        with ours.running(config, notes if inside else None):
            published = _first_picture(server)
    result = {"published": published - began}
    if inside:
        noted = json.loads(notes.read_text())
        for lap, (start, end) in noted["laps"].items():
            name = lap.removeprefix("bench:")
            result[f"{name} from"], result[f"{name} to"] = max(0.0, start - began), end - began
        first = next(frame for frame in noted["frames"] if frame["captured"] is not None)
        result |= {name: first[name] - began for name in ("captured", "composited", "out")}
    return result


def measure(setting: script.Setting) -> dict[str, Any]:
    cases = CASES[:1] if setting.quick else CASES
    # For the daemon and its children; a checkout may be configured to keep none.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(setting.folder / "bytecode")
    clip = make_clip(setting.ffmpeg, setting.clip, SIZE, 60, 5)
    rows: dict[tuple[str, bool], list[dict[str, float]]] = {case: [] for case in cases}
    with Camera(setting.ffmpeg, clip.path) as camera:
        sources = {"file": {"url": str(clip.path), "audio": False}, "live": {"url": camera.url}}
        for case in cases:  # fills the caches
            run(setting, sources[case[0]], case[1], inside=False)
        for number in range(setting.rounds):
            for case in cases:
                whole = run(setting, sources[case[0]], case[1], inside=False)
                looked = run(setting, sources[case[0]], case[1], inside=True)
                rows[case].append(looked | {"published inside": looked["published"]} | whole)
                said = f"{case[0]}, {'with' if case[1] else 'without'} cache: {whole['published']:.2f} s"
                setting.say(f"round {number + 1}/{setting.rounds}, {said}")
    results = [
        {"source": source, "cache": cache} | {name: round(median(row[name] for row in values), 3) for name in values[0]}
        for (source, cache), values in rows.items()
    ]
    return {"targets": {"published_s": MOST_S}, "results": results}


def text(results: dict[str, Any]) -> str:
    """One table."""
    rows = [
        [row["source"], "yes" if row["cache"] else "no", f"**{row['published']:.2f}**"]
        + [f"{row[name + ' from']:.2f} to {row[name + ' to']:.2f}" for name in _LAPS]
        + [f"{row[name]:.2f}" for name in ("captured", "out", "published inside")]
        for row in results["results"]
    ]
    names = ["source", "cache", "published", *_LAPS.values(), "captured", "out of the hub", "at the server"]
    target = f"Seconds since the process was started (target: {results['targets']['published_s']:g} to `published`). "
    more = "The columns behind it are of a run with clocks inside: from and to, then the first picture's way:"
    return "\n".join([target + more, "", *table(names, rows)])


if __name__ == "__main__":
    sys.exit(script.main("start", __doc__, measure, text, rounds=5))
