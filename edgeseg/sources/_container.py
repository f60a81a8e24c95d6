"""One opened container: decoded pictures and untouched sound packets, in the container's order."""

from __future__ import annotations

import contextlib
import errno
import itertools
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from edgeseg.errors import SourceError
from edgeseg.sources import _adts
from edgeseg.sources._child_decode import ChildDecoder
from edgeseg.sources._decode import Decoder, InProcess, ToFrame
from edgeseg.sources._explain import explain
from edgeseg.sources._patience import Patience
from edgeseg.sources.decode_command import Decoding
from edgeseg.types import AudioFormat, AudioPacket, Colour, Frame, Matrix, SourceFormat

_CLOCK = Fraction(1, 90_000)
_DEFAULT_FPS = Fraction(25)
# Some cameras announce the tick of their clock (90 kHz) as their rate.
_HIGHEST_FPS = 240
_SEGMENTED = {"hls", "dash"}
# FFmpeg's own limit on silence comes first: it knows better what is wrong.
_GRACE_S = 0.5
# Before the first picture a keyframe has to come, and some cameras send one every half minute.
_FIRST_PICTURE_S = 30.0
_LEAST_SIDE = 16
# More than 8K: a damaged header may ask for gigabytes.
_MOST_PIXELS = 8192 * 4320
_LIMITS = {"max_pixels": str(_MOST_PIXELS)}
# Sound that is kept for the first picture: some seconds of it.
_EARLY_PACKETS = 512
# What may be looked through for the first sound's configuration: pictures are large, and nobody sees one meanwhile.
_PICTURES_AHEAD = 8
_ITEMS_AHEAD = 48
_AHEAD_S = 1.0


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
    decoding: Decoding | None = None  # in a child; None is in this process


@dataclass(frozen=True, slots=True)
class _Kind:
    """What may not change in the middle: how the planes are to be read. Primaries and transfer are not part of that."""

    width: int
    height: int
    matrix: Matrix
    full_range: bool

    @classmethod
    def of(cls, frame: Frame) -> _Kind:
        return cls(frame.width, frame.height, frame.colour.matrix, frame.colour.full_range)

    def difference(self, to: _Kind) -> str:
        """What is another, in words."""
        sizes = [f"{kind.width}x{kind.height}" for kind in (self, to)]
        if sizes[0] != sizes[1]:
            return f"its picture from {sizes[0]} to {sizes[1]}"
        before, after = (f"{kind.matrix}, {'full' if kind.full_range else 'limited'} range" for kind in (self, to))
        return f"its colours from {before} to {after}"


def _shape(said: Fraction | None) -> Fraction:
    """The proportions of a pixel; what no camera has is damage, and taken for square."""
    return Fraction(said) if said is not None and Fraction(1, 16) <= said <= 16 else Fraction(1)


