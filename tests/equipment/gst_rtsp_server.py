"""Run by the system's Python, which has GStreamer's bindings: an RTSP server for one file.

    gst_rtsp_server.py FILE PORT HAS_SOUND [USER:PASSWORD]

Each client gets the file from its beginning at its own speed, over TCP or UDP as it asks. Prints "ready" when it
listens, and ends when its stdin is closed.
"""

import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402


def main() -> None:
    file, port, has_sound, *login = sys.argv[1:]
    Gst.init(None)
    launch = f'( filesrc location="{file}" ! qtdemux name=d d.video_0 ! queue ! h264parse ! '
    launch += "rtph264pay name=pay0 pt=96 config-interval=-1"
    if has_sound == "yes":
        launch += " d.audio_0 ! queue ! aacparse ! rtpmp4gpay name=pay1 pt=97"
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(f"{launch} )")
    if login:
        user, _, password = login[0].partition(":")
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        auth = GstRtspServer.RTSPAuth()
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
        server.set_auth(auth)
        factory.add_role_from_structure(
            Gst.Structure.from_string(
                "viewer, media.factory.access=(boolean)true, media.factory.construct=(boolean)true"
            )[0]
        )
    server.get_mount_points().add_factory("/cam", factory)
    if not server.attach(None):
        sys.exit(f"cannot listen on port {port}")
    loop = GLib.MainLoop()

    def until_eof() -> None:
        sys.stdin.read()
        GLib.idle_add(loop.quit)

    threading.Thread(target=until_eof, daemon=True).start()
    print("ready", flush=True)
    loop.run()


main()
