"""What may stand under ``effect:``, one model for each effect."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    PlainSerializer,
    PlainValidator,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from edgeseg import plugins
from edgeseg.config.model import Section
from edgeseg.config.values import (
    COLOURS,
    RGB,
    Colour,
    guess,
    hex_colour,
    number,
    one_of,
    optional,
    parse_colour,
    parse_path,
    quoted,
)

Fit = Literal["cover", "contain", "stretch"]
Region = Literal["kept", "other"]

BUILT_IN = ("replace", "blur", "overlay", "matte", "passthrough")


def _maybe_path(value: object, info: ValidationInfo) -> Path | None:
    return None if value is None else parse_path(value, info)


MaybePath = Annotated[
    Path | None, PlainValidator(_maybe_path), PlainSerializer(lambda p: None if p is None else str(p))
]
MaybeColour = Annotated[
    RGB | None,
    optional(PlainValidator(parse_colour)),
    PlainSerializer(lambda c: None if c is None else hex_colour(c)),
]


class ReplaceEffect(Section):
    """Another background: exactly one of ``color``, ``picture`` and ``video`` is set."""

    type: Literal["replace"] = "replace"
    color: MaybeColour = None
    picture: MaybePath = None
    video: MaybePath = None
    fit: Annotated[Fit, one_of(Fit)] = "cover"

    @model_validator(mode="before")
    @classmethod
    def _exactly_one(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        given = [key for key in ("color", "picture", "video") if data.get(key) is not None]
        if len(given) > 1:
            raise ValueError(f"takes one background, not {' and '.join(given)} (remove {' or '.join(given)})")
        if given:
            return {key: value for key, value in data.items() if value is not None or key in ("type", "fit")}
        # A key that is written and empty is most likely an unquoted '#rrggbb': its own check says so.
        empty = [key for key in ("color", "picture", "video") if key in data]
        return data if empty else {**data, "color": "green"}

    @field_validator("color", mode="before")
    @classmethod
    def _not_empty(cls, value: object) -> object:
        return parse_colour(value) if value is None else value


class BlurEffect(Section):
    """The background out of focus; ``strength`` 1 hides faces at a few metres."""

    type: Literal["blur"] = "blur"
    strength: Annotated[float, number(0, 4, above=True)] = 1.0


class OverlayEffect(Section):
    """A tint over the kept or the other region."""

    type: Literal["overlay"] = "overlay"
    color: Colour = COLOURS["red"]
    opacity: Annotated[float, number(0, 1)] = 0.5
    region: Annotated[Region, one_of(Region)] = "kept"


class MatteEffect(Section):
    """The mask itself: white is kept."""

    type: Literal["matte"] = "matte"


class PassthroughEffect(Section):
    """The camera's own picture. Needs ``allow_uncovered: true`` on the stream."""

    type: Literal["passthrough"] = "passthrough"


class PluginEffect(Section):
    """An effect of another package, found by its entry point; ``options`` are passed to it."""

    type: str
    options: dict[str, Any] = Field(default={}, repr=False)

    @field_validator("type", mode="before")
    @classmethod
    def _installed(cls, value: object) -> str:
        known = plugins.names("effects")
        if not isinstance(value, str) or value not in known:
            listed = sorted({*known, *BUILT_IN})
            raise ValueError(f"no effect is called {quoted(value)} {guess(str(value), listed)}")
        return str(value)


def _long_form(value: object) -> object:
    if isinstance(value, str):
        return {"type": str(value)}
    if not isinstance(value, dict | Section):
        raise ValueError(f"must be the name of an effect or a mapping with its type, not {quoted(value)}")
    if isinstance(value, dict) and "type" not in value:
        raise ValueError(f"needs a type ({', '.join(BUILT_IN)}, or that of a plug-in)")
    return value


def _kind(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else value.type
    return kind if isinstance(kind, str) and kind in BUILT_IN else "plugin"


Effect = Annotated[
    Annotated[ReplaceEffect, Tag("replace")]
    | Annotated[BlurEffect, Tag("blur")]
    | Annotated[OverlayEffect, Tag("overlay")]
    | Annotated[MatteEffect, Tag("matte")]
    | Annotated[PassthroughEffect, Tag("passthrough")]
    | Annotated[PluginEffect, Tag("plugin")],
    Discriminator(_kind),
    BeforeValidator(_long_form),
]
