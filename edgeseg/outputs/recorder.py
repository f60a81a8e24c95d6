"""Keeps a copy of a stream on disk, in segments that survive whatever ends them."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import ffmpeg

from edgeseg.backoff import Budget
from edgeseg.errors import OutputError
from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.outputs._preroll import Held
from edgeseg.outputs._segment import GAP_MS, Ending, Loss, Segment
from edgeseg.outputs._unsaved import Unsaved
from edgeseg.outputs.child import Child, ChildDied, ChildStalled
from edgeseg.outputs.complaints import disk_error
from edgeseg.outputs.events import Event, EventGate
from edgeseg.outputs.index import index_of
from edgeseg.outputs.indexlines import Entry
from edgeseg.outputs.probing import probe_bytes
from edgeseg.outputs.recordstatus import RecordStatus
from edgeseg.outputs.retention import Keeper, Retention
from edgeseg.outputs.segments import (
    FORMATS,
    Names,
    is_recovered,
    leftovers,
    measure,
    publish_segment,
    recordings,
    salvage,
    stamp_ms,
    wall_ms,
)
from edgeseg.status import OutputStatus
from edgeseg.types import StreamHeader, Tag

_log = logging.getLogger(__name__)

# The last fragment, and on a slow disk the wait for it.
_FINISH_S = 8.0
# A segment's first seconds, while its child starts. What a child loses of it is given to the next (see ``Unsaved``).
_PIPE_BYTES = 1 << 20


class Recorder:
    """Writes a stream to ``directory`` as ``<stream>-<UTC time>.<container>``, each segment by a child of its own.

    A segment is called ``*.part`` until it is closed. The next one begins with the first keyframe after ``segment_s``,
    as soon as the old child has read all of its own; its end is waited for on another thread. Every picture is in one
    segment. Only where a child is replaced, up to one group of pictures is in two, whose times overlap: the new one
    begins with the last keyframe before what may be missing. Every segment starts at time 0. Each segment that is
    closed gets a line in the index of its directory. ``open`` looks after what a crash has left.

    With ``gate`` only what it lets through is recorded, and each event begins a segment; what lies between events is no
    gap.

    Args:
        directory: where to; made if it does not exist.
        stream: the first part of the names.
        ffmpeg: the binary.
        segment_s: how long a segment is at least.
        by_clock: cut where the wall clock (UTC) is at a multiple of ``segment_s``, counted from midnight.
        container: "mp4" (fragmented), "mkv" or "ts".
        status: told about closed segments, if given.
        stall_s: how long the disk may take nothing.
        keeper: makes room before each segment and when the disk is full, if given.
        retention: how much it keeps of this stream.
        gate: picks the events, if only these are recorded.
        now_ms: the wall clock, in milliseconds since the epoch.

    Raises:
        OutputError: permanent, for a container that is not known.
    """

    def __init__(
        self,
        directory: Path,
        stream: str,
        *,
        ffmpeg: str = "auto",
        segment_s: float = 60.0,
        by_clock: bool = False,
        container: str = "mp4",
        status: OutputStatus | None = None,
        stall_s: float = 8.0,
        keeper: Keeper | None = None,
        retention: Retention | None = None,
        gate: EventGate | None = None,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        if container not in FORMATS:
            raise OutputError(f"cannot record as {container}", hint=f"one of {', '.join(FORMATS)}", permanent=True)
        self._directory = Path(directory)
        self._stream = stream
        self._ffmpeg = find_ffmpeg(ffmpeg)
        self._segment_ms = round(segment_s * 1000)
        self._by_clock = by_clock
        self._container = container
        self._status = status
        self._stall_s = stall_s
        self._keeper = keeper
        self._shelf = keeper.shelf(self._directory, stream, retention or Retention(), status) if keeper else None
        self._gate = gate
        self._now_ms = now_ms
        self._names = Names(self._directory, stream, container, now_ms)
        self._index = index_of(self._directory)
        self._header: StreamHeader | None = None
        self._segment: Segment | None = None
        self._ending = Ending(now_ms)
        self._unsaved = Unsaved()
        self._before: Loss | None = None
        self._replacements = Budget()
        self._cancelled = False
        self._finishing: dict[Path, threading.Thread] = {}
        self._mount: Path | None = None
        self._count_lock = threading.Lock()

    def open(self, header: StreamHeader) -> None:
        """Check the directory, look after left-over parts; the first segment begins with the first keyframe."""
        self._check_mount()
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._mount = _mount_point(self._directory)
            if not os.access(self._directory, os.W_OK | os.X_OK):
                raise PermissionError(0, "permission denied")
            self._look_after([part for part in leftovers(self._directory, self._stream) if part not in self._finishing])
        except OSError as exc:
            raise disk_error(self._what, exc.strerror or str(exc)) from None
        self._header = header
        self._cancelled = False
        if self._gate is not None:
            self._gate.start_anew()

    def write(self, tag: Tag) -> None:
        """Write one tag, into the next segment when it is time for that.

        Raises:
            OutputError: the disk is full, gone, read-only or hangs.
        """
        now_ms = self._now_ms()
        if self._gate is None:
            self._record(tag, now_ms, None)
            return
        step = self._gate.next(tag, now_ms)
        if step.closes:
            self._drain()
            self._let_go()
        if isinstance(self._status, RecordStatus):
            self._status.events += step.begins
            self._status.activity = "waiting for presence" if self._gate.waiting else "recording an event"
        for held in step.held:
            self._record(held.tag, held.wall_ms, step.event, begins=step.begins)

    def _record(self, tag: Tag, wall_ms: int, event: Event | None, *, begins: bool = False) -> None:
        if tag.keyframe and self._segment is not None and self._is_due(self._segment, tag, wall_ms):
            self._drain()  # may have put another one in its place, that is not due
        if tag.keyframe and (self._segment is None or self._is_due(self._segment, tag, wall_ms)):
            self._next_segment(tag, wall_ms, event, begins=begins and self._segment is None)
        if self._segment is None:
            return
        if tag.keyframe and not self._segment.part.exists():
            # The child would go on writing to a file that has no name any more.
            self._segment.cancel()
            raise disk_error(self._what, "no such file")
        self._unsaved.add(Held(tag, wall_ms))
        segment = self._segment
        self._guarded(segment, lambda: segment.write(tag))

    def _drain(self) -> None:
        """Before a segment is let go: what a child has not read could not be given to another one afterwards."""
        if self._segment is not None:
            self._guarded(self._segment, self._segment.drain)

    def _guarded(self, segment: Segment, call: Callable[[], None]) -> None:
        """Call what needs the segment's child, and replace that one if it fails."""
        try:
            call()
        except ChildDied as died:
            # By a signal: nobody's fault. With words about the disk: the disk's, even if it had to be killed then.
            of_disk = died.returncode >= 0 or disk_error(self._what, died.words).hint != ""
            if of_disk or not self._replaced(died):
                raise self._disk_error(died.words) from None
        except ChildStalled as stalled:
            segment.cancel()  # it would not use the time to finish
            if not self._replaced(stalled):
                raise OutputError(f"{self._what}: the disk took nothing for {self._stall_s:g} s") from None

    def _replaced(self, why: OutputError) -> bool:
        """Give what a dead child has not written to another one, unless that happens too often."""
        assert self._segment is not None
        if self._cancelled or not self._replacements.spend():
            return False
        segment, self._segment = self._segment, None
        on_disk_ms = self._finish(segment)
        self._ending.at(segment, on_disk_ms)
        again = self._unsaved.since(segment.start_ms + on_disk_ms + segment.step_ms / 2)
        _log.warning("%s: %s; its last %d tags go to the next segment", segment.part, why, len(again))
        if self._status is not None:
            self._status.starts += 1
        for held in again:
            self._record(held.tag, held.wall_ms, segment.event)
        return True

    def _is_due(self, segment: Segment, tag: Tag, wall_ms: int) -> bool:
        """Whether the next segment begins with this keyframe."""
        length_ms = tag.timestamp_ms - segment.start_ms
        if not self._by_clock:
            return length_ms >= self._segment_ms
        # A clock that is put back again and again must not make a segment endless.
        cut = wall_ms // self._segment_ms != segment.wall_ms // self._segment_ms
        return cut or length_ms >= 2 * self._segment_ms

    def close(self) -> None:
        """Close the last segment and wait until all are whole."""
        if isinstance(self._status, RecordStatus):
            self._status.activity = ""
        if self._segment is not None:
            segment, self._segment = self._segment, None
            self._ending.at(segment, self._finish(segment))
        for part, thread in list(self._finishing.items()):
            thread.join(_FINISH_S + 2.0)
            if not thread.is_alive():
                del self._finishing[part]

    def cancel(self) -> None:
        """Cut a blocked call short, from any thread. What is on disk stays playable."""
        self._cancelled = True
        segment = self._segment
        if segment is not None:
            segment.cancel()

    def _disk_error(self, words: str) -> OutputError:
        """What the child's last words mean; where the disk is full, room is made for the next try."""
        if self._keeper is not None and self._shelf is not None and "no space" in words.lower():
            with contextlib.suppress(OutputError):
                self._keeper.make_room(self._shelf, full=True)
        return disk_error(self._what, words)

    @property
    def _what(self) -> str:
        return f"cannot record to {self._directory}"

    def _let_go(self) -> None:
        """Close the segment, if one is open, on a thread of its own."""
        old, self._segment = self._segment, None
        if old is None:
            return
        # The old child may take its time with the disk; the new one is not to wait for it.
        old.finish()
        self._ending.at(old, old.duration_ms)
        thread = threading.Thread(target=self._finish_late, args=(old,), name=f"{self._stream}:segment", daemon=True)
        thread.start()
        self._finishing = {part: running for part, running in self._finishing.items() if running.is_alive()}
        self._finishing[old.part] = thread
        self._before = old.loss

    def _finish_late(self, segment: Segment) -> None:
        segment.loss.is_now(segment.duration_ms - self._finish(segment))

    def _next_segment(self, tag: Tag, wall_ms: int, event: Event | None, *, begins: bool) -> None:
        assert self._header is not None, "open() comes first"
        self._let_go()
        self._unsaved.clear()
        self._check_mount()
        if self._keeper is not None and self._shelf is not None:
            self._keeper.make_room(self._shelf)
        try:
            part = self._names.next(wall_ms)
        except OSError as exc:
            raise self._disk_error(exc.strerror or str(exc)) from None
        child = Child(
            self._command(part, self._header),
            f"{self._stream}:record",
            stall_s=self._stall_s,
            pipe_bytes=_PIPE_BYTES,
        )
        start_ms = tag.timestamp_ms
        gap_ms = _late_ms(event, start_ms) if event and begins else self._ending.gap_ms(start_ms)
        self._segment = Segment(child, part, start_ms, wall_ms, gap_ms, event, self._before)
        self._before = None
        try:
            child.write(self._header.wire)
        except ChildDied as died:
            raise self._disk_error(died.words) from None

    def _check_mount(self) -> None:
        if self._mount is not None and not self._mount.is_mount():
            # The directory below would be on another disk, that nobody meant to fill.
            raise OutputError(f"{self._what}: {self._mount} is not mounted any more", hint="is the disk plugged in?")

    def _command(self, part: Path, header: StreamHeader) -> list[str]:
        name, options = FORMATS[self._container]
        source = ffmpeg.input("pipe:0", f="flv", probesize=probe_bytes(header), analyzeduration=1)
        # Sound that pauses must not hold pictures back in memory, where a kill would find them.
        target = source.output(
            f"file:{part}", map="0", c="copy", f=name, flush_packets=1, max_interleave_delta=200000, **options
        )
        command: list[str] = target.global_args("-hide_banner", "-loglevel", "error", "-nostats", "-y").compile(
            cmd=self._ffmpeg
        )
        return command

    def _finish(self, segment: Segment) -> int:
        """Close a segment, and tell the index; gives how many milliseconds of stream are on the disk."""
        code = segment.close(_FINISH_S)
        if not segment.part.exists():
            _log.warning("%s: it was removed while it was written; %d pictures are lost", segment.part, segment.frames)
            return 0
        try:
            if code == 0:
                return self._tell_closed(segment, publish_segment(segment.part), segment.frames, segment.duration_ms)
            _log.warning("%s: the segment ended with code %d: %s", segment.part, code, segment.words())
            for kept in salvage([segment.part]):
                return self._tell_closed(segment, kept, *measure(kept))
        except OSError as exc:
            _log.error("%s: cannot be closed: %s", segment.part, exc.strerror)
        return 0

    def _tell_closed(self, segment: Segment, final: Path, frames: int, duration_ms: int) -> int:
        begin_ms, gap_ms = segment.wall_ms, segment.gap_before_ms
        if segment.before is not None:
            gap_ms = (gap_ms or 0) + segment.before.wait_ms(_FINISH_S)
        entry = Entry(self._stream, final.name, begin_ms, begin_ms + duration_ms, final.stat().st_size)
        recovered = is_recovered(final.name)
        entry = replace(entry, frames=frames, gap_before_ms=gap_ms, gaps_ms=segment.gaps_ms, recovered=recovered)
        self._index.closed(replace(entry, **_why(segment)))
        if self._status is not None:
            with self._count_lock:
                self._status.recordings += 1
                # Of two that are closed at once, either may come first.
                self._status.last_file = max(self._status.last_file, str(final))
                if isinstance(self._status, RecordStatus):
                    self._status.recovered += recovered
                    self._status.gaps_ms += (gap_ms or 0) + segment.gaps_ms
        return duration_ms

    def _look_after(self, parts: list[Path]) -> None:
        """Save what a crash has left, make the index true, and go on after the last name."""
        for kept in salvage(parts):
            frames, duration_ms = measure(kept)
            begin_ms = stamp_ms(self._stream, kept.name) or 0
            size = kept.stat().st_size
            self._index.closed(
                Entry(self._stream, kept.name, begin_ms, begin_ms + duration_ms, size, frames, recovered=True)
            )
            if isinstance(self._status, RecordStatus):
                self._status.recovered += 1
        entries = self._index.repair(self._stream)
        self._names.follow(path.name for path in (*parts, *recordings(self._directory, self._stream)))
        if entries:
            self._ending.earlier(entries[-1].end_ms)


def _why(segment: Segment) -> dict[str, Any]:
    """What the index is told of the reason for a segment."""
    event = segment.event
    if event is None:
        return {"reason": "always"}
    return {
        "reason": "presence",
        "appeared_ms": event.wall_ms,
        "pre_roll_ms": max(0, event.start_ms - segment.start_ms),
    }


def _late_ms(event: Event, start_ms: int) -> int:
    """How much of an event is missing before its first segment, which begins at ``start_ms``."""
    late_ms = start_ms - max(0, event.start_ms)
    return late_ms if late_ms > GAP_MS else 0


def _mount_point(directory: Path) -> Path:
    resolved = directory.resolve()  # a link is no mount, wherever it leads
    return next(path for path in (resolved, *resolved.parents) if path.is_mount())
