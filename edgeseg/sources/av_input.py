"""Files and everything that FFmpeg reads by URL: RTSP, RTMP, HTTP, HLS, MJPEG, SRT where the library has it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from fractions import Fraction
from urllib.parse import urlsplit

from edgeseg.errors import SourceError
from edgeseg.redact import redact_url
from edgeseg.sources._container import Container, OpenArguments
from edgeseg.sources.decode_command import DecodeSettings, Decoding
from edgeseg.types import AudioPacket, Frame, SourceFormat

_ALWAYS_LIVE = {"rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "srt", "tcp"}
_TICK = Fraction(1, 90_000)
# How long FFmpeg may look for the sound of a live FLV stream that has none (µs).
_LOOK_FOR_SOUND = "500000"
_log = logging.getLogger(__name__)


class AvSource:
    """A file, once or looped, or a network stream.

    A network stream that does not know its length is live: its end is an error, because cameras do not end. A looped
    file goes on counting: its timestamps grow by the length of the file at each turn.

    Args:
        url: a path or a URL, with secrets if need be.
        loop: begin again at the end (files only).
        rtsp_transport: "tcp" or "udp".
        open_timeout_s: longest wait for the connection and the first picture.
        read_timeout_s: longest silence of a stream.
        audio: whether to hand on the first sound track.
        input_format: FFmpeg's name of the demuxer, when it cannot find out by itself.
        options: further options for FFmpeg's demuxer and protocol.
        decode: how to decode in a child; None decodes in this process.
    """

    def __init__(
        self,
        url: str,
        *,
        loop: bool = False,
        rtsp_transport: str = "tcp",
        open_timeout_s: float = 10.0,
        read_timeout_s: float = 10.0,
        audio: bool = True,
        input_format: str | None = None,
        options: Mapping[str, str] | None = None,
        decode: DecodeSettings | None = None,
    ) -> None:
        scheme = urlsplit(url).scheme.lower()
        self._live_scheme = scheme in _ALWAYS_LIVE
        self._is_file = scheme in ("", "file")
        self._loop = loop
        settings = dict(options or {})
        if scheme in ("rtsp", "rtsps"):
            settings.setdefault("rtsp_transport", rtsp_transport)
            # Or FFmpeg watches twenty frames before it shows the first, to estimate a rate that nobody needs.
            settings.setdefault("fpsprobesize", "0")
        if _is_live_flv(scheme, url, input_format):
            # FLV does not say what it holds: FFmpeg would look for five seconds, and then give all of them at once.
            settings.setdefault("analyzeduration", _LOOK_FOR_SOUND)
        if scheme in ("http", "https") and input_format in ("mjpeg", "mpjpeg"):
            # Motion JPEG over HTTP has no timestamps; FFmpeg would pretend 25 a second.
            settings.setdefault("use_wallclock_as_timestamps", "1")
        decoding = Decoding(decode) if decode is not None else None
        self._arguments = OpenArguments(
            url, redact_url(url), input_format, settings, open_timeout_s, read_timeout_s, audio, decoding
        )
        self._container: Container | None = None
        self._live = False
        self._turn = _Turn()

    def open(self) -> SourceFormat:
        self._container = Container(self._arguments)
        self._live = self._live_scheme or not (self._is_file or self._container.seekable_length)
        self._turn = _Turn()
        format_ = self._container.probe(live=self._live)
        self._turn.fps = format_.fps
        if self._container.lacks_sound:
            _log.warning("%s: the sound is left out: it is announced, but none has come", self._arguments.name)
        return format_

    def read(self) -> Frame | AudioPacket | None:
        if self._container is None:
            raise SourceError(f"{self._arguments.name} is not open")
        while (item := self._container.read()) is not None:
            placed = self._turn.place(item)
            if placed is not None:
                return placed
        if self._live:
            raise SourceError(f"{self._arguments.name} ended", hint="a live input has no end; it will be opened again")
        if not self._loop:
            return None
        self._container.close()
        self._container = Container(self._arguments)
        self._container.probe(live=False)
        self._turn.next()
        return self.read()

    def close(self) -> None:
        if self._container is not None:
            self._container.close()
            self._container = None


def _is_live_flv(scheme: str, url: str, input_format: str | None) -> bool:
    if scheme in ("rtmp", "rtmps"):
        return True
    return scheme in ("http", "https") and (input_format == "flv" or urlsplit(url).path.endswith(".flv"))


class _Turn:
    """Where the current turn of a loop lies on the endless time axis."""

    def __init__(self) -> None:
        self.fps: Fraction | None = None
        self._offset = Fraction(0)
        # The times of pictures: worked out where a turn ends, as it takes a while and this is done for each.
        self._first: tuple[int, Fraction] | None = None
        self._last: tuple[int, Fraction] = (0, _TICK)
        self._sound_until: Fraction | None = None  # on the endless axis

    def place(self, item: Frame | AudioPacket) -> Frame | AudioPacket | None:
        """The item at its time; None for sound that the turn before has covered, because its pictures ended first."""
        if isinstance(item, Frame):
            self._last = item.pts, item.time_base
            self._first = self._first or self._last
            if not self._offset:
                return item
        time = item.pts * item.time_base + self._offset
        if isinstance(item, AudioPacket):
            if self._sound_until is not None and time < self._sound_until:
                return None
            self._sound_until = time
            if not self._offset:
                return item
        pts = round(time / _TICK)
        if isinstance(item, AudioPacket):
            return AudioPacket(item.payload, pts, _TICK)
        return Frame(item.y, item.u, item.v, pts, _TICK, item.colour, item.captured_at)

    def next(self) -> None:
        """Begin the next turn where the pictures of this one end."""
        (first, first_base), (last, last_base) = self._first or self._last, self._last
        self._offset += last * last_base + (1 / self.fps if self.fps else last_base) - first * first_base
        self._first = None
