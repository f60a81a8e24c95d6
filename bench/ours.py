"""The daemon as users run it: ``edgeseg run`` on a file, recording and publishing to a local RTMP server."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cost
import yaml
from clips import EFFECTS, Clip
from prometheus_client.parser import text_string_to_metric_families

STAGES = ("read", "sample", "infer", "mask", "composite", "hand_over")
_SCRAPE_S = 1.0


@dataclass(frozen=True, slots=True)
class Scrape:
    """What one look at ``/metrics`` tells: pictures put out, CPU of the daemon and of its children, time by stage."""

    frames: float
    own_cpu_s: float
    child_cpu_s: float
    stage_ms: dict[str, float]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the daemon: CPU seconds of everything, and what its metrics said meanwhile."""

    cpu_s: float
    scrapes: list[Scrape]


def run(ffmpeg: str, clip: Clip, effect: str, folder: Path) -> Run:
    """Play ``clip`` to its end as fast as it goes. The server's CPU is not counted.

    Raises:
        MeasurementError: the daemon failed, or not every picture is in the recording.
    """
    recordings = folder / "recordings"
    http, rtmp = free_port(), free_port()
    url = f"rtmp://127.0.0.1:{rtmp}/live/bench"
    source = {"url": str(clip.path), "loop": False, "realtime": False, "audio": False}
    stream = {"source": source, "effect": EFFECTS[effect], "record": str(recordings), "publish": url}
    config = folder / "bench.yaml"
    config.write_text(
        yaml.safe_dump(
            {"http": {"port": http}, "ffmpeg": ffmpeg, "log": {"level": "warning"}, "streams": {"bench": stream}}
        )
    )
    with _server(ffmpeg, url, rtmp), _scraper(http) as scrapes:
        cpu_s = cost.run([sys.executable, "-m", "edgeseg", "run", "-c", str(config)])
    files = sorted(recordings.glob("*.mp4"))
    cost.check_frames(files, clip.total)
    for file in files:
        file.unlink()
    return Run(cpu_s, scrapes)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _server(ffmpeg: str, url: str, port: int) -> Iterator[None]:
    """An RTMP server for one publisher that throws away what it gets."""
    server = subprocess.Popen(
        [ffmpeg, "-nostdin", "-v", "quiet", "-listen", "1", "-i", url, "-c", "copy", "-f", "null", "-"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 5
        while not _listens(port) and time.monotonic() < deadline:
            time.sleep(0.05)
        yield
    finally:
        server.terminate()
        server.wait()


def _listens(port: int) -> bool:
    """Looked up rather than tried: the server takes one connection only."""
    wanted = f":{port:04X}"
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(row[1].endswith(wanted) and row[3] == "0A" for row in rows)


@contextlib.contextmanager
def _scraper(port: int) -> Iterator[list[Scrape]]:
    """Scrapes the daemon every second, as a Prometheus would, into the list that it gives."""
    scrapes: list[Scrape] = []
    done = threading.Event()

    def loop() -> None:
        while not done.wait(_SCRAPE_S):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                scrapes.append(parse(answer.read().decode()))

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield scrapes
    finally:
        done.set()
        thread.join()


def parse(exposition: str) -> Scrape:
    """What the benchmark wants to know of one answer of ``/metrics``."""
    frames = own = children = 0.0
    seconds: dict[str, float] = {}
    counts: dict[str, float] = {}
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            labels = sample.labels
            if sample.name == "edgeseg_frames_total" and (labels["stage"], labels["outcome"]) == ("encode", "out"):
                frames = sample.value
            elif sample.name == "process_cpu_seconds_total":
                own = sample.value
            elif sample.name == "edgeseg_child_cpu_seconds_total":
                children = sample.value
            elif sample.name == "edgeseg_stage_seconds_sum":
                seconds[labels["stage"]] = sample.value
            elif sample.name == "edgeseg_stage_seconds_count":
                counts[labels["stage"]] = sample.value
    stage_ms = {stage: seconds[stage] / counts[stage] * 1000 for stage in STAGES if counts.get(stage)}
    return Scrape(frames, own, children, stage_ms)


def breakdown(scrapes: list[Scrape]) -> dict[str, float]:
    """Milliseconds: CPU of the daemon's process and of its children for each frame, then the time in each stage."""
    seen = [scrape for scrape in scrapes if scrape.frames]
    if not seen:
        return {}
    first, last = seen[0], seen[-1]
    result: dict[str, float] = {}
    frames = last.frames - first.frames
    if frames:
        result["cpu_daemon"] = (last.own_cpu_s - first.own_cpu_s) / frames * 1000
        result["cpu_children"] = (last.child_cpu_s - first.child_cpu_s) / frames * 1000
    return result | last.stage_ms
