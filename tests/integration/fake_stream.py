"""A stream made of a real encoder (ffmpeg's test picture) and a real hub, without camera, model and daemon."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from fractions import Fraction
from types import TracebackType
from typing import BinaryIO, Self, cast

import numpy as np

from edgeseg.encoding.hub import Hub
from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.flv import FlvReader
from edgeseg.status import LatestFrame, StreamStatus, Subscriber
from edgeseg.types import Colour, Frame, State


class FakeStream:
    """Meets ``StreamView``; a context manager that runs ffmpeg in real time."""

    def __init__(self, name: str = "door", *, size: str = "640x360", fps: int = 30, sound: bool = True) -> None:
        self.status = StreamStatus(name, effect="blur", model="selfie")
        self.latest = LatestFrame()
        self.hub = Hub(name, expects_audio=sound)
        self._size, self._fps, self._sound = size, fps, sound
        self._over = threading.Event()

    def subscribe(self, subscriber: Subscriber) -> None:
        self.hub.subscribe(subscriber)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        self.hub.unsubscribe(subscriber)

    def pause(self) -> None:
        """The camera hangs: nothing comes, and nothing ends."""
        self._ffmpeg.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._ffmpeg.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        picture = ["-re", "-f", "lavfi", "-i", f"testsrc2=s={self._size}:r={self._fps}"]
        sound = ["-re", "-f", "lavfi", "-i", "sine=f=440:r=48000", "-c:a", "aac"] if self._sound else []
        video = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "60"]
        flags = ["-flags", "+global_header", "-flvflags", "no_duration_filesize", "-flush_packets", "1", "-f", "flv"]
        self._ffmpeg = subprocess.Popen(
            [find_ffmpeg(), "-loglevel", "error", *picture, *sound, *video, "-b:v", "1M", *flags, "pipe:1"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._reading = threading.Thread(target=self._read, name="fake:read", daemon=True)
        self._offering = threading.Thread(target=self._offer, name="fake:frames", daemon=True)
        self._reading.start()
        self._offering.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._ffmpeg.kill()
        self._reading.join(5)
        self._offering.join(5)
        self._ffmpeg.wait(5)

    def _read(self) -> None:
        assert self._ffmpeg.stdout
        with self._ffmpeg.stdout as stdout:
            for tag in FlvReader(cast(BinaryIO, stdout)):
                self.hub.tag(tag)
                self.status.last_output_at = time.monotonic()
                self.status.state = State.RUNNING
        self.hub.end()

    def _offer(self) -> None:
        width, height = (int(part) for part in self._size.split("x"))
        self.status.width, self.status.height, self.status.fps = width, height, float(self._fps)
        half = ((height + 1) // 2, (width + 1) // 2)
        planes = np.full((height, width), 81, np.uint8), np.full(half, 90, np.uint8), np.full(half, 240, np.uint8)
        pts = 0
        while not self._over.wait(0.03):
            pts += 1
            self.latest.offer(Frame(*planes, pts, Fraction(1, 30), Colour(), time.monotonic()))
            self.status.latency.observe(0.031)
            self.status.mask_age.observe(0.012)
            self.status.count("composite", "ok")
