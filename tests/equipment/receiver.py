"""A viewer: ffmpeg, which pulls a stream into a file without decoding it."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from edgeseg.ffmpeg import find_ffmpeg


class Receiver:
    """A context manager that pulls ``url`` into ``path`` (Matroska) until the stream ends or it is stopped.

    Start it before the publisher, to have the first picture. Timestamps are the stream's, in milliseconds.
    """

    def __init__(self, url: str, path: Path, *, ffmpeg: str = "", options: tuple[str, ...] = ()) -> None:
        self.path = path
        self._log = path.with_suffix(".log")
        binary = ffmpeg or find_ffmpeg()
        self._command = [binary, "-hide_banner", "-nostdin", "-loglevel", "warning", *options, "-i", url, "-copyts"]
        self._command += ["-map", "0:v", "-map", "0:a?", "-c", "copy", "-f", "matroska", "-y", str(path)]

    def __enter__(self) -> Self:
        with self._log.open("wb") as words:
            self._ffmpeg = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=words, stderr=words, start_new_session=True
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ffmpeg.poll() is None:
            self._ffmpeg.kill()
        self._ffmpeg.wait(10)

    def wait(self, timeout_s: float) -> Path:
        """The file, after the stream has ended."""
        try:
            self._ffmpeg.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the receiver got no end within {timeout_s} s: {self.log()}") from None
        return self.path

    def stop(self) -> Path:
        """Leave; gives the file with all that came."""
        self._ffmpeg.send_signal(signal.SIGINT)
        return self.wait(10)

    @property
    def bytes(self) -> int:
        """How much has come; raises when the receiver has ended."""
        if self._ffmpeg.poll() is not None:
            raise AssertionError(f"the receiver ended with {self._ffmpeg.returncode}: {self.log()}")
        return self.path.stat().st_size if self.path.exists() else 0

    def log(self) -> str:
        return self._log.read_text()[-2000:]
