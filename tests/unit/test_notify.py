"""The word to systemd, heard on a real datagram socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeseg.service import notify


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path))
        listening.settimeout(2)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        yield listening


def test_each_message_arrives_as_systemd_expects_it(manager: socket.socket) -> None:
    assert notify.ready("2 streams")
    assert manager.recv(4096) == b"READY=1\nSTATUS=2 streams"
    assert notify.status("door: running")
    assert manager.recv(4096) == b"STATUS=door: running"
    assert notify.watchdog()
    assert manager.recv(4096) == b"WATCHDOG=1"
    assert notify.stopping()
    assert manager.recv(4096) == b"STOPPING=1"


def test_a_status_stays_one_assignment(manager: socket.socket) -> None:
    notify.status("door: failed\nREADY=1")
    assert manager.recv(4096) == b"STATUS=door: failed READY=1"


def test_an_abstract_socket_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"edgeseg-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + name)
        listening.settimeout(2)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name)
        assert notify.ready()
        assert listening.recv(4096) == b"READY=1"


@pytest.mark.parametrize("address", [None, "", "/nonexistent/notify", "vsock:2:1"])
def test_nobody_to_tell_is_not_an_error(address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if address is None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    else:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    assert notify.ready() is False
    assert notify.watchdog() is False


@pytest.mark.parametrize(
    ("usec", "pid", "expected"),
    [
        ("30000000", None, 15.0),
        ("30000000", os.getpid(), 15.0),
        ("30000000", os.getpid() + 1, None),
        ("0", None, None),
        ("soon", None, None),
        (None, None, None),
    ],
)
def test_the_watchdog_interval_is_half_of_what_is_allowed(
    usec: str | None, pid: int | None, expected: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("WATCHDOG_USEC", usec), ("WATCHDOG_PID", pid)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, str(value))
    assert notify.watchdog_interval_s() == expected
