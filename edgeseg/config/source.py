"""What may stand under ``source:``, and which plug-in opens it."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PlainValidator, ValidationInfo, field_validator, model_validator

from edgeseg.config.installed import plugin_name
from edgeseg.config.model import Section
from edgeseg.config.values import (
    Flag,
    MaybeRate,
    MaybeSize,
    MaybeText,
    Options,
    Text,
    number,
    one_of,
    parse_text,
    resolve_path,
)

Transport = Literal["tcp", "udp"]
HwAccel = Literal[None, "vaapi", "qsv", "v4l2m2m", "cuda"]
DecodeFallback = Literal[None, "software"]

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


class DecodeConfig(Section):
    """Where the pictures of a source are decoded: in the daemon, or in a child, which is what hardware needs."""

    may_be_empty: ClassVar[bool] = True
    child: Flag = False
    hwaccel: Annotated[HwAccel, one_of(HwAccel)] = None
    device: MaybeText = None
    fallback: Annotated[DecodeFallback, one_of(DecodeFallback)] = None

    @model_validator(mode="before")
    @classmethod
    def _child_in_short(cls, data: Any) -> Any:
        """A bare value is the hardware, or ``child`` for none; hardware is always in a child."""
        if data == "child":
            return {"child": True}
        data = {"hwaccel": data} if isinstance(data, str) else data
        if isinstance(data, dict) and data.get("hwaccel") is not None and "child" not in data:
            return {**data, "child": True}
        return data


class SourceConfig(Section):
    """Where the pictures of one stream come from."""

    short_key: ClassVar[str] = "url"
    type: Text = "auto"
    url: Annotated[str, PlainValidator(parse_text)] = Field(default="", repr=False)
    loop: Flag = False
    realtime: Flag = True
    rtsp_transport: Annotated[Transport, one_of(Transport)] = "tcp"
    open_timeout_s: Annotated[float, number(0, 600, above=True)] = 10.0
    read_timeout_s: Annotated[float, number(0, 600, above=True)] = 10.0
    audio: Flag = True
    input_format: MaybeText = None
    size: MaybeSize = None
    fps: MaybeRate = None
    decode: DecodeConfig = DecodeConfig()
    options: Options = Field(default={}, repr=False)

    @property
    def kind(self) -> str:
        """The source plug-in that opens it: ``type``, or what ``url`` looks like when that is ``auto``."""
        return self.type if self.type != "auto" else _kind_of(self.url)

    @field_validator("type", mode="after")
    @classmethod
    def _installed(cls, value: str) -> str:
        return plugin_name("sources", "source", value, "auto")

    @field_validator("url", mode="after")
    @classmethod
    def _absolute(cls, value: str, info: ValidationInfo) -> str:
        if value == "test":
            return "test:"
        kind = info.data.get("type", "auto")
        kind = _kind_of(value) if kind == "auto" else kind
        return resolve_path(value, info) if kind in ("av", "v4l2") and not _SCHEME.match(value) else value

    @model_validator(mode="after")
    def _has_url(self) -> SourceConfig:
        if not self.url and self.kind in ("auto", "av", "v4l2"):
            raise ValueError("needs a url")
        return self


def _kind_of(url: str) -> str:
    if url == "test" or url.startswith("test:"):
        return "test"
    return "v4l2" if url.startswith(("/dev/video", "/dev/v4l/", "v4l2:")) else "av"
