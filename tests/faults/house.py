"""A daemon with a stream that is hurt and one beside it that must not notice."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.e2e.daemon import Daemon, descendants, is_alive
from tests.equipment.onlooker import Onlooker
from tests.equipment.read_clip import read_times
from tests.waiting import wait_until

FPS = 25
# What everybody else may be without a new picture while one stream or output is hurt.
UNNOTICED_S = 0.5
# A picture, and what the times in containers are rounded by.
_PERIOD_S = 1 / FPS + 0.002
_SEGMENTS = (".mp4", ".mkv", ".ts", ".part")

BARE = {"effect": "passthrough", "allow_uncovered": True}
# Not a live source: its pictures wait rather than being dropped, so that each one that is missing was lost.
PATTERN = {"source": {"url": "test:", "size": "320x240", "fps": FPS}, **BARE}
# Enough bits to fill a kernel's buffers soon, whatever the picture. The rate also tells its encoder from the witness's.
RICH_BITRATE = 4_001_000
RICH = {**PATTERN, "encoder": {"bitrate": RICH_BITRATE, "options": {"x264-params": "nal-hrd=cbr:force-cfr=1"}}}


class House(Daemon):
    """A daemon with the streams ``victim`` and ``witness``, and what tests ask it."""

    def __init__(
        self,
        folder: Path,
        victim: Mapping[str, Any],
        others: Mapping[str, Mapping[str, Any]] | None = None,
        **rest: Any,
    ) -> None:
        self.folder = folder
        witness = {**PATTERN, "record": {"directory": str(folder / "witness"), "segment_s": 600}}
        super().__init__(folder, {"victim": victim, "witness": witness, **(others or {})}, **rest)

    def frames(self, stream: str = "victim") -> int:
        """How many pictures have come out of its encoder."""
        return int(self.api(stream)["frames"].get("encode.out", 0))

    def wait_for_frames(self, more: int, stream: str = "victim", timeout_s: float = 20) -> None:
        """Until ``more`` pictures have come out, counted from now."""
        wanted = self.frames(stream) + more
        wait_until(lambda: self.frames(stream) >= wanted, timeout_s, f"{more} more pictures of {stream}")

    def let_pass(self, seconds: float) -> None:
        """As long as the witness takes for so many seconds of pictures."""
        self.wait_for_frames(round(seconds * FPS), "witness", seconds + 10)

    def output(self, kind: str, name: str, stream: str = "victim") -> float:
        """One number of an output: ``dropped_tags``, ``reconnects``, ``sent_bytes``, ``recordings``."""
        return float(next(o for o in self.api(stream)["outputs"] if o["kind"] == kind)[name])

    def output_state(self, kind: str, stream: str = "victim") -> str:
        return str(next(o for o in self.api(stream)["outputs"] if o["kind"] == kind)["state"])

    def wait_for_output(self, kind: str, state: str, timeout_s: float = 20) -> None:
        wait_until(lambda: self.output_state(kind) == state, timeout_s, f"{kind} being {state}")

    def watch(self, stream: str = "victim") -> Onlooker:
        """Somebody who watches it by HTTP."""
        return Onlooker(f"{self.base}/streams/{stream}/live.flv", self.folder / f"{stream}-watched.flv")

    def child(self, *words: str) -> int:
        """The process id of the one child in whose command line all the words occur."""

        def found() -> list[int]:
            return [pid for pid in descendants(self.pid) if is_alive(pid) and all(w in _command(pid) for w in words)]

        pids = wait_until(found, 10, f"a child with {words}")
        assert len(pids) == 1, [_command(pid) for pid in pids]
        return pids[0]

    def encoder(self) -> int:
        """The victim's encoder; the victim is ``RICH``."""
        return self.child(str(RICH_BITRATE), "pipe:1")

    def publisher(self) -> int:
        return self.child("edgeseg.outputs._relay")

    def recorder(self) -> int:
        return self.child(".part", str(self.folder / "victim"))

    def errors(self, about: str = "victim") -> list[str]:
        """The log's complaints about a stream and its outputs, without the time of day."""
        lines = (line.split(" ", 2) for line in self.log().splitlines())
        return [rest[2] for rest in lines if rest[1] in ("error", "critical") and rest[2].startswith(about)]


@contextlib.contextmanager
def house(folder: Path, victim: Mapping[str, Any], **rest: Any) -> Iterator[House]:
    """Run both streams; at the end the witness must have lost nothing, and the daemon stop cleanly.

    The witness's viewer waited at most half a second for a picture, and its recording holds every one.
    """
    with House(folder, victim, **rest) as daemon:
        daemon.wait_for_state("witness", "running")
        with daemon.watch("witness") as witness:
            yield daemon
            print(f"witness: waited at most {witness.longest_gap_s * 1000:.0f} ms for a picture")
            assert witness.longest_gap_s <= UNNOTICED_S, f"the witness waited {witness.longest_gap_s:.2f} s"
            assert not witness.ended
        children = descendants(daemon.pid)
        code, _ = daemon.stop()
        assert code == 0, daemon.log()
        wait_until(lambda: not any(map(is_alive, children)), 5, "the end of every child")
    assert "Traceback" not in daemon.log(), daemon.log()
    assert not daemon.errors("witness"), daemon.log()
    assert longest_step(folder / "witness") <= _PERIOD_S
    assert not list(folder.glob("*/*.part"))


def recordings(folder: Path, *suffixes: str) -> list[Path]:
    """The segments in a folder, oldest first, those that are not closed included; with ``suffixes`` only such."""
    return sorted(file for file in folder.iterdir() if file.suffix in (suffixes or _SEGMENTS))


def longest_step(folder: Path) -> float:
    """The longest time between two pictures that follow one another in the only file of a folder."""
    (file,) = recordings(folder)
    return steps(file)


def steps(file: Path) -> float:
    """The longest time between two pictures that follow one another in a file."""
    return max(b - a for a, b in pairwise(read_times(file)))


def is_whole(folder: Path) -> bool:
    """Whether the recording of a stream of ``FPS`` has every picture, in one file."""
    return longest_step(folder) <= _PERIOD_S


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """SIGSTOP a process for the block; it may be gone at the end."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return ""
