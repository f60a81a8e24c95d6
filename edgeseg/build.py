"""From the configuration to the parts of a stream. Plug-ins are imported here, when they are chosen."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from edgeseg import plugins
from edgeseg.backends.choose import backend_name, default_device
from edgeseg.backends.revived import Revived
from edgeseg.backends.watched import Watched, takes
from edgeseg.config.effects import PluginEffect, ReplaceEffect
from edgeseg.config.outputs import PublishConfig, RecordConfig, RetentionConfig
from edgeseg.config.schema import Config, StreamConfig
from edgeseg.config.source import DecodeConfig
from edgeseg.encoding.command import EncoderSettings
from edgeseg.errors import ConfigError
from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.governor import GovernorSettings
from edgeseg.masks import MaskRefiner, RefineSettings, StillGate, StillSettings, settling
from edgeseg.outputs.events import EventGate
from edgeseg.outputs.recordstatus import RecordStatus
from edgeseg.outputs.retention import Keeper, Retention
from edgeseg.pipeline import Stages
from edgeseg.presence import Presence, PresenceSettings
from edgeseg.reader import VideoSettings
from edgeseg.recipes import find_model, load_recipe
from edgeseg.redact import redact_url
from edgeseg.sampling import DeviceSampler
from edgeseg.slate import SlateSettings
from edgeseg.sources.decode_command import DecodeSettings
from edgeseg.status import OutputStatus, StreamStatus
from edgeseg.supervisor import Blueprint, Fed
from edgeseg.types import Backend, Effect, FrameSampler, Recipe, Source

_PUBLISH_QUEUE_S = 2.0
# A disk may block for as long as the recorder waits for it (8 s), and nothing is lost.
_RECORD_QUEUE_S, _RECORD_QUEUE_BYTES = 12.0, 32 << 20
# Which settings of `source:` each built-in source takes, besides the URL.
_SOURCE_KEYS = {
    "av": ("loop", "rtsp_transport", "open_timeout_s", "read_timeout_s", "audio", "input_format", "options", "decode"),
    "v4l2": ("input_format", "size", "fps", "open_timeout_s", "read_timeout_s", "options", "decode"),
    "test": ("size", "fps"),
}


def build_keeper(config: Config) -> Keeper:
    """What looks after the recordings of all streams, not started yet."""
    return Keeper(_limits(config.retention))


def blueprint(name: str, config: Config, keeper: Keeper) -> Blueprint:
    """Everything of stream ``name``, nothing of it open yet; ``keeper`` looks after its recordings.

    Raises:
        ConfigError: a plug-in cannot be imported, or there is no ffmpeg.
    """
    stream = config.streams[name]
    ffmpeg = find_ffmpeg(config.ffmpeg)
    status = StreamStatus(name, effect=stream.effect.type, model=Path(stream.model.name).name)
    presence = Presence(presence_settings(stream), status)
    outputs = _build_outputs(name, stream, ffmpeg, status, keeper, presence)
    backends: list[Backend] = []

    def load() -> Stages:
        backend, recipe, _ = build_backend(stream, _sharing(stream, config), status)
        backends.append(backend)
        sampler: FrameSampler = DeviceSampler(recipe, partial(takes, backend))
        return Stages(
            sampler,
            backend,
            MaskRefiner(refine_settings(stream)),
            build_effect(stream),
            uncovered_without_mask=stream.mask.on_mask_loss == "uncovered" and stream.allow_uncovered,
            presence=presence,
            gate=build_gate(stream, recipe),
        )

    def unload() -> None:
        while backends:
            backends.pop().close()

    return Blueprint(
        status=status,
        make_source=lambda: build_source(stream, ffmpeg),
        load=load,
        unload=unload,
        video=VideoSettings(
            size=None if stream.video.size == "source" else stream.video.size,
            fit=stream.video.fit,
            fps=_rate(stream.video.fps),
            realtime=stream.source.realtime,
        ),
        encoder=build_encoder_settings(stream, ffmpeg),
        outputs=outputs,
        slate=slate_settings(stream),
        governor=governor_settings(stream),
        open_ahead=True,
    )


def governor_settings(stream: StreamConfig) -> GovernorSettings | None:
    """How far the governor of ``stream`` may go; None when it is switched off."""
    settings = stream.governor
    return GovernorSettings(settings.min_fps, settings.max_mask_age_ms / 1000) if settings.enabled else None


def build_source(stream: StreamConfig, ffmpeg: str = "auto") -> Source:
    """The source of ``stream``, not open yet; ``ffmpeg`` is what decodes where that is done in a child.

    Raises:
        ConfigError: there is no ffmpeg to decode with.
    """
    settings = stream.source
    factory = plugins.load("sources", settings.kind)
    keys = _SOURCE_KEYS.get(settings.kind)
    if keys is None:
        return factory(settings.url, **settings.options)  # type: ignore[no-any-return]
    arguments: dict[str, Any] = {key: getattr(settings, key) for key in keys}
    if "decode" in keys:
        arguments["decode"] = _decode_settings(settings.decode, ffmpeg)
    return factory(settings.url, **arguments)  # type: ignore[no-any-return]


def _decode_settings(decode: DecodeConfig, ffmpeg: str) -> DecodeSettings | None:
    if not decode.child:
        return None
    return DecodeSettings(find_ffmpeg(ffmpeg), decode.hwaccel, decode.device, decode.fallback == "software")


def build_backend(
    stream: StreamConfig, concurrent: int = 1, status: StreamStatus | None = None
) -> tuple[Backend, Recipe, str]:
    """The loaded backend, the recipe of its model and the device that it runs on; ``concurrent`` streams run the same.

    Which device it is on, and how often it had to be loaded again, is written to ``status``.

    Raises:
        ConfigError: frames are to be sampled in the graph of a backend that has none.
        ModelError: the model cannot be found, or loaded neither on its device nor on the fallback.
    """
    settings = stream.model
    recipe = load_recipe(find_model(settings.name))
    name = backend_name(recipe) if settings.backend == "auto" else settings.backend
    factory = plugins.load("backends", name)
    options: dict[str, Any] = {}
    if name == "openvino":
        streams = min(concurrent, os.cpu_count() or 1)
        options = {"precision": settings.precision, "streams": streams, "cache_dir": _model_cache(stream)}
        if settings.sampling != "auto":
            options["sampling"] = settings.sampling
    elif settings.sampling == "graph":
        raise ConfigError(f"model {recipe.name!r}: only the backend openvino has a graph to sample in, not {name}")

    def make() -> Backend:
        backend: Backend = factory(**options)
        return backend if settings.timeout_s is None else Watched(backend, settings.timeout_s)

    status = status or StreamStatus("")
    backend = Revived(make, settings.fallback, status.runs_on, reloaded=status.model_reloaded)
    backend.load(recipe, settings.device or default_device(name))
    return backend, recipe, status.device


def _model_cache(stream: StreamConfig) -> Path | None:
    """Where compiled models are kept: as configured, else in the cache directory that systemd gives a service."""
    given = os.environ.get("CACHE_DIRECTORY", "").split(":")[0]
    return stream.model.cache or (Path(given) / "models" if given else None)


def build_effect(stream: StreamConfig) -> Effect:
    """The effect of ``stream``.

    Raises:
        StreamError: its picture cannot be read.
    """
    settings = stream.effect
    factory = plugins.load("effects", settings.type)
    if isinstance(settings, PluginEffect):
        return factory(**settings.options)  # type: ignore[no-any-return]
    arguments: dict[str, Any] = {key: getattr(settings, key) for key in type(settings).model_fields if key != "type"}
    if isinstance(settings, ReplaceEffect):
        arguments = {key: value for key, value in arguments.items() if value is not None}
        if settings.video is not None:
            player = plugins.load("sources", "av")
            arguments["video"] = player(str(settings.video), loop=True, audio=False)
    return factory(**arguments)  # type: ignore[no-any-return]


def build_encoder_settings(stream: StreamConfig, ffmpeg: str) -> EncoderSettings:
    """The encoder's settings, with everything that is "auto" left open."""
    settings = stream.encoder
    constant = stream.video.timestamps == "constant"
    return EncoderSettings(
        ffmpeg=ffmpeg,
        codec=settings.codec,
        fallback=settings.fallback,
        profile=settings.profile,
        preset=settings.preset,
        bitrate=None if settings.bitrate == "auto" else int(settings.bitrate),
        keyframe_s=settings.keyframe_s,
        threads=None if settings.threads == "auto" else int(settings.threads),
        device=settings.device,
        constant=constant,
        audio=stream.audio,
        options={key: str(value) for key, value in settings.options.items()},
    )


