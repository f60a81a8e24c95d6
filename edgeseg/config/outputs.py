"""What may stand under ``publish:``, ``record:``, ``outputs:`` and ``retention:``."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field, field_validator, model_validator

from edgeseg.config.amounts import MaybeAmount, MaybeDuration
from edgeseg.config.installed import plugin_name
from edgeseg.config.model import Section
from edgeseg.config.values import AnyPath, Flag, MaybeText, Text, number, one_of

Container = Literal["mp4", "mkv", "ts"]
When = Literal["always", "on_presence"]
Cut = Literal["duration", "clock"]


class PublishConfig(Section):
    """One place that the stream is sent to, or, with ``listen``, served at."""

    short_key: ClassVar[str] = "url"
    url: Text = Field(repr=False)
    name: MaybeText = None
    listen: Flag = False


class RetentionConfig(Section):
    """How much of all recordings together is kept; null is no limit."""

    may_be_empty: ClassVar[bool] = True
    keep: MaybeDuration = None
    max_size: MaybeAmount = None
    min_free: MaybeAmount = None


class RecordConfig(Section):
    """The folder that segments are written to, and how much of them is kept there; null is no limit."""

    short_key: ClassVar[str] = "directory"
    directory: AnyPath
    segment_s: Annotated[float, number(1, 86_400)] = 60.0
    cut: Annotated[Cut, one_of(Cut)] = "duration"
    container: Annotated[Container, one_of(Container)] = "mp4"
    when: Annotated[When, one_of(When)] = "always"
    pre_roll_s: Annotated[float, number(0, 60)] = 5.0
    post_roll_s: Annotated[float, number(0, 600)] = 5.0
    keep: MaybeDuration = None
    max_size: MaybeAmount = None
    min_free: MaybeAmount = 200_000_000

    @model_validator(mode="before")
    @classmethod
    def _names_a_folder(cls, data: Any) -> Any:
        if data in get_args(When):
            raise ValueError(f"needs a folder (write {{directory: …, when: {data}}})")
        return data


class OutputConfig(Section):
    """An output of another package, found by its entry point; ``options`` are passed to it."""

    short_key: ClassVar[str] = "type"
    type: Text
    options: dict[str, Any] = Field(default={}, repr=False)

    @field_validator("type", mode="after")
    @classmethod
    def _installed(cls, value: str) -> str:
        if value in ("publish", "listen", "record"):
            key = "record" if value == "record" else "publish"
            raise ValueError(f"{value!r} is built in (write it under {key!r} instead)")
        return plugin_name("outputs", "output", value)
