"""What is played in place of a stream's source, so that any number of streams can play it at once."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from edgeseg.benchmark.encoding import LoneEncoder
from edgeseg.benchmark.settings import Played
from edgeseg.build import build_source
from edgeseg.config import StreamConfig
from edgeseg.config.source import SourceConfig
from edgeseg.encoding.command import EncoderSettings
from edgeseg.encoding.matroska import RawFormat
from edgeseg.errors import SourceError
from edgeseg.frames import copy
from edgeseg.placement import Placement
from edgeseg.redact import redact, redact_url
from edgeseg.types import Frame, Source, SourceFormat

Tell = Callable[[float], None]

TAKE_S = 6.0
# A camera that gives fewer pictures than this in three times that is not waited for.
_LEAST_PICTURES = 10
_DEFAULT_FPS = Fraction(25)
# Enough to know the rate of a file.
_LOOKED_AT = 600
_AHEAD = 4
# Settings of a source that say how its pictures are to be read, whatever they come from.
_KEPT = ("audio", "decode")


def prepare(name: str, stream: StreamConfig, ffmpeg: str, folder: Path, tell: Tell) -> Played:
    """What stands for the source of ``stream``: a file is played as it is, anything else is taken into ``folder``.

    ``tell`` hears which share of that is done.

    Raises:
        SourceError: the source cannot be opened, or gives too few pictures.
        ConfigError: there is no ffmpeg.
    """
    settings = stream.source
    target = folder / f"{name}.mkv"
    with contextlib.closing(build_source(stream, ffmpeg)) as source:
        found = source.open()
    kept = settings.model_dump(include=set(_KEPT))
    if settings.kind == "av" and Path(settings.url).is_file():
        return _played(name, stream, {**settings.model_dump(), "type": "av", "loop": True}, "", found)
    arguments = _copied_with(settings)
    # Only now, and after the source was closed: many cameras serve one at a time.
    if arguments is not None and _copy(arguments, redact_url(settings.url), target, tell):
        made = f"{TAKE_S:g} s of it, copied"
    else:
        with contextlib.closing(build_source(stream, ffmpeg)) as source:
            found = source.open()
            _encode(source, found, ffmpeg, target, tell)
        kept = {}
        made = f"{TAKE_S:g} s of it, encoded as H.264"
    return _played(name, stream, {**kept, "url": str(target), "type": "av", "loop": True}, made, found)


def _played(name: str, stream: StreamConfig, source: dict[str, Any], made: str, found: SourceFormat) -> Played:
    settings = SourceConfig.model_validate(source)
    fps = _rate(settings) or float(found.fps or _DEFAULT_FPS)
    return Played(name, stream, source, found.width, found.height, fps, made)


def _copied_with(settings: SourceConfig) -> dict[str, Any] | None:
    """The arguments for PyAV to read the packets of a source; None where only the source itself gives pictures."""
    options = dict(settings.options)
    name = settings.input_format
    url = settings.url
    if settings.kind == "v4l2":
        url = url.removeprefix("v4l2:")
        if not url.startswith("/"):
            return None  # it has to be looked for first
        name = "v4l2"
        if settings.input_format:
            options.setdefault("input_format", settings.input_format)
        if settings.size:
            options.setdefault("video_size", "{}x{}".format(*settings.size))
        if settings.fps:
            options.setdefault("framerate", str(settings.fps))
    elif settings.kind != "av":
        return None
    elif url.lower().startswith(("rtsp:", "rtsps:")):
        options.setdefault("rtsp_transport", settings.rtsp_transport)
    timeout = (settings.open_timeout_s, settings.read_timeout_s)
    return {"file": url, "format": name, "options": options, "timeout": timeout, "metadata_errors": "replace"}


def _copy(arguments: dict[str, Any], name: str, target: Path, tell: Tell) -> bool:
    """Take some seconds of a source, packets as they are; not done, and False, where they are raw pictures."""
    count, first, until = 0, None, time.monotonic() + 3 * TAKE_S
    try:
        with av.open(**arguments) as source, av.open(str(target), "w", format="matroska") as sink:
            video = source.streams.video[0]
            if video.codec_context.name == "rawvideo":
                return False
            track = sink.add_stream_from_template(video)
            for packet in source.demux(video):
                if packet.pts is None or not packet.size or (first is None and not packet.is_keyframe):
                    continue
                at = float(packet.pts * packet.time_base)
                first = at if first is None else first
                packet.stream = track
                sink.mux(packet)
                count += 1
                tell((at - first) / TAKE_S)
                if at - first >= TAKE_S or time.monotonic() >= until:
                    break
    except (av.error.FFmpegError, OSError, ValueError) as exc:
        why = getattr(exc, "strerror", None) or redact(str(exc))
        raise SourceError(f"cannot take some seconds of {name}: {why.lower()}") from exc
    _enough(count, name)
    return True


def _encode(source: Source, found: SourceFormat, ffmpeg: str, target: Path, tell: Tell) -> None:
    """Some seconds of an open source, encoded: what is raw would fill the memory of many daemons."""
    placement = Placement(found, None, "stretch")
    fps = found.fps or _DEFAULT_FPS
    raw = RawFormat(placement.width, placement.height, fps, found.colour, placement.sample_aspect_ratio)
    wanted, count = round(TAKE_S * fps), 0
    until = time.monotonic() + 3 * TAKE_S
    with target.open("wb") as file, LoneEncoder(EncoderSettings(ffmpeg), raw, file) as encoder:
        for frame in pictures(source):
            canvas = encoder.pool.take()
            copy(placement.prepare(frame), canvas.frame)
            encoder.picture(canvas)
            count += 1
            tell(count / wanted)
            if count >= wanted or time.monotonic() >= until:
                break
    _enough(count, "the source")


def pictures(source: Source) -> Iterator[Frame]:
    """The pictures of an open source, without its sound."""
    while (item := source.read()) is not None:
        if isinstance(item, Frame):
            yield item


def _enough(count: int, name: str) -> None:
    if count < _LEAST_PICTURES:
        raise SourceError(
            f"{name} gave {count} pictures in {3 * TAKE_S:g} s",
            hint=f"{_LEAST_PICTURES} are needed to measure anything",
        )


def _rate(settings: SourceConfig) -> float | None:
    """Pictures a second, by the times of the first ones; None where they have none."""
    times: list[float] = []
    with av.open(settings.url, format=settings.input_format, options=dict(settings.options)) as file:
        for packet in file.demux(video=0):
            if packet.pts is not None and packet.size:
                times.append(float(packet.pts * packet.time_base))
            if len(times) >= _LOOKED_AT:
                break
    # In the order of decoding: the last ones may have others before them that were not read.
    shown = sorted(times)[:-_AHEAD] if len(times) > 4 * _AHEAD else sorted(times)
    spread = shown[-1] - shown[0] if shown else 0.0
    return (len(shown) - 1) / spread if spread > 0 else None
