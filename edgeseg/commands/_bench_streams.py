"""``edgeseg bench streams``: what streams cost on this machine, and how many of them it carries."""

from __future__ import annotations

import argparse
import json
import math
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from edgeseg.errors import EXIT_OK, SourceError, UsageError

if TYPE_CHECKING:
    from edgeseg.config import Config, StreamConfig

SUMMARY = "measure what streams cost, and how many of them this machine carries"
EPILOG = """\
CPU is processor time of all processes for each picture that is put out. A file is played as it is. Of a camera some
seconds are taken first, so that many streams can play them. Streams are recorded into a temporary folder; nothing is
sent to the addresses of the configuration, and nothing written to its folders.
"""
# They stand before SUBJECT as well, where a default would overwrite what was given there.
_DEFAULTS: dict[str, Any] = {
    "config": None, "stream": [], "clip": None, "seconds": 5.0, "fps_floor": 15.0, "json": False, "chart": None
}  # fmt: skip
_LONGEST_S = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options; ``given`` fills in what is left out."""
    for flags, settings in (
        (("-c", "--config"), {"type": Path, "metavar": "FILE", "help": "the streams of this configuration"}),
        (
            ("--stream",),
            {"action": "append", "metavar": "NAME", "help": "only this one of them; may be repeated"},
        ),
        (
            ("--clip",),
            {
                "type": Path,
                "metavar": "FILE",
                "help": "play this instead of cameras (default without -c: a test pattern)",
            },
        ),
        (("--seconds",), {"type": _seconds, "metavar": "S", "help": "for each measurement (default: 5)"}),
        (
            ("--fps-floor",),
            {"type": _rate, "metavar": "N", "help": "how many streams at this rate, too (default: 15)"},
        ),
        (("--json",), {"action": "store_true", "help": "JSON"}),
        (("--chart",), {"type": Path, "metavar": "FILE", "help": "draw it, too, into an .svg or a .png"}),
    ):
        parser.add_argument(*flags, default=argparse.SUPPRESS, **settings)


def only_of_streams(args: argparse.Namespace) -> list[str]:
    """Which options were given that no other subject has."""
    return [name for name in ("config", "stream", "clip", "fps_floor", "chart") if hasattr(args, name)]


def run(args: argparse.Namespace) -> int:
    """Measure, and print what was found.

    Raises:
        UsageError: the options do not fit together.
        ConfigError: the configuration cannot be used.
        EdgesegError: a source, a model or an encoder does not work.
    """
    given = argparse.Namespace(**{**_DEFAULTS, **vars(args)})
    if given.stream and given.config is None:
        raise UsageError("--stream is one of a configuration", hint="add -c FILE")
    if given.clip is not None and not given.clip.is_file():
        raise UsageError(f"--clip: {given.clip} is not a file")

    from edgeseg import log
    from edgeseg.benchmark import chart, job, report
    from edgeseg.benchmark.progress import Progress
    from edgeseg.ffmpeg import find_ffmpeg
    from edgeseg.native import quieten

    if given.chart is not None:
        chart.check_target(given.chart)
    log.setup("debug" if getattr(args, "debug", False) else "error")
    quieten()
    config = _config(given)
    streams = _chosen(config, given)
    ffmpeg = find_ffmpeg(config.ffmpeg)
    try:
        with _ended_cleanly(), closing(Progress(job.steps(len(streams)))) as progress:
            result = job.run(streams, ffmpeg, given.seconds, given.fps_floor, progress)
    except SourceError as exc:
        if given.clip is None:
            raise
        raise UsageError(f"--clip: {exc.message}", hint=exc.hint) from exc
    if given.chart is not None:
        chart.write(given.chart, result)
    sys.stdout.write(json.dumps(report.json_of(result), indent=2) + "\n" if given.json else report.text(result))
    return EXIT_OK


def _config(given: argparse.Namespace) -> Config:
    from edgeseg.config import load_config, load_config_text

    if given.config is not None:
        return load_config(given.config)
    # JSON is YAML. A dollar sign would begin a reference.
    source = "test:" if given.clip is None else str(given.clip.absolute()).replace("$", "$$")
    return load_config_text(json.dumps({"streams": {"bench": {"source": {"url": source}}}}), Path.cwd())


def _chosen(config: Config, given: argparse.Namespace) -> dict[str, StreamConfig]:
    """The streams to measure, with the clip for a source where there is one."""
    from edgeseg.config.source import SourceConfig
    from edgeseg.config.values import guess

    for name in given.stream:
        if name not in config.streams:
            raise UsageError(
                f"--stream: the configuration has no stream {name!r}", hint=guess(name, config.streams)[1:-1]
            )
    chosen = {name: config.streams[name] for name in given.stream} or config.enabled
    if given.clip is None:
        return chosen
    source = SourceConfig(type="av", url=str(given.clip.absolute()))
    return {name: stream.model_copy(update={"source": source}) for name, stream in chosen.items()}


@contextmanager
def _ended_cleanly() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the command as Ctrl-C does: with its children and its files gone."""

    def end(number: int, _: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _seconds(text: str) -> float:
    value = _number(text)
    if not 0.5 <= value <= _LONGEST_S:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0.5 to {_LONGEST_S}")
    return value


def _rate(text: str) -> float:
    value = _number(text)
    if not 1 <= value <= 240:
        raise argparse.ArgumentTypeError(f"{text!r} is no rate from 1 to 240")
    return value


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return -1.0
    return value if math.isfinite(value) else -1.0
