"""The child that publishes by RTMP or RTSP: ``python -m edgeseg.outputs._relay``.

A process of its own because FFmpeg's RTMP connect holds Python's global lock, and not ffmpeg because a URL in the
process list is a stream key that everybody on the box can read. The first line of stdin is JSON (``url``,
``format``, ``options``, ``probe_bytes``, ``connect_s``, ``stall_s``), the rest FLV. ``{"connected": true}`` on stdout
says that the server has accepted the stream. The time limits are kernel alarms whose default action ends the
process: they work while the lock is held, and with no parent left.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

import av
import av.logging


def main() -> int:
    """Publish until stdin ends; 1 when the connection fails, with the reason on stderr."""
    line = _first_line()
    if not line:
        return 0  # started ahead of time, and not needed after all
    job = json.loads(line)
    # FFmpeg's own words (a server's refusal is only there) go straight to stderr.
    av.logging.set_level(av.logging.ERROR)
    av.logging.restore_default_callback()
    try:
        _publish(job)
    except av.FFmpegError as exc:
        # Not str(exc): it has the URL in it.
        sys.stderr.write(f"{exc.strerror or type(exc).__name__}\n")
        return 1
    return 0


def _publish(job: dict[str, Any]) -> None:
    probe = {"probesize": str(job["probe_bytes"]), "analyzeduration": "1"}
    with av.open("pipe:0", format="flv", options=probe) as source:
        target = av.open(job["url"], "w", format=job["format"], options=job["options"])
        streams = {
            stream.index: target.add_stream_from_template(stream)
            for stream in source.streams
            if stream.type in {"video", "audio"}
        }
        signal.setitimer(signal.ITIMER_REAL, job["connect_s"])
        target.start_encoding()
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.stdout.write(json.dumps({"connected": True}) + "\n")
        sys.stdout.flush()
        for packet in source.demux():
            if packet.dts is None or packet.stream.index not in streams:
                continue
            packet.stream = streams[packet.stream.index]
            signal.setitimer(signal.ITIMER_REAL, job["stall_s"])
            target.mux(packet)
            signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_REAL, job["stall_s"])
        target.close()
        signal.setitimer(signal.ITIMER_REAL, 0)


def _first_line() -> bytes:
    """Read byte by byte: what follows belongs to FFmpeg, which reads the descriptor itself."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            break
        line += byte
    return bytes(line)


if __name__ == "__main__":
    sys.exit(main())
