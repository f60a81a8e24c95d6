"""Keeps the chatter of native libraries off the terminal."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

_STREAMS = (1, 2)


@contextmanager
def quiet() -> Iterator[None]:
    """What is written to standard output and standard error in the meantime goes nowhere, and no warning is shown.

    By file descriptor as well: protobuf, TensorFlow and Paddle write from C++, past ``sys.stderr``. The whole process
    is quiet, so this is for commands, not for the daemon.
    """
    with Path(os.devnull).open("w", encoding="utf-8") as sink, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        kept = [os.dup(number) for number in _STREAMS]
        try:
            for number in _STREAMS:
                os.dup2(sink.fileno(), number)
            with redirect_stdout(sink), redirect_stderr(sink):
                yield
        finally:
            for number, before in zip(_STREAMS, kept, strict=True):
                os.dup2(before, number)
                os.close(before)
