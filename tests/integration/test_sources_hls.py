"""Live HLS: pictures come a segment at a time, and none of them may be lost for that."""

from __future__ import annotations

import functools
import http.server
import subprocess
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.sources.av_input import AvSource
from edgeseg.types import AudioPacket, Frame

SECONDS, RATE = 6, 15


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def playlist(tmp_path: Path) -> Iterator[str]:
    """The URL of a playlist that a camera is still writing, as far as anybody can see."""
    material = ["-f", "lavfi", "-i", f"testsrc2=size=160x120:rate={RATE}", "-f", "lavfi", "-i", "sine"]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-g", str(RATE), "-pix_fmt", "yuv420p", "-c:a", "aac"]
    live = ["-f", "hls", "-hls_time", "1", "-hls_list_size", "0", "-hls_flags", "omit_endlist", "live.m3u8"]
    command = [find_ffmpeg(), "-v", "error", *material, "-t", str(SECONDS), *codecs, *live]
    subprocess.run(command, check=True, cwd=tmp_path, timeout=30)
    handler = functools.partial(_Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/live.m3u8"
        server.shutdown()
        thread.join()


def test_the_pictures_of_a_segment_can_wait(playlist: str) -> None:
    source = AvSource(playlist, options={"live_start_index": "0"}, read_timeout_s=5)
    source_format = source.open()
    assert source_format.live
    assert source_format.waits, "a burst would be dropped"
    assert source_format.audio is not None
    frames: list[Frame] = []
    sounds: list[AudioPacket] = []
    while len(frames) < SECONDS * RATE - RATE // 2:
        item = source.read()
        assert item is not None
        if isinstance(item, Frame):
            frames.append(item)
        else:
            sounds.append(item)
    source.close()
    steps = [b.time_s - a.time_s for a, b in pairwise(frames)]
    assert max(steps) == pytest.approx(1 / RATE, abs=0.002)
    assert len(sounds) > 100
