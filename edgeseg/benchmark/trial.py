"""Runs daemons and says what they cost, and whether they keep up."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

from edgeseg.benchmark import settings
from edgeseg.benchmark.daemon import Look, TrialError, WatchedDaemon
from edgeseg.benchmark.figures import Trial
from edgeseg.benchmark.material import Tell
from edgeseg.benchmark.settings import Played

_log = logging.getLogger(__name__)

# Every stream has put out so many pictures when the watching begins, or so much time has passed.
_WARM, _WARM_S = 10, 20.0
_SETTLE_S = 1.0
_LOOK_S = 0.5
_LEAST, _LONGEST = 50, 6.0


def whole(played: Played, ffmpeg: str, folder: Path, seconds: float, tell: Tell) -> tuple[float, int]:
    """CPU ms for each picture of a daemon with its children that plays one stream as fast as it goes, and its PSS.

    Raises:
        TrialError: it does not run.
    """
    with _daemon(folder, [played], ffmpeg, realtime=False) as daemon:
        first = last = _warm(daemon)
        while (passed := last.at - first.at) < seconds or (
            _count(first, last) < _LEAST and passed < _LONGEST * seconds
        ):
            tell(passed / seconds)
            daemon.wait(_LOOK_S)
            last = daemon.look()
        return _cpu_s(first, last) / max(1, _count(first, last)) * 1000, daemon.pss()


def hold(
    streams: Sequence[Played], count: int, fps: float | None, ffmpeg: str, folder: Path, seconds: float, tell: Tell
) -> Trial:
    """Run ``count`` streams, ``streams`` in turn, at their own rates or at ``fps`` at most, as live as their sources.

    Several that do not even start were too many, and gave nothing.

    Raises:
        TrialError: a single one does not run.
    """
    running = list(islice(cycle(streams), count))
    wanted = tuple(played.fps if fps is None else min(fps, played.fps) for played in running)
    try:
        with _daemon(folder, running, ffmpeg, fps=fps) as daemon:
            _warm(daemon)
            daemon.wait(_SETTLE_S)
            first = daemon.look()
            while (passed := time.monotonic() - first.at) < seconds:
                tell(passed / seconds)
                daemon.wait(min(_LOOK_S, seconds - passed))
            last, pss = daemon.look(), daemon.pss()
    except TrialError as exc:
        if count == 1:
            raise
        _log.debug("%d streams: %s", count, exc)
        return Trial((0.0,) * count, wanted, 0.0, 0.0, 0, seconds)
    span = last.at - first.at
    rates = tuple((last.frames[f"s{number}"] - first.frames[f"s{number}"]) / span for number in range(count))
    cpu = _cpu_s(first, last)
    others = max(0.0, last.machine_s - first.machine_s - cpu)
    return Trial(rates, wanted, cpu / span, others / span, pss, span)


@contextmanager
def _daemon(
    folder: Path, streams: Sequence[Played], ffmpeg: str, *, fps: float | None = None, realtime: bool = True
) -> Iterator[WatchedDaemon]:
    """A watched daemon in a folder of its own, which goes with it."""
    with (
        tempfile.TemporaryDirectory(dir=folder) as own,
        WatchedDaemon(settings.write(Path(own), streams, ffmpeg, fps=fps, realtime=realtime)) as daemon,
    ):
        yield daemon


def _warm(daemon: WatchedDaemon) -> Look:
    """Wait until every stream has begun; a machine with too many of them is not waited for."""
    until = time.monotonic() + _WARM_S
    while min((look := daemon.look()).frames.values()) < _WARM and time.monotonic() < until:
        daemon.wait(_LOOK_S)
    return look


def _count(first: Look, last: Look) -> int:
    return sum(last.frames.values()) - sum(first.frames.values())


def _cpu_s(first: Look, last: Look) -> float:
    return sum(spent - first.cpu_s.get(pid, 0.0) for pid, spent in last.cpu_s.items())