def slate_settings(stream: StreamConfig) -> SlateSettings | None:
    slate = stream.slate
    if not slate.enabled:
        return None
    return SlateSettings(slate.after_s, slate.text, slate.picture, before_first=not _is_file(stream))


def refine_settings(stream: StreamConfig) -> RefineSettings:
    mask = stream.mask
    settings = RefineSettings(
        temporal=mask.temporal, threshold=mask.threshold, feather=float(mask.feather), invert=mask.invert
    )
    # None where a threshold takes its place.
    return settings if mask.smooth_step is None else replace(settings, smooth_step=mask.smooth_step)


def build_gate(stream: StreamConfig, recipe: Recipe) -> StillGate | None:
    """What finds pictures of ``stream`` that need no inference of their own; None when it is switched off."""
    gate = stream.mask.motion_gate
    if not gate.enabled:
        return None
    settle = settling(stream.mask.temporal, prior=recipe.prior_channel)
    return StillGate(StillSettings(gate.threshold, gate.max_age_ms / 1000, settle))


def presence_settings(stream: StreamConfig) -> PresenceSettings:
    settings = stream.presence
    return PresenceSettings(settings.min_area, settings.frames, settings.gone_frames, inverted=stream.mask.invert)


def _build_outputs(
    name: str, stream: StreamConfig, ffmpeg: str, status: StreamStatus, keeper: Keeper, presence: Presence
) -> list[Fed]:
    from edgeseg.outputs.feed import Feed

    waits = _is_file(stream)
    outputs: list[Fed] = []
    for number, publish in enumerate(stream.publish):
        output_name = publish.name or f"publish{number or ''}"
        if publish.listen:
            outputs.append(_listen(name, output_name, publish, status))
            continue
        out = OutputStatus(output_name, "publish", redact_url(publish.url))
        publisher = plugins.load("outputs", "publish")(publish.url, ffmpeg=ffmpeg, name=f"{name}:{output_name}")
        status.outputs.append(out)
        outputs.append(Feed(f"{name}:{output_name}", publisher, out, queue_s=_PUBLISH_QUEUE_S, wait=waits))
    if stream.record is not None:
        out = RecordStatus("record", "record", str(stream.record.directory))
        recorder = plugins.load("outputs", "record")(
            stream.record.directory,
            name,
            ffmpeg=ffmpeg,
            segment_s=stream.record.segment_s,
            by_clock=stream.record.cut == "clock",
            container=stream.record.container,
            status=out,
            keeper=keeper,
            retention=_limits(stream.record),
            gate=_gate(stream.record, presence),
        )
        status.outputs.append(out)
        outputs.append(
            Feed(
                f"{name}:record",
                recorder,
                out,
                queue_s=_RECORD_QUEUE_S,
                queue_bytes=_RECORD_QUEUE_BYTES,
                wait=waits,
            )
        )
    for extra in stream.outputs:
        out = OutputStatus(extra.type, extra.type, "")
        status.outputs.append(out)
        outputs.append(Feed(f"{name}:{extra.type}", plugins.load("outputs", extra.type)(**extra.options), out))
    return outputs


def _gate(record: RecordConfig, presence: Presence) -> EventGate | None:
    if record.when == "always":
        return None
    pre_ms, post_ms = round(record.pre_roll_s * 1000), round(record.post_roll_s * 1000)
    return EventGate(lambda: presence.sightings, pre_roll_ms=pre_ms, post_roll_ms=post_ms)


def _listen(name: str, output_name: str, publish: PublishConfig, status: StreamStatus) -> Fed:
    out = OutputStatus(output_name, "listen", redact_url(publish.url))
    status.outputs.append(out)
    return plugins.load("outputs", "listen")(publish.url, name=f"{name}:{output_name}", status=out)  # type: ignore[no-any-return]


def _is_file(stream: StreamConfig) -> bool:
    return stream.source.kind == "av" and "://" not in stream.source.url


def _limits(settings: RecordConfig | RetentionConfig) -> Retention:
    return Retention(settings.keep, settings.max_size, settings.min_free)


def _sharing(stream: StreamConfig, config: Config) -> int:
    return sum(1 for other in config.enabled.values() if other.model == stream.model)


def _rate(value: Fraction | str) -> Fraction | None:
    return value if isinstance(value, Fraction) else None
