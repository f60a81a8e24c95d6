"""Publishing to a real RTSP server: GStreamer's, which records what it is sent."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest

from edgeseg.outputs.publisher import Publisher
from tests.fakes_output import header_and_media, make_flv, numbers_in
from tests.ports import free_port

pytestmark = pytest.mark.e2e

# The system's python: GStreamer's bindings are packages of the distribution.
PYTHON = Path("/usr/bin/python3")
SERVER = """
import sys
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(sys.argv[1])
factory = GstRtspServer.RTSPMediaFactory()
factory.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)
factory.set_launch(
    "( rtph264depay name=depay0 ! h264parse ! matroskamux name=mux streamable=true ! filesink location=" + sys.argv[2]
    + " rtpmp4gdepay name=depay1 ! aacparse ! mux. )"
)
server.get_mount_points().add_factory("/door", factory)
server.attach(None)
print("ready", flush=True)
GLib.MainLoop().run()
"""


def test_pictures_and_sound_reach_an_rtsp_server(tmp_path: Path) -> None:
    has_gi = PYTHON.exists() and subprocess.run([PYTHON, "-c", "import gi"], capture_output=True).returncode == 0
    if not has_gi:
        pytest.skip("the system's python has no GStreamer (apt install gir1.2-gst-rtsp-server-1.0 python3-gi)")
    port, received = free_port(), tmp_path / "received.mkv"
    header, tags = header_and_media(make_flv(tmp_path / "clip.flv", seconds=2))
    command = [PYTHON, "-c", SERVER, str(port), received]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            publisher = Publisher(f"rtsp://127.0.0.1:{port}/door")
            publisher.open(header)
            pause = threading.Event()
            for tag in tags:
                publisher.write(tag)
                pause.wait(0.01)
            publisher.close()
        finally:
            server.kill()
    numbers = numbers_in(received, 50)
    # The server throws away what is still in its jitter buffer when the connection ends.
    assert numbers == list(range(50))