class Container:
    """Opens one input and reads it to its end, once.

    Raises SourceError from the constructor and while reading. Decoding uses one thread: a second one costs
    CPU without making a camera's picture come earlier.
    """

    def __init__(self, arguments: OpenArguments) -> None:
        self._arguments = arguments
        self._decoder: Decoder = InProcess()
        try:
            self._av: InputContainer = av.open(
                arguments.url,
                format=arguments.format,
                # FFmpeg decodes a picture before it gives the control back, if it knows the streams by then.
                options={**_LIMITS, **arguments.options},
                timeout=(arguments.open_timeout_s, arguments.read_timeout_s),
                metadata_errors="replace",  # some cameras write their names in the letters of their country
            )
        except (av.error.FFmpegError, OSError, ValueError) as exc:
            raise self._error("cannot open", exc) from exc
        # Streams of a codec that FFmpeg does not know have no context.
        videos = [stream for stream in self._av.streams.video if stream.codec_context is not None]
        sounds = [stream for stream in self._av.streams.audio if stream.codec_context is not None]
        if not videos:
            self.close()
            raise SourceError(
                f"{arguments.name} has no picture", hint="only sound or data was found", permanent=self._is_file
            )
        self._video = videos[0]
        self._video.thread_type = "NONE"
        self._video.codec_context.thread_count = 1
        self._video.codec_context.options = _LIMITS
        self._refuse_giants()
        self._audio = sounds[0] if arguments.audio and sounds else None
        self._audio_config = bytes(self._audio.codec_context.extradata or b"") if self._audio is not None else b""
        self._has_heads = self._audio is not None and self._audio.codec_context.name == "aac" and not self._audio_config
        if arguments.decoding is not None and self._video.codec_context.name != "rawvideo":
            self._decoder = ChildDecoder(arguments.decoding, self._video, arguments.name, _MOST_PIXELS)
        self._to_frame = ToFrame()
        self._items: Iterator[Frame | AudioPacket] = self._read_all()
        self._kind: _Kind | None = None
        self._colour: Colour | None = None
        self._shape: tuple[int, ...] = ()
        self._counted = 0
        self._without_s = 0.0
        self._lacks_sound = False

    @property
    def lacks_sound(self) -> bool:
        """Whether sound was announced, but is left out because nothing of it says how it is to be read."""
        return self._lacks_sound

    @property
    def seekable_length(self) -> bool:
        """Whether the container knows how long it is, as a file does and a live stream does not."""
        return bool(self._av.duration)

    @property
    def _comes_in_pieces(self) -> bool:
        """Whether pictures arrive a segment at a time (HLS, DASH): many at once, then none for seconds."""
        return any(name in _SEGMENTED for name in self._av.format.name.split(","))

    def probe(self, live: bool) -> SourceFormat:
        """Decode the first picture and tell what the input is. The picture is not lost: ``read`` gives it first."""
        early: deque[AudioPacket] = deque(maxlen=_EARLY_PACKETS)
        while isinstance(first := self.read(), AudioPacket):
            early.append(first)
        if first is None:
            raise SourceError(f"{self._arguments.name} ended before the first picture")
        if min(first.width, first.height) < _LEAST_SIDE:
            raise SourceError(f"{self._arguments.name} has pictures of {first.width}x{first.height}: that is too small")
        later = self._read_until_configured()
        audio = self._audio_format()
        if self._audio is not None and audio is None:
            self._lacks_sound = True
            early.clear()
            later = [item for item in later if isinstance(item, Frame)]
        # The picture goes first: sound that the container holds before it belongs to the same moment, and the stream's
        # clock starts with a picture.
        self._items = itertools.chain([first], early, later, self._items)
        stream = self._video
        rate = stream.average_rate or stream.guessed_rate or stream.base_rate
        return SourceFormat(
            width=first.width,
            height=first.height,
            fps=Fraction(rate) if rate and 0 < rate <= _HIGHEST_FPS else None,
            colour=first.colour,
            live=live,
            audio=audio,
            sample_aspect_ratio=_shape(stream.sample_aspect_ratio),
            in_bursts=live and self._comes_in_pieces,
        )

    def read(self) -> Frame | AudioPacket | None:
        """The next picture or packet, None at the end. What comes is no sign of life unless it is a picture."""
        limit_s = self._longest_s
        began = time.monotonic()
        try:
            with Patience(began + limit_s - self._without_s):
                item = next(self._items, None)
        except (av.error.FFmpegError, OSError) as exc:
            # Other errors say themselves what is wrong, however long it took.
            if isinstance(exc, av.error.ExitError) and self._without_s + time.monotonic() - began >= limit_s:
                raise self._silence(limit_s) from exc
            raise self._error("cannot read", exc) from exc
        # Only time spent here counts: a file that is played at its own pace is not silent.
        self._without_s += time.monotonic() - began
        if isinstance(item, Frame):
            self._without_s = 0.0
        elif item is not None and self._without_s >= limit_s:
            raise self._silence(limit_s)
        return item

    def close(self) -> None:
        self._decoder.close()
        self._items = iter(())  # which would keep the decoder and its pictures until the garbage is collected
        with contextlib.suppress(av.error.FFmpegError, OSError):
            self._av.close()

    @property
    def _is_file(self) -> bool:
        """Whether it is the same each time it is opened, as no camera, pipe or server is."""
        url = self._arguments.url
        return urlsplit(url).scheme in ("", "file") and Path(url.removeprefix("file:")).is_file()

    @property
    def _longest_s(self) -> float:
        """The longest time without a picture."""
        if self._kind is None:
            return max(self._arguments.open_timeout_s, _FIRST_PICTURE_S)
        return self._arguments.read_timeout_s + _GRACE_S

    def _silence(self, limit_s: float) -> SourceError:
        return SourceError(
            f"{self._arguments.name} has sent no picture for {limit_s:.3g} s, though other things came",
            hint=f"pictures begin with a keyframe; if it comes later, raise open_timeout_s above {limit_s:g}"
            if self._kind is None
            else "a camera that has changed its codec does so; for one that is slow raise read_timeout_s",
        )

    def _refuse_giants(self) -> None:
        """Raises SourceError for pictures that nobody can want; those that come later the decoder refuses."""
        width, height = self._video.codec_context.width, self._video.codec_context.height
        if width * height > _MOST_PIXELS:
            self.close()
            raise SourceError(
                f"{self._arguments.name} says that its pictures are {width}x{height}",
                hint="more than 8192x4320 is not read; is the input damaged?",
            )

    def _read_all(self) -> Iterator[Frame | AudioPacket]:
        streams = [self._video] if self._audio is None else [self._video, self._audio]
        for packet in self._packets(streams):
            if packet.stream is self._audio:
                yield from map(self._frame, self._decoder.decode(None))
                if packet.pts is not None and packet.size and not self._lacks_sound:
                    yield AudioPacket(self._sound(bytes(packet)), packet.pts, packet.time_base)
                continue
            # A decoder takes an empty packet for the end. The end has no time; a picture that a driver lost has one.
            if packet.size or (packet.pts is None and packet.dts is None):
                yield from map(self._frame, self._decoder.decode(packet))

    def _packets(self, streams: Sequence[Stream]) -> Iterator[Packet[Any]]:
        try:
            yield from self._av.demux(*streams)
        except IndexError:
            return  # PyAV trips over streams that came later when it lets the decoders run empty at the end

    def _read_until_configured(self) -> list[Frame | AudioPacket]:
        """What had to be read until the first sound said how to read it; nothing where the container has said so."""
        read: list[Frame | AudioPacket] = []
        pictures, until = 0, time.monotonic() + _AHEAD_S
        while self._has_heads and not self._audio_config and time.monotonic() < until:
            if pictures >= _PICTURES_AHEAD or len(read) >= _ITEMS_AHEAD:
                break  # a track that is announced and silent
            item = self.read()
            if item is None:
                break
            read.append(item)
            pictures += isinstance(item, Frame)
        return read

    def _sound(self, packet: bytes) -> bytes:
        if not self._has_heads:
            return packet
        if not self._audio_config and _adts.has_head(packet):
            self._audio_config = _adts.config_from_head(packet)
        return _adts.without_head(packet)

    def _frame(self, picture: av.VideoFrame) -> Frame:
        pts, time_base = picture.pts, picture.time_base
        if pts is None or time_base is None:  # raw streams carry none: count
            rate = Fraction(self._video.average_rate or self._video.guessed_rate or _DEFAULT_FPS)
            pts, time_base = round(self._counted / rate / _CLOCK), _CLOCK
        self._counted += 1
        frame = self._to_frame(picture, pts, time_base)
        if frame.colour is self._colour and frame.y.shape == self._shape:
            return frame  # like the one before
        self._shape = frame.y.shape
        kind = _Kind.of(frame)
        before = self._kind = self._kind or kind
        colour = self._colour = self._colour or frame.colour
        if kind != before:
            # The encoder has told viewers the size and how to read the planes, once. A camera is opened again, and they
            # are told anew; a file would come to the same place again and again.
            raise SourceError(
                f"{self._arguments.name} changed {before.difference(kind)}",
                hint="cut it there, or convert it to one kind of picture" if self._is_file else "",
                permanent=self._is_file,
            )
        return frame if frame.colour == colour else replace(frame, colour=colour)

    def _audio_format(self) -> AudioFormat | None:
        """What the sound is; None where there is none, or where nobody knows."""
        if self._audio is None:
            return None
        context = self._audio.codec_context
        config = self._audio_config
        if self._has_heads and not config:
            config = _adts.config_of(context.sample_rate, context.channels)
        rate, channels = context.sample_rate, context.channels
        if not rate and self._has_heads:  # FFmpeg saw none of it before it gave the control back
            rate, channels = _adts.rate_and_channels(config)
        if not rate:
            return None  # announced, and silent so far: no encoder starts without a rate
        return AudioFormat(context.name, rate, channels, config)

    def _error(self, what: str, exc: Exception) -> SourceError:
        name = self._arguments.name
        why, hint, permanent = explain(exc)
        if what == "cannot read" and getattr(exc, "errno", None) == errno.EIO:
            why, hint = "the connection broke off", ""  # which says something else of one that was never there
        return SourceError(f"{what} {name}: {why}", hint=hint, permanent=permanent)
