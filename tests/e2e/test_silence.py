"""A camera without sound gets a silent track: at a real server and in the recording, over a restart of the encoder."""

from __future__ import annotations

import os
import signal
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from tests.e2e.daemon import Daemon, descendants
from tests.equipment.nginx_rtmp import NginxRtmp
from tests.equipment.receiver import Receiver
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

FPS = 25
_APART_S = 0.04


def test_pictures_alone_get_silence(tmp_path: Path) -> None:
    recordings = tmp_path / "recordings"
    camera = {
        "source": {"url": "test:", "size": "320x240", "fps": FPS},
        "effect": "passthrough",
        "allow_uncovered": True,
    }
    with NginxRtmp() as server, Receiver(server.url("cam"), tmp_path / "received.mkv") as receiver:
        wait_until(lambda: server.clients("cam") == 1, 10, "the receiver's connection")
        stream = {**camera, "audio": "silence", "publish": server.url("cam"), "record": str(recordings)}
        with Daemon(tmp_path, {"cam": stream}) as daemon:
            wait_until(lambda: _frames(daemon) >= 4 * FPS, 20, "four seconds")
            os.kill(_encoder(daemon), signal.SIGKILL)
            wait_until(
                lambda: daemon.metric("edgeseg_encoder_restarts_total", stream="cam") >= 1, 10, "another encoder"
            )
            before = _frames(daemon)
            wait_until(lambda: _frames(daemon) >= before + 4 * FPS, 20, "four seconds more")
            code, _ = daemon.stop()
        assert code == 0, daemon.log()
        received = receiver.wait(20)
    (recording,) = recordings.glob("*.mp4")
    for file in (received, recording):
        pictures, sounds = _read(file)
        print(f"{file.name}: begins {sounds[0] - pictures[0]:+.3f} s, ends {sounds[-1] - pictures[-1]:+.3f} s")
        assert len(pictures) >= 8 * FPS
        assert abs(sounds[0] - pictures[0]) <= _APART_S
        assert abs(sounds[-1] + 0.0213 - (pictures[-1] + 1 / FPS)) <= _APART_S
        assert max(b - a for a, b in pairwise(sounds)) <= 0.024


def _encoder(daemon: Daemon) -> int:
    """The only child that writes to its stdout."""
    (pid,) = (pid for pid in descendants(daemon.pid) if b"pipe:1" in Path(f"/proc/{pid}/cmdline").read_bytes())
    return pid


def _frames(daemon: Daemon) -> int:
    return int(daemon.api("cam")["frames"].get("encode.out", 0))


def _read(file: Path) -> tuple[list[float], list[float]]:
    """The times of pictures and of sounds, all of which were decoded; the sounds are silent, stereo, at 48 kHz."""
    times: dict[str, list[float]] = {"video": [], "audio": []}
    with av.open(str(file)) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
        for frame in container.decode(video=0, audio=0):
            assert frame.time is not None
            if isinstance(frame, av.AudioFrame):
                assert (frame.sample_rate, frame.layout.name) == (48_000, "stereo")
                assert not np.any(frame.to_ndarray())
                times["audio"].append(frame.time)
            else:
                times["video"].append(frame.time)
    return times["video"], times["audio"]
