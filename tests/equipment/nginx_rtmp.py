"""A real RTMP server: nginx with the RTMP module."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
import tempfile
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.equipment.process import running
from tests.ports import free_port
from tests.waiting import wait_until

_MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
# `publish_notify` tells players when the publisher is gone, so that a receiver ends by itself.
_CONF = """
load_module {module};
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log notice;
events {{ worker_connections 256; }}
rtmp {{
    access_log off;
    server {{
        listen 127.0.0.1:{rtmp_port};
        application live {{
            live on;
            record off;
            publish_notify on;
            interleave on;
        }}
    }}
}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{http_port};
        location /stat {{ rtmp_stat all; }}
    }}
}}
"""


class NginxRtmp:
    """A context manager; publish to and play from ``url(name)``. Skips where nginx or its module is not installed.

    ``stop`` and ``start`` let the server go away and come back on the same ports.
    """

    def __init__(self) -> None:
        self.rtmp_port, self.http_port = free_port(), free_port()
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        if shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin") is None or not _MODULE.exists():
            pytest.skip("nginx with the RTMP module is not installed (tests/install_servers.sh)")
        self._folder = Path(tempfile.mkdtemp(prefix="edgeseg-nginx-"))
        conf = _CONF.format(module=_MODULE, folder=self._folder, rtmp_port=self.rtmp_port, http_port=self.http_port)
        (self._folder / "nginx.conf").write_text(conf)
        try:
            self.start()
        except BaseException:
            shutil.rmtree(self._folder)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        binary = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin") or "nginx"
        command = [binary, "-e", str(self._folder / "error.log"), "-p", str(self._folder)]
        process = self._stack.enter_context(
            running([*command, "-c", str(self._folder / "nginx.conf")], self._folder / "out.log")
        )
        wait_until(lambda: self._is_up(process), 10, "nginx's start")

    def stop(self) -> None:
        """Kill the server: everybody who is connected loses the connection."""
        self._stack.close()

    def url(self, name: str) -> str:
        return f"rtmp://127.0.0.1:{self.rtmp_port}/live/{name}"

    def stat(self) -> str:
        """The server's statistics as XML."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/stat", timeout=5) as answer:
            return str(answer.read().decode())

    def clients(self, name: str) -> int:
        """How many publish or play the stream."""
        found = re.search(rf"<stream>\s*<name>{re.escape(name)}</name>.*?<nclients>(\d+)</nclients>", self.stat(), re.S)
        return int(found[1]) if found else 0

    def is_published(self, name: str) -> bool:
        found = re.search(rf"<stream>\s*<name>{re.escape(name)}</name>.*?</stream>", self.stat(), re.S)
        return found is not None and "<publishing/>" in found[0]

    def _is_up(self, process: subprocess.Popen[bytes]) -> bool:
        if process.poll() is not None:
            told = (self._folder / "error.log").read_text() + (self._folder / "out.log").read_text()
            raise AssertionError(f"nginx ended with {process.returncode}: {told[-1000:]}")
        for port in (self.rtmp_port, self.http_port):
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", port)):
                    return False
        return True
