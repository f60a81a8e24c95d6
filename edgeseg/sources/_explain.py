"""FFmpeg's errors in the words of somebody who stands beside the camera."""

from __future__ import annotations

import errno

import av

from edgeseg.redact import redact

_BY_CLASS: list[tuple[type[Exception], str, str]] = [
    (av.error.HTTPUnauthorizedError, "the server wants another user or password", "check the URL"),
    (av.error.HTTPForbiddenError, "the server forbids it", "check user and password"),
    (av.error.HTTPNotFoundError, "the server does not know this path", "check the URL"),
    (av.error.ExitError, "no answer in time", "is it reachable?"),
    (av.error.InvalidDataError, "it is not video that FFmpeg can read", "try it with ffplay"),
    (av.error.ProtocolNotFoundError, "FFmpeg does not know this kind of URL", "see docs/configuration.md, source.url"),
]
_BY_NUMBER = {
    errno.ENOENT: ("no such file or device", "check the path"),
    errno.ENODEV: ("no such device", "is it plugged in?"),
    errno.EACCES: ("permission denied", "give the user of the daemon the right to read it"),
    errno.EBUSY: ("device busy", "another process holds it; try fuser -v on it"),
    errno.ECONNREFUSED: ("connection refused", "is it switched on, and is the port right?"),
    errno.ETIMEDOUT: ("no answer in time", "is it reachable?"),
    errno.EHOSTUNREACH: ("no route to the host", "is it on this network?"),
    errno.ECONNRESET: ("the other side closed the connection", ""),
    errno.EIO: ("no connection", "does the host name resolve, and is it reachable?"),
}


def explain(exc: Exception) -> tuple[str, str, bool]:
    """Why it failed, what to do about it, and whether trying again is pointless."""
    for kind, why, hint in _BY_CLASS:
        if isinstance(exc, kind):
            return why, hint, isinstance(exc, av.error.ProtocolNotFoundError)
    number = getattr(exc, "errno", None)
    if number in _BY_NUMBER:
        return *_BY_NUMBER[number], False
    text = redact(getattr(exc, "strerror", None) or str(exc) or type(exc).__name__)
    return text[:1].lower() + text[1:], "", False
