"""Where the benchmarks publish to: an RTMP server on this machine that throws away what it gets."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from cost import MeasurementError

_MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
_STARTING_S = 5.0
_CONF = """
load_module {module};
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
rtmp {{
    access_log off;
    server {{ listen 127.0.0.1:{port}; application live {{ live on; record off; }} }}
}}
"""


@contextlib.contextmanager
def server(ffmpeg: str) -> Iterator[str]:
    """A server for one publisher; gives the URL.

    nginx with its RTMP module, as people have it. Where that is not installed, ffmpeg: it keeps to RTMP's first chunk
    size of 128 bytes, and a publisher makes two system calls for each of them, half a millisecond for a picture.
    """
    port = free_port()
    url = f"rtmp://127.0.0.1:{port}/live/bench"
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    with tempfile.TemporaryDirectory(prefix="edgeseg-bench-rtmp-") as name:
        folder = Path(name)
        if nginx is not None and _MODULE.exists():
            (folder / "nginx.conf").write_text(_CONF.format(module=_MODULE, folder=folder, port=port))
            command = [nginx, "-e", str(folder / "error.log"), "-p", name, "-c", str(folder / "nginx.conf")]
        else:
            command = [ffmpeg, "-nostdin", "-v", "quiet", "-listen", "1", "-i", url, "-c", "copy", "-f", "null", "-"]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_for_listener(port)
            yield url
        finally:
            process.terminate()
            process.wait()


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_listener(port: int) -> None:
    """Wait until somebody listens on ``port``, without connecting.

    Raises:
        MeasurementError: nobody did, for five seconds.
    """
    deadline = time.monotonic() + _STARTING_S
    while not _listens(port):
        if time.monotonic() > deadline:
            raise MeasurementError(f"nobody listens on port {port}")
        time.sleep(0.05)


def _listens(port: int) -> bool:
    """Looked up rather than tried: ffmpeg takes one connection only."""
    wanted = f":{port:04X}"
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(row[1].endswith(wanted) and row[3] == "0A" for row in rows)
