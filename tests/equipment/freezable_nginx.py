"""An RTMP server that can be stopped in its tracks."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

from tests.equipment.nginx_rtmp import NginxRtmp


class FreezableNginx(NginxRtmp):
    """Accepts what the kernel accepts for it while it is frozen, and goes on afterwards."""

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """SIGSTOP for the block."""
        pid = int((self._folder / "nginx.pid").read_text())
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)
