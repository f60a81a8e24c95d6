"""The list of what a configuration names and can be tried, in the order of the daemon's start."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from edgeseg.config import Config, StreamConfig
from edgeseg.config.checks import listen_address
from edgeseg.config.effects import ReplaceEffect
from edgeseg.errors import EdgesegError
from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.probe import reach
from edgeseg.probe.reach import ProbeError
from edgeseg.redact import redact, redact_url
from edgeseg.types import Frame, SourceFormat

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing to try: ``run`` says in a few words what it found or raises EdgesegError; it may block for seconds."""

    what: str
    run: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Result:
    """How one probe went; ``text`` is redacted."""

    what: str
    ok: bool
    text: str


def plan(config: Config) -> Iterator[Probe]:
    """What can be tried of ``config``; streams that are not enabled are left out."""
    yield Probe("ffmpeg", partial(_ffmpeg, config.ffmpeg))
    yield Probe("http", partial(reach.free_port, config.http.host, config.http.port))
    for name, stream in config.enabled.items():
        yield Probe(f"{name}: source", partial(_source, config, stream))
        yield Probe(f"{name}: model", partial(_model, stream))
        if isinstance(stream.effect, ReplaceEffect):
            file = stream.effect.picture or stream.effect.video
            if file is not None:
                yield Probe(f"{name}: background", partial(_background, stream, file))
        yield Probe(f"{name}: encoder", partial(_encoder, config, stream))
        for target in stream.publish:
            label = f"{name}: publish {target.name or redact_url(target.url)}"
            run = partial(reach.free_port, *listen_address(target.url)) if target.listen else None
            yield Probe(label, run or partial(reach.server, target.url))
        if stream.record is not None:
            yield Probe(f"{name}: record", partial(reach.folder, stream.record.directory))


def attempt(probe: Probe) -> Result:
    """Run one probe. Nothing that it raises ends the others."""
    try:
        return Result(probe.what, True, redact(probe.run()))
    except EdgesegError as exc:
        return Result(probe.what, False, redact(str(exc)))
    except Exception as exc:  # noqa: BLE001 - told as what it is, beside the results that the user asked for
        _log.debug("%s", probe.what, exc_info=exc)
        return Result(probe.what, False, redact(f"unexpected {type(exc).__name__}: {exc} (this is our bug)"))


def _ffmpeg(setting: str) -> str:
    binary = find_ffmpeg(setting)
    try:
        done = subprocess.run(
            [binary, "-hide_banner", "-version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10,
            check=True,
            start_new_session=True,
        )
    except (OSError, subprocess.SubprocessError) as exc:
        raise ProbeError(f"{binary} does not run: {exc}") from exc
    words = done.stdout.decode("utf-8", "replace").split()
    if words[:2] != ["ffmpeg", "version"]:
        raise ProbeError(f"{binary} is not ffmpeg")
    return f"{binary}, version {words[2]}"


def _source(config: Config, stream: StreamConfig) -> str:
    from edgeseg.build import build_source

    source = build_source(stream, config.ffmpeg)
    try:
        found = source.open()
        item = source.read()
        while item is not None and not isinstance(item, Frame):
            item = source.read()
    finally:
        source.close()
    if item is None:
        raise ProbeError("opens, but has no picture")
    return _describe(found)


def _describe(found: SourceFormat) -> str:
    rate = f"{float(found.fps):.5g} fps" if found.fps else "variable rate"
    sound = f", sound {found.audio.codec}" if found.audio else ", no sound"
    extent = "full" if found.colour.full_range else "limited"
    return f"{found.width}x{found.height}, {rate}, {found.colour.matrix} {extent} range{sound}"


def _model(stream: StreamConfig) -> str:
    from edgeseg.build import build_backend

    backend, recipe, device = build_backend(stream)
    try:
        backend.infer(np.zeros((1, recipe.height, recipe.width, 3), np.uint8))
    finally:
        backend.close()
    return f"{recipe.name} answers on {device} ({recipe.width}x{recipe.height})"


def _background(stream: StreamConfig, file: Path) -> str:
    from edgeseg.build import build_effect

    reach.readable(file)
    build_effect(stream)
    return str(file)


def _encoder(config: Config, stream: StreamConfig) -> str:
    from edgeseg.build import build_encoder_settings
    from edgeseg.encoding.command import usable_settings

    settings, note = usable_settings(build_encoder_settings(stream, find_ffmpeg(config.ffmpeg)))
    return note or f"{settings.codec} encodes"
