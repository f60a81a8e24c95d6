"""Settings of the native libraries that belong to the whole process."""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8  # of glibc's <malloc.h>
_ARENAS = 2


def quieten() -> None:
    """One thread per call, and no chatter on stderr.

    OpenCV would otherwise split every small resize over all cores, which costs more than it saves; FFmpeg's libraries
    would write URLs with passwords to stderr, past our redaction.
    """
    import av.logging
    import cv2

    cv2.setNumThreads(1)
    av.logging.set_level(None)


def limit_arenas() -> None:
    """Let all threads allocate from two heaps. Call it before there are any.

    By default glibc gives each new thread one of up to eight heaps for each processor, and none of them ever shrinks by
    much. Threads come and go with cameras and viewers, and each leaves the heap that it was given as large as its worst
    moment: a daemon would grow for hours until all of them have seen everything (measured: docs/reliability.md).
    Elsewhere than with glibc this does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)
