"""A booted systemd with edgeseg installed in it, to be told what to do from outside."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.waiting import wait_until

_PROJECT = Path(__file__).parents[2]
_BOOT = _PROJECT / "tests" / "equipment" / "systemd_boot.sh"
_NAMESPACES = ["--mount", "--pid", "--fork", "--net", "--uts", "--ipc", "--cgroup", "--kill-child"]
# Joins the groups whose files are named before "--", then becomes unshare with what is named behind it.
_ENTER = ["sh", "-ec", 'while [ "$1" != -- ]; do echo $$ > "$1"; shift; done; shift; exec unshare "$@"', "enter"]
_GROUPS = Path("/sys/fs/cgroup")


class BootedSystemd:
    """A context manager. Skips where namespaces or a group of its own cannot be had; leaves nothing behind."""

    def __init__(self, config: str) -> None:
        self._config = config

    def __enter__(self) -> Self:
        _skip_without_rights()
        self._groups = _make_groups()
        self._scratch = Path(tempfile.mkdtemp(prefix="edgeseg-boot-"))
        self._config_file = self._scratch.with_suffix(".yaml")
        self._config_file.write_text(self._config)
        self._log = self._scratch.with_suffix(".log")
        arguments = [str(_BOOT), str(_PROJECT), str(self._scratch), sys.base_prefix, str(self._config_file)]
        with self._log.open("wb") as log:
            self._unshare = subprocess.Popen(
                [*_ENTER, *(str(group / "cgroup.procs") for group in self._groups), "--", *_NAMESPACES, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            wait_until(self._is_up, 30, "systemd's start")
        except AssertionError as exc:
            told = self._log.read_text()[-1000:]
            self.__exit__(None, None, None)
            raise AssertionError(f"{exc}: {told}") from exc
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Its end is the end of the process namespace, and so of everything in it.
        self._unshare.kill()
        self._unshare.wait(10)
        wait_until(lambda: all(_remove(group) for group in self._groups), 10, "the end of the control groups")
        shutil.rmtree(self._scratch)
        self._config_file.unlink()
        self._log.unlink()

    def run(self, *command: str, timeout_s: float = 60, check: bool = True) -> str:
        """Run a command inside as root; gives what it printed."""
        inside = ["nsenter", "-t", str(self._pid()), "-a", "chroot", str(self._scratch / "m")]
        done = subprocess.run(
            [*inside, *command], stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, text=True
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)}: {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def show(self, name: str, unit: str = "edgeseg.service") -> str:
        """One property of a unit."""
        return self.run("systemctl", "show", "--value", "--property", name, unit).strip()

    def journal(self, unit: str = "edgeseg.service") -> str:
        return self.run("journalctl", "--no-pager", "-o", "cat", "-u", unit, check=False)

    def write(self, path: str, text: str) -> None:
        """Write a file inside."""
        self.run("sh", "-c", f"mkdir -p $(dirname {path}); printf %s '{text}' > {path}")

    def _is_up(self) -> bool:
        if self._unshare.poll() is not None:
            told = self._log.read_text()
            raise AssertionError(f"it ended with {self._unshare.returncode}: {told[-1000:]}")
        try:
            return self.run("systemctl", "is-active", "edgetest.target", check=False).strip() == "active"
        except IndexError:  # unshare has not forked yet
            return False

    def _pid(self) -> int:
        pid = self._unshare.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def _skip_without_rights() -> None:
    if os.geteuid() != 0:
        pytest.skip("booting systemd needs root")
    for program in ("unshare", "nsenter", "systemctl", "journalctl"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (Debian: apt install systemd util-linux)")
    probe = subprocess.run(["unshare", *_NAMESPACES, "true"], capture_output=True, text=True)
    if probe.returncode != 0:
        pytest.skip(f"namespaces cannot be had here: {probe.stderr.strip()}")


def _make_groups() -> list[Path]:
    """A group for the test in each hierarchy that the booted systemd works in, so that it sees no other."""
    parents = [_GROUPS] if (_GROUPS / "cgroup.controllers").exists() else [_GROUPS / "systemd", _GROUPS / "devices"]
    groups = [parent / f"edgeseg-test-{os.getpid()}" for parent in parents]
    try:
        for group in groups:
            group.mkdir()
    except OSError as exc:
        for group in groups:
            _remove(group)
        pytest.skip(f"control groups cannot be made here: {exc}")
    return groups


def _remove(group: Path) -> bool:
    """Remove an empty group and those below it; False while a process is still ending in one."""
    for folder, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):
            Path(folder).rmdir()
    return not group.exists()
