"""How the parts of a configuration have to fit together."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from edgeseg.config.effects import PassthroughEffect
from edgeseg.config.outputs import PublishConfig, RecordConfig
from edgeseg.config.problems import Path, path_text
from edgeseg.config.schema import Config, EncoderConfig, StreamConfig
from edgeseg.config.source import SourceConfig
from edgeseg.presence import PREROLL_BYTES

PUBLISH_SCHEMES = ("rtmp", "rtmps", "rtsp", "srt")
RTMP_PORT = 1935
_DAY_S = 86_400
_X264_PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What does not fit, at ``paths[0]``; the other paths are what it does not fit to."""

    paths: tuple[Path, ...]
    message: str


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on ``host``."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def listen_address(url: str) -> tuple[str, int]:
    """Host and port of an RTMP URL that is served here.

    Raises:
        ValueError: the URL has no host or no usable port.
    """
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError("has no host")
    return parts.hostname, parts.port or RTMP_PORT


def check(config: Config) -> Iterator[Finding]:
    """Everything that does not fit together in a configuration whose single values are right."""
    yield from _http(config)
    for name, stream in config.streams.items():
        yield from _stream(stream, ("streams", name))
    yield from _ports(config)
    yield from _destinations(config)
    if config.streams and not config.enabled:
        yield Finding((("streams",),), "has no stream with 'enabled: true'")
    if not config.streams:
        yield Finding((("streams",),), "is empty (at least one stream is needed)")


def _http(config: Config) -> Iterator[Finding]:
    if config.http.token is None and not is_loopback(config.http.host):
        yield Finding(
            (("http", "host"), ("http", "token")),
            f"{config.http.host!r} can be reached from other machines, which needs http.token (or use 127.0.0.1)",
        )


def _stream(stream: StreamConfig, here: Path) -> Iterator[Finding]:
    allowed = (*here, "allow_uncovered")
    need = "needs 'allow_uncovered: true' on the stream"
    if isinstance(stream.effect, PassthroughEffect) and not stream.allow_uncovered:
        yield Finding(((*here, "effect"), allowed), f"passthrough shows the bare camera picture, which {need}")
    if stream.mask.on_mask_loss == "uncovered" and not stream.allow_uncovered:
        yield Finding(
            ((*here, "mask", "on_mask_loss"), allowed),
            f"'uncovered' shows the bare picture without a mask, which {need}",
        )
    yield from _decode(stream.source, (*here, "source", "decode"))
    yield from _encoder(stream.encoder, (*here, "encoder"))
    if stream.record is not None:
        yield from _record(stream.record, stream.encoder, (*here, "record"))
    names: dict[str, Path] = {}
    for index, target in enumerate(stream.publish):
        at = (*here, "publish", index)
        yield from _target(target, (*at, "url"))
        if target.name is not None:
            if target.name in names:
                yield Finding(((*at, "name"), names[target.name]), f"{target.name!r} names another output already")
            names.setdefault(target.name, (*at, "name"))


def _decode(source: SourceConfig, here: Path) -> Iterator[Finding]:
    decode = source.decode
    if decode.child and source.kind not in ("av", "v4l2"):
        yield Finding((here, (*here[:-1], "type")), f"is for sources of type av and v4l2, not {source.kind}")
    if decode.hwaccel is not None and not decode.child:
        yield Finding(((*here, "child"), (*here, "hwaccel")), "must be true with hwaccel, which needs a child")
    if decode.device is not None and decode.hwaccel in (None, "v4l2m2m"):
        why = "is the device of a hwaccel, which is missing" if decode.hwaccel is None else "cannot be told to v4l2m2m"
        yield Finding(((*here, "device"), (*here, "hwaccel")), f"{why} (remove it)")
    if decode.fallback is not None and decode.hwaccel is None:
        yield Finding(((*here, "fallback"), (*here, "hwaccel")), "is for a hwaccel, which is missing (remove it)")


def _encoder(encoder: EncoderConfig, here: Path) -> Iterator[Finding]:
    if encoder.codec == "libx264" and encoder.preset is not None and encoder.preset not in _X264_PRESETS:
        yield Finding(
            ((*here, "preset"), (*here, "codec")),
            f"must be a preset of libx264 ({', '.join(_X264_PRESETS)}), not {encoder.preset!r}",
        )


def _record(record: RecordConfig, encoder: EncoderConfig, here: Path) -> Iterator[Finding]:
    if record.cut == "clock" and _DAY_S % record.segment_s:
        yield Finding(
            ((*here, "segment_s"), (*here, "cut")),
            f"must divide a day with 'cut: clock' (60, 300, 900 or 3600, say), which {record.segment_s:g} does not",
        )
    bitrate = 0 if encoder.bitrate == "auto" else int(encoder.bitrate)
    kept_bytes = (record.pre_roll_s + encoder.keyframe_s) * bitrate / 8
    if record.when == "on_presence" and kept_bytes > PREROLL_BYTES:
        yield Finding(
            ((*here, "pre_roll_s"), (*here[:-1], "encoder", "bitrate")),
            f"takes {kept_bytes / 2**20:.0f} MiB of memory at that bit rate; {PREROLL_BYTES >> 20} MiB are allowed",
        )


def _target(target: PublishConfig, at: Path) -> Iterator[Finding]:
    parts = _split(target.url)
    if parts is None or parts.scheme not in PUBLISH_SCHEMES:
        yield Finding((at,), f"must start with one of {', '.join(s + '://' for s in PUBLISH_SCHEMES)}")
        return
    if not parts.hostname:
        yield Finding((at,), "has no host")
        return
    if parts.scheme == "srt" and not parts.port:
        yield Finding((at,), "needs a port (SRT has no usual one)")
    if not target.listen:
        return
    listen = (*at[:-1], "listen")
    if parts.scheme != "rtmp":
        yield Finding((at, listen), f"with 'listen: true' must be rtmp://, not {parts.scheme}://")
    elif not re.fullmatch(r"/[^/]+/.+", parts.path):
        yield Finding(
            (at, listen), "with 'listen: true' must name an application and a stream (rtmp://host:port/live/name)"
        )


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises when it is no number from 0 to 65535
    except ValueError:
        return None
    return parts


def _ports(config: Config) -> Iterator[Finding]:
    """Two things that listen on one port; 0 is any free port and meets nobody."""
    taken: list[tuple[str, int, Path]] = [(config.http.host, config.http.port, ("http", "port"))]
    for at, target in _targets(config):
        parts = _split(target.url)
        if not target.listen or parts is None or not parts.hostname:
            continue
        host, port = listen_address(target.url)
        for other_host, other_port, other in taken:
            if port == other_port and port != 0 and _overlap(host, other_host):
                yield Finding((at, other), f"listens on port {port}, as {path_text(other)} does (use another port)")
                break
        taken.append((host, port, at))


def _overlap(one: str, other: str) -> bool:
    every = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
    same = {"localhost": "127.0.0.1"}
    return one in every or other in every or same.get(one, one) == same.get(other, other)


def _destinations(config: Config) -> Iterator[Finding]:
    seen: dict[str, Path] = {}
    for at, target in _targets(config):
        if target.listen:
            continue
        if target.url in seen:
            other = seen[target.url]
            yield Finding((at, other), f"is where {path_text(other)} publishes too (a server takes one stream there)")
        seen.setdefault(target.url, at)


def _targets(config: Config) -> Iterator[tuple[Path, PublishConfig]]:
    for name, stream in config.enabled.items():
        for index, target in enumerate(stream.publish):
            yield ("streams", name, "publish", index, "url"), target
