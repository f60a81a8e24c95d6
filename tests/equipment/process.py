"""Starting and ending the programs that tests use: bounded, drained into a file, never left behind."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path


@contextlib.contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The program, with what it says in ``log``; killed and reaped at the end of the block."""
    with log.open("ab") as words:
        process = subprocess.Popen(
            list(command), stdin=subprocess.DEVNULL, stdout=words, stderr=words, start_new_session=True
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
