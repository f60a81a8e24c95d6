"""Which ffmpeg binary runs, how it is ended, and what its last words were."""

from __future__ import annotations

import collections
import contextlib
import os
import re
import shutil
import signal
import subprocess
import threading
from pathlib import Path
from typing import IO

from edgeseg.errors import ConfigError
from edgeseg.redact import redact


def find_ffmpeg(setting: str = "auto") -> str:
    """The binary to run: ``setting`` if it is a path, else the system's, else the one of imageio-ffmpeg.

    Raises:
        ConfigError: the path does not exist, or there is no ffmpeg at all.
    """
    if setting != "auto":
        found = shutil.which(setting)
        if found is None:
            raise ConfigError(f"ffmpeg: {setting} is not a program that can be run", hint="give a path, or 'auto'")
        return found
    found = shutil.which("ffmpeg")
    if found is not None:
        return found
    try:
        import imageio_ffmpeg

        return str(Path(imageio_ffmpeg.get_ffmpeg_exe()))
    except (ImportError, RuntimeError) as exc:
        raise ConfigError(
            "no ffmpeg on this machine", hint="apt install ffmpeg, or pip install imageio-ffmpeg"
        ) from exc


# What ffmpeg says after the reason, whatever the reason was.
_AFTERMATH = re.compile(
    r"^(Task finished|Terminating thread|Nothing was written|Conversion failed|Error sending frames|"
    r"Error while opening encoder|Could not open encoder)"
)
_PREFIX = re.compile(r"^(\[[^\]]* @ 0x[0-9a-f]+\] )+")


def clean_line(raw: bytes) -> str:
    """One line of ffmpeg's stderr without its ``[context @ address]`` prefix and without secrets."""
    return redact(_PREFIX.sub("", raw.decode("utf-8", "replace").strip()))


def kill_group(child: subprocess.Popen[bytes]) -> None:
    """Kill a child that has a session of its own, and all that it has started: ``ffmpeg`` may be a script around it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


class LastWords:
    """Drains a child's stderr and keeps its last lines, redacted, for the error that may come."""

    def __init__(self, stream: IO[bytes], name: str, keep: int = 12) -> None:
        self._lines: collections.deque[str] = collections.deque(maxlen=keep)
        self._thread = threading.Thread(target=self._drain, args=(stream,), name=f"{name}:stderr", daemon=True)
        self._thread.start()

    def _drain(self, stream: IO[bytes]) -> None:
        with stream:
            for raw in stream:
                line = clean_line(raw)
                if line and not _AFTERMATH.match(line):
                    self._lines.append(line)

    def text(self, timeout_s: float = 0.5) -> str:
        """The last lines in one, after waiting up to ``timeout_s`` for the end of the stream."""
        self._thread.join(timeout_s)
        return "; ".join(list(self._lines)[-3:])
