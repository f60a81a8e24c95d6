"""A real RTSP camera: GStreamer's server, which sends a file as H.264 and AAC."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import pytest

from edgeseg.ffmpeg import find_ffmpeg
from tests.ports import free_port
from tests.waiting import wait_until

_PYTHON = "/usr/bin/python3"
_SCRIPT = Path(__file__).with_name("gst_rtsp_server.py")
_NEEDED = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"


class RtspCamera:
    """A context manager; the picture is at ``url``. Skips where GStreamer's RTSP server is not installed.

    Each client gets the file from its beginning. ``stop`` and ``start`` are the mains plug: the camera goes away at
    once, and comes back at the same address.

    Args:
        file: an MP4 with H.264 without B-frames, and AAC if it has sound.
        turns: how often the file is played, one after the other without a gap.
        user, password: what the camera asks for, if anything.
    """

    def __init__(self, file: Path, *, turns: int = 1, user: str = "", password: str = "") -> None:
        self._file = file
        self._turns = turns
        self._login = (user, password)
        self._port = free_port()
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        user, password = self._login
        return self.url_for(user, password)

    def url_for(self, user: str, password: str) -> str:
        """The address with another login."""
        login = f"{quote(user)}:{quote(password)}@" if user else ""
        return f"rtsp://{login}127.0.0.1:{self._port}/cam"

    def __enter__(self) -> Self:
        if not Path(_PYTHON).exists() or subprocess.run([_PYTHON, "-c", _NEEDED], capture_output=True).returncode:
            pytest.skip("GStreamer's RTSP server is not installed (tests/install_servers.sh)")
        self._folder = Path(tempfile.mkdtemp(prefix="edgeseg-camera-"))
        try:
            self._played = self._file if self._turns == 1 else self._repeated()
            self._has_sound = _has_sound(self._played)
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        command = [_PYTHON, str(_SCRIPT), str(self._played), str(self._port), "yes" if self._has_sound else "no"]
        if self._login[0]:
            command.append(":".join(self._login))
        self._log = self._folder / "server.log"
        with self._log.open("wb") as words:
            self._server = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=words, stderr=words, start_new_session=True
            )
        wait_until(self._listens, 10, "the camera's start")

    def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.kill()
            server.communicate(timeout=10)

    def _listens(self) -> bool:
        told = self._log.read_text()
        assert self._server is not None
        if self._server.poll() is not None:
            raise AssertionError(f"the camera ended with {self._server.returncode}: {told[-1000:]}")
        return "ready\n" in told

    def _repeated(self) -> Path:
        """A copy that lasts for all turns: the server itself plays a file once."""
        target = self._folder / "turns.mp4"
        command = [find_ffmpeg(), "-v", "error", "-stream_loop", str(self._turns - 1), "-i", str(self._file)]
        subprocess.run([*command, "-c", "copy", str(target)], check=True, timeout=60)
        return target


def _has_sound(file: Path) -> bool:
    import av

    with av.open(str(file)) as container:
        return bool(container.streams.audio)
