"""An encoder as the daemon starts it, alone: pictures in, its CPU time out."""

from __future__ import annotations

import subprocess
from types import TracebackType
from typing import IO

from edgeseg.benchmark import processes
from edgeseg.encoding.command import EncoderSettings, encode_command
from edgeseg.encoding.matroska import VIDEO_TRACK, RawFormat, block_head, header
from edgeseg.encoding.rawpipe import RawPipe
from edgeseg.errors import EncoderError
from edgeseg.ffmpeg import LastWords
from edgeseg.frames import Canvas, CanvasPool

_END_S = 20.0


class LoneEncoder:
    """Encodes pictures at their nominal rate. A context manager: leaving it by an error ends the child at once.

    Args:
        settings: how to encode.
        raw: what the pictures are.
        target: where the encoded stream goes; None throws it away.
    """

    def __init__(self, settings: EncoderSettings, raw: RawFormat, target: IO[bytes] | None = None) -> None:
        self.pool = CanvasPool(raw.width, raw.height, raw.colour)
        self._period_ms = 1000 / float(raw.fps)
        self._count = 0
        self._child = subprocess.Popen(
            encode_command(settings, raw),
            stdin=subprocess.PIPE,
            stdout=target or subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        assert self._child.stdin is not None
        assert self._child.stderr is not None
        self._words = LastWords(self._child.stderr, "bench:encoder")
        self._pipe = RawPipe(self._child.stdin, self.pool.give)
        self._guarded(header(raw))

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def cpu_s(self) -> float:
        """CPU seconds that the child has taken so far."""
        return processes.cpu_s(self._child.pid)

    def picture(self, canvas: Canvas) -> None:
        """Encode ``canvas``, which goes back to the pool by itself. Waits while the encoder is busy.

        Raises:
            EncoderError: the encoder has died.
        """
        head = block_head(VIDEO_TRACK, round(self._count * self._period_ms), canvas.buffer.nbytes)
        self._count += 1
        self._guarded(head, canvas)

    def __enter__(self) -> LoneEncoder:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if kind is not None:
            self._child.kill()
        try:
            assert self._child.stdin is not None
            self._child.stdin.close()
            code = self._child.wait(_END_S)
        except BaseException as exc:
            self._child.kill()
            self._child.wait()
            if isinstance(exc, subprocess.TimeoutExpired):
                raise EncoderError(f"the encoder did not end within {_END_S:g} s") from exc
            raise
        if kind is None and code != 0:
            raise self._died()

    def _guarded(self, head: bytes, canvas: Canvas | None = None) -> None:
        try:
            self._pipe.write(head) if canvas is None else self._pipe.picture(head, canvas)
        except OSError as exc:
            raise self._died() from exc

    def _died(self) -> EncoderError:
        return EncoderError(f"the encoder died: {self._words.text() or 'it said nothing'}")
