"""The daemon as users run it: ``edgeseg run`` on a file, recording and publishing to a local RTMP server."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cost
import yaml
from clips import EFFECTS, Clip
from prometheus_client.parser import text_string_to_metric_families
from rtmp_server import free_port, server

STAGES = ("read", "sample", "infer", "mask", "composite", "hand_over")
INSIDE = Path(__file__).with_name("inside.py")
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


def run(ffmpeg: str, clip: Clip, effect: str, folder: Path, *, realtime: bool = False) -> Run:
    """Play ``clip`` to its end, as fast as it goes or at its own rate. The server's CPU is not counted.

    Raises:
        MeasurementError: the daemon failed, or not every picture is in the recording.
    """
    recordings = folder / "recordings"
    with server(ffmpeg) as url:
        stream = {"source": played(clip) | {"realtime": realtime}, "effect": EFFECTS[effect], "publish": url}
        stream |= {"record": str(recordings)}
        config, http = write_config(ffmpeg, {"bench": stream}, folder)
        with _scraper(http) as scrapes:
            cpu_s = cost.run([sys.executable, "-m", "edgeseg", "run", "-c", str(config)])
    take_recordings(recordings, clip.total)
    return Run(cpu_s, scrapes)


def played(clip: Clip) -> dict[str, Any]:
    """A source that gives ``clip`` once, as fast as it goes."""
    return {"url": str(clip.path), "loop": False, "realtime": False, "audio": False}


def write_config(ffmpeg: str, streams: dict[str, Any], folder: Path) -> tuple[Path, int]:
    """A configuration of ``streams`` in ``folder``, everything else as it is by default; and its HTTP port."""
    http = free_port()
    config = folder / "bench.yaml"
    common = {"http": {"port": http}, "ffmpeg": ffmpeg, "log": {"level": "warning"}}
    config.write_text(yaml.safe_dump({**common, "streams": streams}))
    return config, http


@contextlib.contextmanager
def running(config: Path, notes: Path | None = None) -> Iterator[int]:
    """The daemon while it runs; gives its process id, and ends it. With ``notes`` it is the one with instruments.

    Raises:
        MeasurementError: it had ended before, or did not end well.
    """
    log = config.with_suffix(".log")
    command = ["-m", "edgeseg", "run", "-c", str(config)] if notes is None else [str(INSIDE), str(config), str(notes)]
    with log.open("wb") as words:
        daemon = subprocess.Popen(
            [sys.executable, *command],
            cwd=cost.ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=words,
            start_new_session=True,
        )
    try:
        yield daemon.pid
        ended = daemon.poll()
    finally:
        daemon.terminate()
        try:
            code = daemon.wait(15)
        except subprocess.TimeoutExpired:
            daemon.kill()
            code = daemon.wait()
    if ended is not None or code != 0:
        raise cost.MeasurementError(f"the daemon ended with {code}: {log.read_text()[-1000:]}")


def take_recordings(folder: Path, frames: int) -> None:
    """Delete the recordings in ``folder``, which have to have ``frames`` pictures.

    Raises:
        MeasurementError: there are more or fewer.
    """
    files = sorted(folder.glob("*.mp4"))
    cost.check_frames(files, frames)
    for file in files:
        file.unlink()


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


def slates(port: int) -> float:
    """How many slates the daemon's encoders have given so far, all streams together."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    samples = [sample for family in families for sample in family.samples if sample.name == "edgeseg_frames_total"]
    return sum(sample.value for sample in samples if sample.labels["stage"] == "slate")


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
