"""Publishes a stream to a server by RTMP(S), RTSP(S) or SRT."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from urllib.parse import parse_qsl, urlencode, urlsplit

import ffmpeg

from edgeseg.errors import OutputError
from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.flv import WRAP_MS
from edgeseg.outputs.child import Child, ChildDied, ChildStalled
from edgeseg.outputs.complaints import network_error
from edgeseg.outputs.probing import probe_bytes
from edgeseg.redact import redact, redact_url
from edgeseg.retiming import Rebase
from edgeseg.types import StreamHeader, Tag

_log = logging.getLogger(__name__)

_RELAY_FORMATS = {"rtmp": "flv", "rtmps": "flv", "rtsp": "rtsp", "rtsps": "rtsp"}
SCHEMES = (*_RELAY_FORMATS, "srt")

# SRT options that are secrets, and their names as ffmpeg options.
_SRT_SECRETS = ("passphrase", "streamid")

_CLOSE_S = 2.0


class Publisher:
    """One connection to a server, in a child process that may hang or die as it likes.

    RTMP and RTSP go through ``edgeseg.outputs._relay``, which gets the URL by its stdin; SRT goes through ffmpeg. The
    first ``write`` waits for the server's answer, up to ``connect_s``; after that no ``write`` takes longer than
    ``stall_s``. Time starts at 0 with every connection.

    Args:
        url: where to publish; the scheme is one of ``SCHEMES``.
        ffmpeg: the binary for SRT.
        name: for threads and log lines.
        connect_s: how long the server may take to accept the stream.
        stall_s: how long the server may take nothing.

    Raises:
        OutputError: permanent, for a scheme that cannot be published to.
    """

    def __init__(
        self, url: str, *, ffmpeg: str = "auto", name: str = "publish", connect_s: float = 8.0, stall_s: float = 4.0
    ) -> None:
        self._url = url
        self._ffmpeg = find_ffmpeg(ffmpeg)
        self._name = name
        self._connect_s = connect_s
        self._stall_s = stall_s
        self._scheme = urlsplit(url).scheme.lower()
        if self._scheme not in SCHEMES:
            raise OutputError(
                f"cannot publish to {redact_url(url)}: {self._scheme or 'no'} scheme",
                hint=f"one of {', '.join(SCHEMES)}",
                permanent=True,
            )
        self._child: Child | None = None
        self._ready: Child | None = None  # started, and not told yet what to do
        self._rebase = Rebase()
        self._answered = False

    def warm_up(self) -> None:
        """Start the relay, which takes half a second, before there is anything to send."""
        if self._scheme in _RELAY_FORMATS and self._ready is None:
            self._ready = self._start_relay()

    def open(self, header: StreamHeader) -> None:
        """Start the child and hand it the header; the connection is made with the first picture."""
        self._rebase = Rebase()
        self._child = self._spawn_srt(header) if self._scheme == "srt" else self._spawn_relay(header)
        self._write(header.wire)

    def write(self, tag: Tag) -> None:
        """Send one tag.

        Raises:
            OutputError: the server refused, went away or accepts nothing.
        """
        tag = self._rebase.next(tag)
        if tag.timestamp_ms >= WRAP_MS:
            raise OutputError(f"the connection to {redact_url(self._url)} is 24 days old: its clock starts over")
        self._write(tag.wire)
        if not self._answered:
            self._await_answer()

    def close(self) -> None:
        """Let the rest get out for up to two seconds, then end the child."""
        for child in (self._child, self._ready):
            if child is not None:
                child.close(_CLOSE_S)
        self._child = self._ready = None

    def cancel(self) -> None:
        """Cut a blocked call short, from any thread."""
        child = self._child
        if child is not None:
            child.cancel()

    def _spawn_relay(self, header: StreamHeader) -> Child:
        probe = probe_bytes(header)
        job = {
            "url": self._url,
            "format": _RELAY_FORMATS[self._scheme],
            "options": {"rtsp_transport": "tcp"} if "rtsp" in self._scheme else {"flvflags": "no_duration_filesize"},
            "probe_bytes": probe,
            "connect_s": self._connect_s,
            "stall_s": self._stall_s,
        }
        child, self._ready = self._ready or self._start_relay(), None
        # When the relay has to look at more than one picture first, it cannot answer to the first one.
        self._answered = probe > 32
        self._child = child
        self._write(json.dumps(job).encode() + b"\n")
        return child

    def _start_relay(self) -> Child:
        command = [sys.executable, "-m", "edgeseg.outputs._relay"]
        return Child(command, self._name, stall_s=self._stall_s, answers=True, mask=self._mask)

    def _spawn_srt(self, header: StreamHeader) -> Child:
        # libsrt connects when ffmpeg has seen the first picture, and says nothing when it succeeds.
        self._answered = True
        options: dict[str, str | int] = {
            "map": "0",
            "c": "copy",
            "f": "mpegts",
            "connect_timeout": int(self._connect_s * 1000),
            "flush_packets": 1,
            "max_interleave_delta": 200000,
        }
        url, secrets = _split_secrets(self._url)
        hidden = bool(secrets) and _reads_presets(self._ffmpeg)
        if secrets and not hidden:
            _log.warning("%s: this ffmpeg shows the SRT passphrase in the process list; version 5 does not", self._name)
            url = self._url
        with _preset(secrets) as fd:
            if hidden:
                options["fpre"] = f"/proc/self/fd/{fd}"
            source = ffmpeg.input("pipe:0", f="flv", probesize=probe_bytes(header), analyzeduration=1)
            command = source.output(url, **options).global_args("-hide_banner", "-loglevel", "error", "-nostats")
            return Child(
                command.compile(cmd=self._ffmpeg),
                self._name,
                stall_s=self._connect_s + self._stall_s,
                mask=self._mask,
                pass_fds=[fd] if hidden else [],
            )

    def _await_answer(self) -> None:
        assert self._child is not None
        try:
            # The relay's own alarm rings first, and tells a silent server from a lost relay.
            line = self._child.read_line(self._connect_s + 4.0)
        except ChildDied as died:
            raise self._explain(died) from None
        if line is None:
            raise network_error(f"cannot publish to {redact_url(self._url)}", "timed out")
        self._answered = True

    def _write(self, wire: bytes) -> None:
        assert self._child is not None
        try:
            self._child.write(wire)
        except ChildDied as died:
            raise self._explain(died) from None
        except ChildStalled:
            self._child.cancel()  # it would not use the time that `close` gives
            raise self._stalled() from None

    def _explain(self, died: ChildDied) -> OutputError:
        if died.returncode == -signal.SIGALRM:
            if self._answered:
                return self._stalled()
            return network_error(f"cannot publish to {redact_url(self._url)}", "timed out")
        return network_error(f"cannot publish to {redact_url(self._url)}", died.words)

    def _stalled(self) -> OutputError:
        return OutputError(
            f"{redact_url(self._url)} accepts nothing for {self._stall_s:g} s", hint="is the uplink fast enough?"
        )

    def _mask(self, text: str) -> str:
        """The URL's secrets out of a child's words: the URL itself, its user information, its last part, its query."""
        parts = urlsplit(self._url)
        key = parts.path.rsplit("/", 1)[-1]
        text = text.replace(self._url, redact_url(self._url))
        for secret in (
            parts.username,
            parts.password,
            parts.query,
            key,
            *(value for _, value in parse_qsl(parts.query)),
        ):
            if secret and len(secret) >= 4:
                text = text.replace(secret, "***")
        return redact(text)


def _split_secrets(url: str) -> tuple[str, list[tuple[str, str]]]:
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    secrets = [(key, value) for key, value in query if key in _SRT_SECRETS]
    shown = [(key, value) for key, value in query if key not in _SRT_SECRETS]
    return parts._replace(query=urlencode(shown)).geturl(), secrets


@functools.cache
def _reads_presets(binary: str) -> bool:
    """Whether this ffmpeg takes options of a protocol from a file (``-fpre``).

    5.x does; later ones accept the option and leave it without effect, so it is tried: with a value that cannot
    be parsed, which is an error only where it is read.
    """
    with _preset((("truncate", "x"),)) as fd:
        command = [binary, "-v", "quiet", "-f", "lavfi", "-i", "anullsrc", "-t", "0.01"]
        command += ["-fpre", f"/proc/self/fd/{fd}", "-f", "mpegts", "file:/dev/null", "-y"]
        return subprocess.run(command, stdin=subprocess.DEVNULL, check=False, pass_fds=[fd], timeout=10).returncode != 0


@contextlib.contextmanager
def _preset(options: Sequence[tuple[str, str]]) -> Iterator[int]:
    """A file of ffmpeg options that has no name: the descriptor, which children may inherit."""
    fd = os.memfd_create("ffpreset")
    try:
        os.write(fd, "".join(f"{key}={value}\n" for key, value in options).encode())
        os.lseek(fd, 0, os.SEEK_SET)
        yield fd
    finally:
        os.close(fd)
