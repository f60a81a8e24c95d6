"""What a configuration may say, in its long form, with every default.

Paths are absolute, sizes are (width, height), rates are fractions, bit rates are bits per second, colours are
(red, green, blue). What keys mean is written in ``docs/configuration.md``; how they have to fit together is in
``checks.py``.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, PlainValidator, ValidationInfo, field_validator, model_validator

from edgeseg.config.effects import BlurEffect, Effect
from edgeseg.config.installed import plugin_name
from edgeseg.config.model import Section
from edgeseg.config.outputs import OutputConfig, PublishConfig, RecordConfig, RetentionConfig
from edgeseg.config.source import SourceConfig
from edgeseg.config.values import (
    Bitrate,
    Flag,
    MaybePath,
    MaybeText,
    Options,
    RateOrSource,
    SizeOrSource,
    Text,
    number,
    one_of,
    optional,
    parse_text,
    quoted,
    resolve_path,
    whole,
    word_or,
)

Level = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["text", "json"]
Precision = Literal["auto", "f32", "bf16", "f16"]
Sampling = Literal["auto", "host", "graph"]
OnMaskLoss = Literal["cover", "uncovered"]
Fit = Literal["contain", "cover", "stretch"]
Timestamps = Literal["source", "constant"]
Profile = Literal["quality", "balanced", "light"]
Codec = Literal["libx264", "h264_vaapi", "h264_qsv", "h264_nvenc", "h264_v4l2m2m"]
Fallback = Literal[None, "libx264"]
Audio = Literal["auto", "none", "silence"]

_STREAM_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_MODEL_FILE = re.compile(r".*\.(xml|onnx|tflite|pb|pdmodel|yaml)$", re.IGNORECASE)


class HttpConfig(Section):
    """Where the page, the metrics and the API are served."""

    may_be_empty: ClassVar[bool] = True
    host: Text = "127.0.0.1"
    port: Annotated[int, whole(0, 65535)] = 8790
    token: MaybeText = Field(default=None, repr=False)


class LogConfig(Section):
    """How much is logged, and how."""

    may_be_empty: ClassVar[bool] = True
    level: Annotated[Level, one_of(Level)] = "info"
    format: Annotated[LogFormat, one_of(LogFormat)] = "text"


def _slate_text(value: object) -> str:
    text = "" if value in (None, "") else parse_text(value)
    if not text.isascii() or not (text or "x").isprintable():
        raise ValueError(f"must be of plain ASCII letters, which are all that is drawn, not {quoted(text)}")
    return text


class ModelConfig(Section):
    """Which model segments, on what. ``name`` is a model that edgeseg ships, or an absolute path.

    ``device`` None is the backend's own choice: the processor, or whatever Edge TPU there is. ``fallback`` is the
    device that is taken when that one cannot be used. ``sampling`` says where frames are made small: on the processor
    ("host") or in the model's graph, on its device. ``timeout_s`` None waits for an inference for ever.
    """

    short_key: ClassVar[str] = "name"
    name: Text = "selfie"
    backend: Text = "auto"
    device: MaybeText = None
    fallback: MaybeText = None
    precision: Annotated[Precision, one_of(Precision)] = "auto"
    sampling: Annotated[Sampling, one_of(Sampling)] = "auto"
    timeout_s: Annotated[float | None, optional(number(0, 600, above=True))] = 5.0
    cache: MaybePath = None

    @field_validator("name", mode="after")
    @classmethod
    def _absolute(cls, value: str, info: ValidationInfo) -> str:
        return resolve_path(value, info) if "/" in value or _MODEL_FILE.match(value) else value

    @field_validator("backend", mode="after")
    @classmethod
    def _installed(cls, value: str) -> str:
        return plugin_name("backends", "backend", value, "auto")


def _smooth_step(value: object) -> tuple[float, float] | None:
    if value is None:
        return None
    sentence = f"must be two numbers, 0 <= low < high <= 1, such as [0.25, 0.75], not {quoted(value)}"
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(sentence)
    if any(isinstance(edge, bool) or not isinstance(edge, int | float) for edge in value):
        raise ValueError(sentence)
    low, high = value
    if not 0 <= low < high <= 1:
        raise ValueError(f"must be two numbers, 0 <= low < high <= 1, not [{low}, {high}]")
    return float(low), float(high)


class MotionGateConfig(Section):
    """Whether pictures on which nothing moves share a mask. ``threshold`` is in steps of 0..255."""

    may_be_empty: ClassVar[bool] = True
    enabled: Flag = False
    max_age_ms: Annotated[float, number(1, 2000)] = 500.0
    threshold: Annotated[int, whole(1, 64)] = 6

    @model_validator(mode="before")
    @classmethod
    def _switch_in_short(cls, data: Any) -> Any:
        return data if data is None or isinstance(data, dict) else {"enabled": data}


class MaskConfig(Section):
    """What is made of the model's answer: exactly one of ``threshold`` and ``smooth_step`` is set."""

    may_be_empty: ClassVar[bool] = True
    threshold: Annotated[float | None, optional(number(0, 1))] = None
    smooth_step: Annotated[tuple[float, float] | None, PlainValidator(_smooth_step)] = (0.35, 0.85)
    feather: Annotated[float, number(0, 64)] = 1.0
    temporal: Annotated[float, number(0, 0.99)] = 0.0
    invert: Flag = False
    motion_gate: MotionGateConfig = MotionGateConfig()
    on_mask_loss: Annotated[OnMaskLoss, one_of(OnMaskLoss)] = "cover"

    @model_validator(mode="before")
    @classmethod
    def _one_curve(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        if data.get("threshold") is None:
            if "smooth_step" in data and data["smooth_step"] is None:
                raise ValueError("needs threshold or smooth_step")
            return data
        if data.get("smooth_step") is not None:
            raise ValueError("takes threshold or smooth_step, not both (remove one)")
        return {**data, "smooth_step": None}


class VideoConfig(Section):
    """The size, the rate and the timestamps of what is put out."""

    may_be_empty: ClassVar[bool] = True
    size: SizeOrSource = "source"
    fit: Annotated[Fit, one_of(Fit)] = "contain"
    fps: RateOrSource = "source"
    timestamps: Annotated[Timestamps, one_of(Timestamps)] = "source"


class EncoderConfig(Section):
    """How the one encode of a stream is made. ``preset`` None: that of the profile."""

    may_be_empty: ClassVar[bool] = True
    codec: Annotated[Codec, one_of(Codec)] = "libx264"
    fallback: Annotated[Fallback, one_of(Fallback)] = None
    profile: Annotated[Profile, one_of(Profile)] = "balanced"
    preset: MaybeText = None
    bitrate: Bitrate = "auto"
    keyframe_s: Annotated[float, number(0.1, 20)] = 2.0
    threads: Annotated[int | Literal["auto"], word_or("auto", whole(1, 64))] = "auto"
    device: MaybeText = None
    options: Options = Field(default={}, repr=False)


def _as_list(value: object) -> object:
    if value is None:
        return ()
    return value if isinstance(value, list | tuple) else (value,)


class SlateConfig(Section):
    """What viewers see while a live source gives no pictures. ``text`` is for ``strftime``."""

    may_be_empty: ClassVar[bool] = True
    enabled: Flag = True
    after_s: Annotated[float, number(0.5, 3600)] = 3.0
    text: Annotated[str, PlainValidator(_slate_text)] = "no signal since %H:%M:%S"
    picture: MaybePath = None


class GovernorConfig(Section):
    """What a live stream may do on an overloaded machine. ``max_mask_age_ms`` 0: each picture has its own mask."""

    may_be_empty: ClassVar[bool] = True
    enabled: Flag = True
    min_fps: Annotated[float, number(3, 60)] = 5.0
    max_mask_age_ms: Annotated[float, number(0, 1000)] = 0.0


class PresenceConfig(Section):
    """When somebody counts as there: ``min_area`` is a share of the picture, the others are numbers of pictures."""

    may_be_empty: ClassVar[bool] = True
    min_area: Annotated[float, number(0, 1, above=True)] = 0.005
    frames: Annotated[int, whole(1, 1000)] = 5
    gone_frames: Annotated[int, whole(1, 1000)] = 10


class StreamConfig(Section):
    """One camera, from its source to its outputs."""

    enabled: Flag = True
    source: SourceConfig
    model: ModelConfig = ModelConfig()
    slate: SlateConfig = SlateConfig()
    governor: GovernorConfig = GovernorConfig()
    mask: MaskConfig = MaskConfig()
    presence: PresenceConfig = PresenceConfig()
    effect: Effect = BlurEffect()
    allow_uncovered: Flag = False
    audio: Annotated[Audio, one_of(Audio)] = "auto"
    video: VideoConfig = VideoConfig()
    encoder: EncoderConfig = EncoderConfig()
    publish: Annotated[tuple[PublishConfig, ...], BeforeValidator(_as_list)] = ()
    record: RecordConfig | None = None
    outputs: Annotated[tuple[OutputConfig, ...], BeforeValidator(_as_list)] = ()


def _stream_name(value: object) -> str:
    if not isinstance(value, str) or not _STREAM_NAME.fullmatch(value):
        raise ValueError(
            "is not a name for a stream (1 to 32 of a-z, 0-9, - and _, and the first is a letter or a digit)"
        )
    return str(value)


class Config(Section):
    """The whole file."""

    http: HttpConfig = HttpConfig()
    log: LogConfig = LogConfig()
    ffmpeg: Text = "auto"
    retention: RetentionConfig = RetentionConfig()
    streams: dict[Annotated[str, PlainValidator(_stream_name)], StreamConfig]

    @property
    def enabled(self) -> dict[str, StreamConfig]:
        """The streams that run."""
        return {name: stream for name, stream in self.streams.items() if stream.enabled}

    @field_validator("ffmpeg", mode="after")
    @classmethod
    def _absolute(cls, value: str, info: ValidationInfo) -> str:
        return resolve_path(value, info) if "/" in value else value
