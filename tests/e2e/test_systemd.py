"""The unit file: verified, scored, and run by a real systemd."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.booted import BootedSystemd
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

UNIT = Path(__file__).parents[2] / "systemd" / "edgeseg.service"
CONFIG = """
http: {host: 127.0.0.1, port: 8790}
streams:
  door:
    source: {url: testsrc2, type: test, size: 320x180, fps: 10}
    model: selfie-landscape
    effect: blur
    record: /var/lib/edgeseg/recordings
"""


def systemd_analyze(*arguments: str) -> str:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (apt install systemd)")
    done = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60)
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    return told


def test_the_unit_is_verified(tmp_path: Path) -> None:
    # `verify` insists on a program that exists; everything else is as it ships.
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("ExecStart=/opt/edgeseg/.venv/bin/edgeseg", "ExecStart=/bin/true"))
    assert systemd_analyze("verify", str(unit)) == ""


def test_the_unit_exposes_little() -> None:
    told = systemd_analyze("security", "--offline=true", "--threshold=30", "--no-pager", str(UNIT))
    score = re.search(r"exposure level for edgeseg\.service: ([0-9.]+)", told)
    assert score, told
    assert float(score[1]) <= 3.0


@pytest.fixture(scope="module")
def box() -> Iterator[BootedSystemd]:
    with BootedSystemd(CONFIG) as booted:
        yield booted


@pytest.fixture
def running(box: BootedSystemd) -> BootedSystemd:
    """READY was reached: `start` of a Type=notify unit returns then, and fails otherwise."""
    box.run("systemctl", "start", "edgeseg", timeout_s=60, check=False)
    assert box.show("ActiveState") == "active", box.journal()[-2000:]
    return box


@pytest.fixture
def on_a_leash(running: BootedSystemd) -> Iterator[BootedSystemd]:
    """Watched closely: who does not feed the watchdog for two seconds is replaced."""
    leash = "/etc/systemd/system/edgeseg.service.d/leash.conf"
    running.write(leash, "[Service]\nWatchdogSec=2\nRestartSec=100ms\n")
    running.run("systemctl", "daemon-reload")
    running.run("systemctl", "restart", "edgeseg", timeout_s=60)
    yield running
    running.run("rm", leash)
    running.run("systemctl", "daemon-reload")
    running.run("systemctl", "stop", "edgeseg")


def readyz(box: BootedSystemd) -> bool:
    code = (
        "import sys, urllib.request as u\n"
        "try: sys.exit(u.urlopen('http://127.0.0.1:8790/readyz', timeout=3).status != 200)\n"
        "except OSError as e: sys.exit(1)"
    )
    return "yes" in box.run("sh", "-c", f'/opt/python/bin/python3 -c "{code}" && echo yes', check=False)


def test_ready_means_up_and_pictures_come(running: BootedSystemd) -> None:
    assert running.show("ActiveState") == "active"
    assert running.show("Type") == "notify"
    assert "door" in running.show("StatusText")
    wait_until(lambda: readyz(running), 20, f"a picture: {running.journal()[-2000:]}")
    # As an ordinary user who may use cameras and GPUs, without a single capability, recording where it should.
    status = running.run("cat", f"/proc/{running.show('MainPID')}/status")
    assert re.search(r"^CapBnd:\s+0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
    groups = running.run("id", "-Gn", "edgeseg").split()
    assert {"video", "render"} <= set(groups)
    wait_until(
        lambda: running.run("find", "/var/lib/edgeseg/recordings", "-type", "f", "-user", "edgeseg"), 10, "a recording"
    )


def test_the_watchdog_is_fed(on_a_leash: BootedSystemd) -> None:
    box = on_a_leash
    pid, fed = box.show("MainPID"), box.show("WatchdogTimestampMonotonic")
    until = time.monotonic() + 5
    wait_until(lambda: time.monotonic() > until, 6, "five seconds")
    assert (box.show("MainPID"), box.show("ActiveState")) == (pid, "active")
    assert int(box.show("WatchdogTimestampMonotonic")) > int(fed)


def test_a_daemon_that_hangs_is_replaced(on_a_leash: BootedSystemd) -> None:
    box = on_a_leash
    pid = box.show("MainPID")
    box.run("kill", "-STOP", pid)
    wait_until(lambda: came_back(box, pid), 30, "a new daemon")
    assert "Watchdog timeout" in box.journal()


def test_a_killed_daemon_comes_back(running: BootedSystemd) -> None:
    pid = running.show("MainPID")
    running.run("kill", "-KILL", pid)
    wait_until(lambda: came_back(running, pid), 30, "a new daemon")
    wait_until(lambda: readyz(running), 20, "a picture")


def test_stop_is_clean_and_quick(running: BootedSystemd) -> None:
    wait_until(lambda: readyz(running), 20, "a picture")
    began = time.monotonic()
    running.run("systemctl", "stop", "edgeseg")
    assert time.monotonic() - began < 5
    assert (running.show("Result"), running.show("ExecMainStatus")) == ("success", "0")
    # Nothing is left of it, and the last segment is closed.
    assert running.run("pgrep", "-u", "edgeseg", check=False) == ""
    assert running.run("find", "/var/lib/edgeseg/recordings", "-name", "*.part") == ""


def test_a_wrong_configuration_is_not_retried(box: BootedSystemd) -> None:
    box.run("sh", "-c", "cp /etc/edgeseg/config.yaml /tmp/good.yaml; echo 'streems: {}' >> /etc/edgeseg/config.yaml")
    try:
        box.run("systemctl", "start", "edgeseg", check=False)
        wait_until(lambda: box.show("ActiveState") == "failed", 10, "the refusal")
        assert box.show("ExecMainStatus") == "78"
        assert "streems" in box.journal()
        until = time.monotonic() + 4  # RestartSec is three seconds
        wait_until(lambda: time.monotonic() > until, 5, "four seconds")
        assert (box.show("ActiveState"), box.show("NRestarts")) == ("failed", "0")
    finally:
        box.run("sh", "-c", "cat /tmp/good.yaml > /etc/edgeseg/config.yaml; systemctl reset-failed edgeseg")


def came_back(box: BootedSystemd, before: str) -> bool:
    return box.show("ActiveState") == "active" and box.show("MainPID") not in {"0", before}
