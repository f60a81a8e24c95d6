"""From a child's last words to one sentence with the fix."""

from __future__ import annotations

from edgeseg.errors import OutputError

# (words, why, what to do): the first line that matches is the reason.
_NETWORK = (
    (("connection refused",), "nobody listens there", "is the server running, and is the port right?"),
    (
        ("name or service not known", "failed to resolve", "name resolution", "no address associated"),
        "the host name is not known",
        "check the name, and the box's DNS",
    ),
    (("network is unreachable", "no route to host"), "there is no way to that network", "check cable and gateway"),
    (
        (
            "server error",
            "unauthorized",
            "authorization failed",
            "authentication",
            "forbidden",
            "badname",
            "bad name",
            "not allowed",
            "denied",
            "password required",
            "rejected",
        ),
        "the server does not accept the stream",
        "check the stream key, user and password, and whether somebody else publishes there",
    ),
    (("404", "not found"), "the server does not know that address", "check the path"),
    (("certificate",), "its certificate is not trusted", "check the host name, and the box's clock"),
    (("timed out", "timeout"), "it does not answer", "is the host up, and no firewall between?"),
    (
        ("connection reset", "broken pipe", "end of file", "connection setup failure", "handshake"),
        "the server closed the connection",
        "its log says why; often the stream key is wrong or in use",
    ),
)
_DISK = (
    (("no space left", "disk quota"), "no space left", "free some, or record elsewhere"),
    (("read-only",), "the file system is read-only", "remount it, or record elsewhere"),
    (("permission denied", "operation not permitted"), "no permission to write", "check the owner of the directory"),
    (("input/output error",), "the disk failed", "look at dmesg"),
    (("file too large",), "files may not get larger there", "make segment_s shorter"),
    (("file name too long",), "the file name is too long", "shorten the directory"),
    (("not a directory",), "a part of the path is a file", "check the path"),
    (("no such file", "no such device"), "the directory is gone", "is the disk mounted?"),
)


def network_error(what: str, words: str) -> OutputError:
    """What went wrong with a server, in one sentence. ``words`` are free of secrets."""
    return _explain(what, words, _NETWORK)


def disk_error(what: str, words: str) -> OutputError:
    """What went wrong with a disk, in one sentence."""
    return _explain(what, words, _DISK)


def _explain(what: str, words: str, table: tuple[tuple[tuple[str, ...], str, str], ...]) -> OutputError:
    lower = words.lower()
    for patterns, why, hint in table:
        if any(pattern in lower for pattern in patterns):
            return OutputError(f"{what}: {why}", hint=hint)
    return OutputError(f"{what}: {words or 'no reason was given'}")
