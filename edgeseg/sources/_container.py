"""One opened container: decoded pictures and untouched sound packets, in the container's order."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import av
from av.container import InputContainer

from edgeseg.errors import SourceError
from edgeseg.sources._decode import ToFrame
from edgeseg.sources._explain import explain
from edgeseg.types import AudioFormat, AudioPacket, Frame, SourceFormat

_CLOCK = Fraction(1, 90_000)
_DEFAULT_FPS = Fraction(25)
# Some cameras announce the tick of their clock (90 kHz) as their rate.
_HIGHEST_FPS = 240
_SEGMENTED = {"hls", "dash"}


@dataclass(frozen=True, slots=True)
class OpenArguments:
    """How to open an input: ``name`` is what users may read, everything else goes to FFmpeg."""

    url: str
    name: str
    format: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    open_timeout_s: float = 10.0
    read_timeout_s: float = 10.0
    audio: bool = True


class Container:
    """Opens one input and reads it to its end, once.

    Raises SourceError from the constructor and while reading. Decoding uses one thread: a second one costs
    CPU without making a camera's picture come earlier.
    """

    def __init__(self, arguments: OpenArguments) -> None:
        self._arguments = arguments
        try:
            self._av: InputContainer = av.open(
                arguments.url,
                format=arguments.format,
                options=arguments.options,
                timeout=(arguments.open_timeout_s, arguments.read_timeout_s),
            )
        except (av.error.FFmpegError, OSError, ValueError) as exc:
            raise self._error("cannot open", exc) from exc
        if not self._av.streams.video:
            self.close()
            raise SourceError(f"{arguments.name} has no picture", hint="only sound or data was found", permanent=True)
        self._video = self._av.streams.video[0]
        self._video.thread_type = "NONE"
        self._video.codec_context.thread_count = 1
        self._audio = self._av.streams.audio[0] if arguments.audio and self._av.streams.audio else None
        self._to_frame = ToFrame()
        self._items: Iterator[Frame | AudioPacket] = self._read_all()
        self._size = (0, 0)
        self._counted = 0

    @property
    def seekable_length(self) -> bool:
        """Whether the container knows how long it is, as a file does and a live stream does not."""
        return bool(self._av.duration)

    @property
    def comes_in_pieces(self) -> bool:
        """Whether pictures arrive a segment at a time (HLS, DASH): many at once, then none for seconds."""
        return any(name in _SEGMENTED for name in self._av.format.name.split(","))

    def probe(self, live: bool) -> SourceFormat:
        """Decode the first picture and tell what the input is. The picture is not lost: ``read`` gives it first."""
        queue: list[Frame | AudioPacket] = []
        while (first := self.read()) is not None:
            queue.append(first)
            if isinstance(first, Frame):
                break
        else:
            raise SourceError(f"{self._arguments.name} ended before the first picture")
        assert isinstance(first, Frame)
        # The picture goes first: sound that the container holds before it belongs to the same moment, and the stream's
        # clock starts with a picture.
        self._items = itertools.chain([first], queue[:-1], self._items)
        stream = self._video
        rate = stream.average_rate or stream.guessed_rate or stream.base_rate
        return SourceFormat(
            width=first.width,
            height=first.height,
            fps=Fraction(rate) if rate and 0 < rate <= _HIGHEST_FPS else None,
            colour=first.colour,
            live=live,
            audio=self._audio_format(),
            sample_aspect_ratio=Fraction(stream.sample_aspect_ratio or 1),
        )

    def read(self) -> Frame | AudioPacket | None:
        """The next picture or packet, None at the end."""
        try:
            return next(self._items, None)
        except (av.error.FFmpegError, OSError) as exc:
            raise self._error("cannot read", exc) from exc

    def close(self) -> None:
        with contextlib.suppress(av.error.FFmpegError, OSError):
            self._av.close()

    def _read_all(self) -> Iterator[Frame | AudioPacket]:
        streams = [self._video] if self._audio is None else [self._video, self._audio]
        for packet in self._av.demux(*streams):
            if packet.stream is self._audio:
                if packet.pts is not None and packet.size:
                    yield AudioPacket(bytes(packet), packet.pts, packet.time_base)
                continue
            try:
                pictures = packet.decode()
            except av.error.InvalidDataError:
                continue  # one damaged picture; the decoder goes on at the next
            for picture in pictures:
                assert isinstance(picture, av.VideoFrame)
                yield self._frame(picture)

    def _frame(self, picture: av.VideoFrame) -> Frame:
        size = (picture.width, picture.height)
        if self._size not in ((0, 0), size):
            raise SourceError(f"{self._arguments.name} changed its picture from {_x(self._size)} to {_x(size)}")
        self._size = size
        pts, time_base = picture.pts, picture.time_base
        if pts is None or time_base is None:  # raw streams carry none: count
            rate = Fraction(self._video.average_rate or self._video.guessed_rate or _DEFAULT_FPS)
            pts, time_base = round(self._counted / rate / _CLOCK), _CLOCK
        self._counted += 1
        return self._to_frame(picture, pts, time_base)

    def _audio_format(self) -> AudioFormat | None:
        if self._audio is None:
            return None
        context = self._audio.codec_context
        return AudioFormat(context.name, context.sample_rate, context.channels, bytes(context.extradata or b""))

    def _error(self, what: str, exc: Exception) -> SourceError:
        name = self._arguments.name
        why, hint, permanent = explain(exc)
        return SourceError(f"{what} {name}: {why}", hint=hint, permanent=permanent)


def _x(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
