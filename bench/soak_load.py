"""What a soak test puts the daemon through: two streams, viewers, a server and a camera that come and go."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml
from cost import ROOT, MeasurementError
from rtmp_server import free_port

# Failures are forgotten after a stable minute: then the waits do not grow from one absence to the next.
_SERVER_UP_S, _SERVER_AWAY_S = 63.0, 4.0
_CAMERA_UP_S, _CAMERA_AWAY_S = 71.0, 5.0
_VIEWER_S, _BETWEEN_VIEWERS_S = 2.5, 1.0
# Closed segments that are kept: the soak is of the daemon, not of the disk.
_KEPT_SEGMENTS = 3
_SEGMENT_S = 10
STREAMS = ("published", "recorded")


@contextlib.contextmanager
def load(ffmpeg: str, folder: Path) -> Iterator[int]:
    """Run the daemon under churn; gives its HTTP port.

    Raises:
        MeasurementError: the daemon does not start, or has ended before it was told to, or did not end well.
    """
    http, rtmp, camera = free_port(), free_port(), f"http://127.0.0.1:{free_port()}/camera.flv"
    url = f"rtmp://127.0.0.1:{rtmp}/live/soak"
    config = folder / "soak.yaml"
    config.write_text(yaml.safe_dump(_configuration(ffmpeg, folder, http, url, camera)))
    log = folder / "soak.log"
    with log.open("wb") as words:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "edgeseg", "run", "-c", str(config)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=words,
            start_new_session=True,
        )
    over = threading.Event()
    churn = [
        threading.Thread(target=_repeat, args=(over, _SERVER_AWAY_S, lambda: _serve(ffmpeg, url, over))),
        threading.Thread(target=_repeat, args=(over, _CAMERA_AWAY_S, lambda: _film(ffmpeg, camera, over))),
        *(
            threading.Thread(target=_repeat, args=(over, _BETWEEN_VIEWERS_S, lambda s=stream: _view(http, s, over)))
            for stream in STREAMS
        ),
        threading.Thread(target=_repeat, args=(over, _SEGMENT_S, lambda: _tidy(folder))),
    ]
    try:
        for thread in churn:
            thread.start()
        _wait_for_answer(http, daemon, log)
        yield http
        if daemon.poll() is not None:
            raise MeasurementError(f"the daemon ended with {daemon.returncode}: {log.read_text()[-1000:]}")
    finally:
        over.set()
        daemon.terminate()
        try:
            code = daemon.wait(15)
        except subprocess.TimeoutExpired:
            daemon.kill()
            code = daemon.wait()
        for thread in churn:
            if thread.ident is not None:
                thread.join(10)
    if code != 0:
        raise MeasurementError(f"the daemon ended with {code}: {log.read_text()[-1000:]}")


def _configuration(ffmpeg: str, folder: Path, http: int, url: str, camera: str) -> dict[str, object]:
    common = {"encoder": {"bitrate": "400k"}}
    streams = {
        "published": {
            "source": {"url": "test:", "size": "640x360", "fps": 15},
            "effect": {"type": "replace", "color": "magenta"},
            "publish": url,
            "record": {"directory": str(folder / "published"), "segment_s": _SEGMENT_S},
        },
        "recorded": {
            "source": {"url": camera, "read_timeout_s": 3},
            "effect": "blur",
            "record": {"directory": str(folder / "recorded"), "segment_s": _SEGMENT_S, "container": "mkv"},
        },
    }
    return {
        "http": {"port": http},
        "ffmpeg": ffmpeg,
        "log": {"level": "warning"},
        "streams": {name: {**stream, **common} for name, stream in streams.items()},
    }


def _repeat(over: threading.Event, pause_s: float, turn: Callable[[], None]) -> None:
    while not over.wait(pause_s):
        turn()


def _serve(ffmpeg: str, url: str, over: threading.Event) -> None:
    """An RTMP server for one publisher, which is killed after a while."""
    _run_for(_SERVER_UP_S, [ffmpeg, "-listen", "1", "-i", url, "-c", "copy", "-f", "null", "-"], over)


def _film(ffmpeg: str, url: str, over: threading.Event) -> None:
    """A camera for one viewer, which is switched off after a while."""
    picture = ["-re", "-f", "lavfi", "-i", "testsrc2=s=320x240:r=15", "-c:v", "libx264", "-preset", "ultrafast"]
    picture += ["-tune", "zerolatency", "-g", "15", "-pix_fmt", "yuv420p"]
    _run_for(_CAMERA_UP_S, [ffmpeg, *picture, "-f", "flv", "-listen", "1", url], over)


def _run_for(seconds: float, command: list[str], over: threading.Event) -> None:
    process = subprocess.Popen(
        [*command[:1], "-nostdin", "-v", "quiet", *command[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    over.wait(seconds)
    process.kill()
    process.wait()


def _view(http: int, stream: str, over: threading.Event) -> None:
    """Somebody who watches for a while and leaves without a word."""
    until = time.monotonic() + _VIEWER_S
    with (
        contextlib.suppress(OSError),
        urllib.request.urlopen(f"http://127.0.0.1:{http}/streams/{stream}/live.flv", timeout=5) as answer,
    ):
        while time.monotonic() < until and not over.is_set() and answer.read(4096):
            pass


def _tidy(folder: Path) -> None:
    for stream in STREAMS:
        closed = sorted(file for file in (folder / stream).glob("*") if file.suffix != ".part")
        for file in closed[:-_KEPT_SEGMENTS]:
            file.unlink()


def _wait_for_answer(http: int, daemon: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and daemon.poll() is None:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{http}/readyz", timeout=5) as answer,
        ):
            if answer.status == 200:
                return
        time.sleep(0.2)
    raise MeasurementError(f"the daemon is not ready: {log.read_text()[-1000:]}")
