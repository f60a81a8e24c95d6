"""Settings of the native libraries that belong to the whole process."""

from __future__ import annotations


def quieten() -> None:
    """One thread per call, and no chatter on stderr.

    OpenCV would otherwise split every small resize over all cores, which costs more than it saves; FFmpeg's libraries
    would write URLs with passwords to stderr, past our redaction.
    """
    import av.logging
    import cv2

    cv2.setNumThreads(1)
    av.logging.set_level(None)
