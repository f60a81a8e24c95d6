"""A child process that is fed through its stdin, cannot block us for ever, and is always reaped."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Sequence

from edgeseg.errors import OutputError
from edgeseg.ffmpeg import LastWords

# More would hide a server that hangs for longer: half a second at 4 Mbit/s.
_PIPE_BYTES = 256 << 10
_POLL_S = 0.25


class ChildDied(OutputError):  # noqa: N818 -- a fact about the child, an error only to its user
    """The child is gone; ``words`` are its last ones, ``returncode`` is negative for a signal."""

    def __init__(self, message: str, *, words: str, returncode: int) -> None:
        super().__init__(message)
        self.words = words
        self.returncode = returncode


class ChildStalled(OutputError):  # noqa: N818 -- as above
    """The child has read nothing for as long as it may."""


class Child:
    """A process in a session of its own, so that a Ctrl-C at the terminal is ours to handle.

    ``write`` and ``close`` belong to one thread, ``cancel`` may be called from any.

    Raises:
        OutputError: the program cannot be run.
    """

    def __init__(
        self,
        command: Sequence[str],
        name: str,
        *,
        stall_s: float,
        answers: bool = False,
        mask: Callable[[str], str] = lambda text: text,
        pass_fds: Sequence[int] = (),
        pipe_bytes: int = _PIPE_BYTES,
    ) -> None:
        self._name = name
        self._stall_s = stall_s
        self._mask = mask
        try:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if answers else subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
                pass_fds=pass_fds,
            )
        except OSError as exc:
            raise OutputError(f"cannot run {command[0]}: {exc.strerror}", hint="is it installed?") from exc
        assert self._process.stdin is not None
        assert self._process.stderr is not None
        self._words = LastWords(self._process.stderr, name)
        self._stdin = self._process.stdin
        os.set_blocking(self._stdin.fileno(), False)
        with contextlib.suppress(OSError):  # unprivileged users have a limit; the pipe then stays at 64 KiB
            fcntl.fcntl(self._stdin.fileno(), fcntl.F_SETPIPE_SZ, pipe_bytes)

    @property
    def pid(self) -> int:
        return self._process.pid

    def write(self, wire: bytes) -> None:
        """Hand over all of ``wire``.

        Raises:
            ChildDied: it does not read any more.
            ChildStalled: it took nothing for ``stall_s``.
        """
        fd = self._stdin.fileno()
        rest = memoryview(wire)
        deadline = time.monotonic() + self._stall_s
        while rest:
            try:
                written = os.write(fd, rest)
            except BlockingIOError:
                remaining_s = deadline - time.monotonic()
                if remaining_s <= 0:
                    raise ChildStalled(f"nothing was accepted for {self._stall_s:g} s") from None
                self._wait(fd, select.POLLOUT, min(_POLL_S, remaining_s))
                continue
            except OSError:
                raise self._died() from None
            rest = rest[written:]
            deadline = time.monotonic() + self._stall_s

    def drain(self) -> None:
        """Wait until it has read all that was written.

        Raises:
            ChildDied: it is gone.
            ChildStalled: it took nothing for ``stall_s``.
        """
        fd = self._stdin.fileno()
        waiting = -1
        deadline = 0.0
        while True:
            if self._wait(fd, 0, 0.0):  # nobody holds the other end
                raise self._died()
            left = int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder)
            if left == 0:
                return
            if left != waiting:
                waiting, deadline = left, time.monotonic() + self._stall_s
            elif time.monotonic() >= deadline:
                raise ChildStalled(f"nothing was accepted for {self._stall_s:g} s")
            self._wait(fd, 0, 0.005)

    def read_line(self, timeout_s: float) -> bytes | None:
        """One line of its stdout (``answers=True``), or None when none came in time.

        Raises:
            ChildDied: it ended without one.
        """
        assert self._process.stdout is not None
        fd = self._process.stdout.fileno()
        line = b""
        deadline = time.monotonic() + timeout_s
        while not line.endswith(b"\n"):
            remaining_s = deadline - time.monotonic()
            if remaining_s <= 0:
                return None
            if self._wait(fd, select.POLLIN, min(_POLL_S, remaining_s)):
                part = os.read(fd, 4096)
                if not part:
                    raise self._died()
                line += part
        return line

    def cancel(self) -> None:
        """Kill it: whatever waits for it raises."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def words(self) -> str:
        """Its last words, without secrets."""
        return self._mask(self._words.text())

    def finish(self) -> None:
        """Tell it that nothing more comes, without waiting for its end."""
        self._stdin.close()

    def close(self, grace_s: float) -> int:
        """End its stdin, wait ``grace_s``, then terminate and kill. Gives the return code; may be called twice."""
        self._stdin.close()
        for patience_s, then in ((grace_s, signal.SIGTERM), (0.5, signal.SIGKILL), (5.0, None)):
            try:
                self._process.wait(patience_s)
                break
            except subprocess.TimeoutExpired:
                if then is not None:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(self._process.pid, then)
        if self._process.stdout is not None:
            self._process.stdout.close()
        code = self._process.returncode
        return -signal.SIGKILL if code is None else code

    def _died(self) -> ChildDied:
        returncode = self.close(1.0)
        words = self.words()
        return ChildDied(words or f"it ended with code {returncode}", words=words, returncode=returncode)

    def _wait(self, fd: int, events: int, timeout_s: float) -> bool:
        poller = select.poll()
        poller.register(fd, events)
        return bool(poller.poll(timeout_s * 1000))
