"""Tells systemd how the daemon is (the sd_notify protocol), without its library.

Every function does nothing and returns False when no service manager asked for news (``NOTIFY_SOCKET`` unset),
so the callers need not know whether they run under systemd. Any thread may call.
"""

from __future__ import annotations

import contextlib
import os
import socket


def ready(status: str = "") -> bool:
    """The daemon is up: ``systemctl start`` returns now."""
    return _send("READY=1", *_status(status))


def status(text: str) -> bool:
    """One line for ``systemctl status``."""
    return _send(*_status(text))


def stopping(text: str = "") -> bool:
    """The daemon began to shut down."""
    return _send("STOPPING=1", *_status(text))


def watchdog() -> bool:
    """Feed the watchdog. Call at least every ``watchdog_interval_s()``, and only while the daemon does its job."""
    return _send("WATCHDOG=1")


def watchdog_interval_s() -> float | None:
    """Seconds between two feedings (half of what systemd allows), or None when nobody watches this process."""
    allowed_us = os.environ.get("WATCHDOG_USEC", "")
    if not allowed_us.isdecimal() or int(allowed_us) == 0:
        return None
    # The variables are inherited by children; WATCHDOG_PID tells whom they are meant for.
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(allowed_us) / 2_000_000


def _status(text: str) -> tuple[str, ...]:
    line = " ".join(text.split())  # a newline would begin another assignment
    return (f"STATUS={line}",) if line else ()


def _send(*assignments: str) -> bool:
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not assignments or address[:1] not in {"/", "@"}:
        return False
    if address.startswith("@"):  # an abstract socket: systemd writes its leading zero byte as "@"
        address = "\0" + address[1:]
    # News that cannot be told must not hurt the daemon: a restarted systemd opens its socket again.
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as news:
        news.settimeout(1.0)
        news.sendto("\n".join(assignments).encode(), address)
        return True
    return False
