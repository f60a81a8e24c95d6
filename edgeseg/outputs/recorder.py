"""Keeps a copy of a stream on disk, in segments that survive whatever ends them."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import ffmpeg

from edgeseg.errors import OutputError
from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.outputs.child import Child, ChildDied, ChildStalled
from edgeseg.outputs.complaints import disk_error
from edgeseg.outputs.probing import probe_bytes
from edgeseg.outputs.segments import FORMATS, leftovers, new_part, publish_segment, salvage
from edgeseg.retiming import Rebase
from edgeseg.status import OutputStatus
from edgeseg.types import StreamHeader, Tag

_log = logging.getLogger(__name__)

# The last fragment, and on a slow disk the wait for it.
_FINISH_S = 8.0


class Recorder:
    """Writes a stream to ``directory`` as ``<stream>-<UTC time>.<container>``, each segment by a child of its own.

    A segment is called ``*.part`` until it is closed. The next one begins with the first keyframe after ``segment_s``,
    at once: the old child is waited for on another thread. No picture is in two segments or in none. Every segment
    starts at time 0. The first ``open`` looks after what a crash has left.

    Args:
        directory: where to; made if it does not exist.
        stream: the first part of the names.
        ffmpeg: the binary.
        segment_s: how long a segment is at least.
        container: "mp4" (fragmented), "mkv" or "ts".
        status: told about closed segments, if given.
        stall_s: how long the disk may take nothing.

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
        container: str = "mp4",
        status: OutputStatus | None = None,
        stall_s: float = 5.0,
    ) -> None:
        if container not in FORMATS:
            raise OutputError(f"cannot record as {container}", hint=f"one of {', '.join(FORMATS)}", permanent=True)
        self._directory = Path(directory)
        self._stream = stream
        self._ffmpeg = find_ffmpeg(ffmpeg)
        self._segment_ms = round(segment_s * 1000)
        self._container = container
        self._status = status
        self._stall_s = stall_s
        self._header: StreamHeader | None = None
        self._segment: _Segment | None = None
        self._finishing: list[threading.Thread] = []
        self._looked_after = False
        self._count_lock = threading.Lock()

    def open(self, header: StreamHeader) -> None:
        """Check the directory; the first segment begins with the first keyframe."""
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise disk_error(self._what, exc.strerror or str(exc)) from None
        if not os.access(self._directory, os.W_OK | os.X_OK):
            raise disk_error(self._what, "permission denied")
        if not self._looked_after:
            self._looked_after = True
            salvage(leftovers(self._directory, self._stream))
        self._header = header

    def write(self, tag: Tag) -> None:
        """Write one tag, into the next segment when it is time for that.

        Raises:
            OutputError: the disk is full, gone, read-only or hangs.
        """
        if tag.keyframe and (self._segment is None or tag.timestamp_ms - self._segment.start_ms >= self._segment_ms):
            self._next_segment(tag)
        if self._segment is None:
            return
        try:
            self._segment.write(tag)
        except ChildDied as died:
            raise disk_error(self._what, died.words) from None
        except ChildStalled:
            raise OutputError(f"{self._what}: the disk took nothing for {self._stall_s:g} s") from None

    def close(self) -> None:
        """Close the last segment and wait until all are whole."""
        if self._segment is not None:
            self._finish(self._segment)
            self._segment = None
        for thread in self._finishing:
            thread.join(_FINISH_S + 2.0)
        self._finishing.clear()

    def cancel(self) -> None:
        """Cut a blocked call short, from any thread. What is on disk stays playable."""
        segment = self._segment
        if segment is not None:
            segment.cancel()

    @property
    def _what(self) -> str:
        return f"cannot record to {self._directory}"

    def _next_segment(self, tag: Tag) -> None:
        assert self._header is not None, "open() comes first"
        old, self._segment = self._segment, None
        if old is not None:
            # The old child may take its time with the disk; the new one is not to wait for it.
            old.finish()
            thread = threading.Thread(target=self._finish, args=(old,), name=f"{self._stream}:segment", daemon=True)
            thread.start()
            self._finishing = [running for running in self._finishing if running.is_alive()]
            self._finishing.append(thread)
        try:
            part = new_part(self._directory, self._stream, self._container)
        except OSError as exc:
            raise disk_error(self._what, exc.strerror or str(exc)) from None
        child = Child(self._command(part, self._header), f"{self._stream}:record", stall_s=self._stall_s)
        self._segment = _Segment(child, part, tag.timestamp_ms)
        try:
            child.write(self._header.wire)
        except ChildDied as died:
            raise disk_error(self._what, died.words) from None

    def _command(self, part: Path, header: StreamHeader) -> list[str]:
        name, options = FORMATS[self._container]
        source = ffmpeg.input("pipe:0", f="flv", probesize=probe_bytes(header), analyzeduration=1)
        # Sound that pauses must not hold pictures back in memory, where a kill would find them.
        target = source.output(
            f"file:{part}", map="0", c="copy", f=name, flush_packets=1, max_interleave_delta=200000, **options
        )
        command: list[str] = target.global_args("-hide_banner", "-loglevel", "error", "-nostats", "-n").compile(
            cmd=self._ffmpeg
        )
        return command

    def _finish(self, segment: _Segment) -> None:
        code = segment.close()
        if not segment.part.exists():
            return
        if code != 0:
            _log.warning("%s: the segment ended with code %d: %s", segment.part, code, segment.words())
            final = next(iter(salvage([segment.part])), None)
        else:
            try:
                final = publish_segment(segment.part)
            except OSError as exc:
                _log.error("%s: cannot be closed: %s", segment.part, exc.strerror)
                return
        if final is not None and self._status is not None:
            with self._count_lock:
                self._status.recordings += 1
                # Of two that are closed at once, either may come first.
                self._status.last_file = max(self._status.last_file, str(final))


class _Segment:
    """One child and the file that it writes."""

    def __init__(self, child: Child, part: Path, start_ms: int) -> None:
        self.part = part
        self.start_ms = start_ms
        self._child = child
        self._rebase = Rebase()

    def write(self, tag: Tag) -> None:
        self._child.write(self._rebase.next(tag).wire)

    def finish(self) -> None:
        self._child.finish()

    def cancel(self) -> None:
        self._child.cancel()

    def close(self) -> int:
        return self._child.close(_FINISH_S)

    def words(self) -> str:
        return self._child.words()
