"""The kinds of value that the configuration has, each checked by one function that explains itself.

Every check answers in one clause that follows the key: ``must be a whole number from 1 to 65535, not 'abc'``. Nothing
is repaired: a number in quotes is an error, except in text that came out of a ``${...}`` reference, which cannot be
anything but text.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from fractions import Fraction
from inspect import signature
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import PlainSerializer, PlainValidator, ValidationInfo

from edgeseg.redact import redact

RGB = tuple[int, int, int]

# Names of CSS, but for green: here it is the full green that chroma keyers expect (#00ff00, which CSS calls lime).
COLOURS: dict[str, RGB] = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "lime": (0, 255, 0),
    "blue": (0, 0, 255),
    "magenta": (255, 0, 255),
    "fuchsia": (255, 0, 255),
    "cyan": (0, 255, 255),
    "aqua": (0, 255, 255),
    "yellow": (255, 255, 0),
    "gray": (128, 128, 128),
    "grey": (128, 128, 128),
    "silver": (192, 192, 192),
    "orange": (255, 165, 0),
    "pink": (255, 192, 203),
    "purple": (128, 0, 128),
    "brown": (165, 42, 42),
    "navy": (0, 0, 128),
    "teal": (0, 128, 128),
    "maroon": (128, 0, 0),
    "olive": (128, 128, 0),
}

# Decimal rates that everybody writes and nobody means literally.
_NTSC = {"23.976": 24, "23.98": 24, "29.97": 30, "47.952": 48, "59.94": 60, "119.88": 120}
_BITRATE_UNITS = {"": 1, "k": 1000, "m": 1_000_000}
_MIN_BITRATE, _MAX_BITRATE = 10_000, 500_000_000
_MAX_SIDE = 8192
_MAX_FPS = 240


class Substituted(str):
    """Text that a ``${...}`` reference was part of: it may be read as a number or as true and false."""

    __slots__ = ()


def quoted(value: object) -> str:
    """``value`` as it may be shown in a message: short, redacted, in YAML's words."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = redact(str(value))
    text = text if len(text) <= 40 else text[:37] + "..."
    return f"{text!r}" if isinstance(value, str) else text


def guess(word: str, known: Iterable[str]) -> str:
    """``(did you mean 'x'?)`` when something known looks like ``word``, else the list of what is known."""
    known = list(known)
    close = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f"(did you mean {close[0]!r}?)" if close else f"(known here: {', '.join(known)})"


def whole(low: int, high: int) -> PlainValidator:
    """A whole number from ``low`` to ``high``, both included."""

    def check(value: object) -> int:
        number = _number(value)
        if number is None or number != int(number) or isinstance(number, float) or not low <= number <= high:
            raise ValueError(f"must be a whole number from {low} to {high}, not {quoted(value)}")
        return number

    return PlainValidator(check)


def number(low: float, high: float, *, above: bool = False) -> PlainValidator:
    """A number from ``low`` (or, with ``above``, from just above it) to ``high``, as float."""

    def check(value: object) -> float:
        found = _number(value)
        if found is None or not low <= found <= high or (above and found == low):
            words = f"above {low:g} and at most {high:g}" if above else f"from {low:g} to {high:g}"
            raise ValueError(f"must be a number {words}, not {quoted(value)}")
        return float(found)

    return PlainValidator(check)


def optional(check: PlainValidator) -> PlainValidator:
    """What ``check`` takes, or null."""

    def maybe(value: object, info: ValidationInfo) -> Any:
        if value is None:
            return None
        function: Any = check.func
        return function(value, info) if len(signature(function).parameters) > 1 else function(value)

    return PlainValidator(maybe)


def word_or(word: str, check: PlainValidator) -> PlainValidator:
    """What ``check`` takes, or the one ``word``."""

    def either(value: object) -> Any:
        if value == word:
            return word
        try:
            return check.func(value)  # type: ignore[call-arg]
        except ValueError as exc:
            raise ValueError(f"must be {word!r}, or {str(exc).removeprefix('must be ')}") from None

    return PlainValidator(either)


def one_of(literal: Any) -> PlainValidator:
    """One of the words of a ``Literal[...]``; None in it stands for null."""
    allowed = get_args(literal)
    words = [word for word in allowed if word is not None]

    def check(value: object) -> Any:
        if value is None and None in allowed:
            return None
        if isinstance(value, str) and value in words:
            return str(value)
        listed = ", ".join(words[:-1]) + f" or {words[-1]}" if len(words) > 1 else words[0]
        none = " or null" if None in allowed else ""
        close = difflib.get_close_matches(value.lower(), words, n=1) if isinstance(value, str) else []
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise ValueError(f"must be {listed}{none}, not {quoted(value)}{hint}")

    return PlainValidator(check)


def parse_flag(value: object) -> bool:
    """True or false."""
    if isinstance(value, Substituted) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, not {quoted(value)}")
    return value


def parse_text(value: object) -> str:
    """Text on one line, not empty."""
    if value is None:
        raise ValueError("is empty (a value that starts with # needs quotes)")
    if not isinstance(value, str):
        raise ValueError(f"must be text, not {quoted(value)} (put it in quotes)")
    if not value.strip():
        raise ValueError("is empty")
    if not value.isprintable():
        raise ValueError("must be text on one line without control characters")
    return str(value)


def parse_size(value: object) -> tuple[int, int]:
    """``1280x720`` as (width, height)."""
    # The long form, from Python. YAML has no tuples.
    value = size_text(value) if isinstance(value, tuple) else value
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"must be a size such as 1280x720, not {quoted(value)}")
    width, height = int(found[1]), int(found[2])
    if not (16 <= width <= _MAX_SIDE and 16 <= height <= _MAX_SIDE):
        raise ValueError(f"must be a size from 16x16 to {_MAX_SIDE}x{_MAX_SIDE}, not {quoted(value)}")
    return width, height


def parse_rate(value: object) -> Fraction:
    """Pictures per second: ``25``, ``30000/1001``; ``29.97`` and its kin are read as their NTSC fractions."""
    text = str(value).strip() if isinstance(value, int | float | str) and not isinstance(value, bool) else ""
    rate = value if isinstance(value, Fraction) else None
    if text in _NTSC:
        rate = Fraction(_NTSC[text] * 1000, 1001)
    elif re.fullmatch(r"\d{1,6}(\.\d{1,6})?|\d{1,9}/0*[1-9]\d{0,8}", text):
        rate = Fraction(text)
    if rate is None or not Fraction(1, 10) <= rate <= _MAX_FPS:
        raise ValueError(f"must be a rate such as 25, 29.97 or 30000/1001 (0.1 to {_MAX_FPS}), not {quoted(value)}")
    return rate


def parse_bitrate(value: object) -> int:
    """Bits per second: ``3M``, ``2500k`` or a whole number."""
    text = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
    found = re.fullmatch(r"(\d{1,12}(?:\.\d{1,6})?)([kKM]?)", text)
    bits = Fraction(found[1]) * _BITRATE_UNITS[found[2].lower()] if found else Fraction(0)
    if not _MIN_BITRATE <= bits <= _MAX_BITRATE:
        raise ValueError(f"must be a bit rate such as 3M or 2500k (10k to 500M), not {quoted(value)}")
    return round(bits)


def parse_colour(value: object) -> RGB:
    """A name or ``'#rrggbb'`` as (red, green, blue), 0..255 each."""
    if value is None:
        raise ValueError("is empty (a colour such as '#00ff00' needs quotes: YAML takes # for a comment)")
    value = hex_colour(value) if isinstance(value, tuple) else value
    text = value.lower() if isinstance(value, str) else ""
    if text in COLOURS:
        return COLOURS[text]
    if re.fullmatch(r"#[0-9a-f]{6}", text):
        return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)
    close = difflib.get_close_matches(text, COLOURS, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    raise ValueError(f"must be a colour name or '#rrggbb', not {quoted(value)}{hint}")


def parse_path(value: object, info: ValidationInfo) -> Path:
    """A path; a relative one starts at the folder of the configuration file."""
    return Path(resolve_path(str(value) if isinstance(value, Path) else parse_text(value), info))


def resolve_path(text: str, info: ValidationInfo) -> str:
    """``text`` as an absolute path; relative to ``context["base"]``, the folder of the configuration file."""
    base = (info.context or {}).get("base")
    path = Path(text).expanduser() if text.startswith("~/") else Path(text)
    return str(path if base is None else Path(base) / path)


def parse_options(value: object) -> dict[str, str]:
    """Names and values that are handed on as they are: numbers and truth values become text."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"must be a mapping of names to values, not {quoted(value)}")
    for name, item in value.items():
        if isinstance(item, dict | list) or item is None:
            raise ValueError(f"{name!r} must be text or a number, not {quoted(item)}")
    return {str(name): str(item).lower() if isinstance(item, bool) else str(item) for name, item in value.items()}


def _number(value: object) -> int | float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, Substituted):
        for kind in (int, float):
            try:
                return _finite(kind(value))
            except ValueError:
                continue
    return _finite(value) if isinstance(value, int | float) else None


def _finite(value: int | float) -> int | float | None:
    # An int beyond 2**63 is no setting, and float() of it may overflow.
    return value if abs(value) < 2**63 and math.isfinite(value) else None


def hex_colour(colour: RGB) -> str:
    """``#rrggbb``."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def rate_text(rate: Fraction | str | None) -> str | None:
    """``25`` or ``30000/1001``, as the configuration takes it."""
    return None if rate is None else str(rate)


def size_text(size: tuple[int, int] | str | None) -> str | None:
    """``1280x720``, as the configuration takes it."""
    return f"{size[0]}x{size[1]}" if isinstance(size, tuple) else size


Flag = Annotated[bool, PlainValidator(parse_flag)]
Text = Annotated[str, PlainValidator(parse_text)]
MaybeText = Annotated[str | None, optional(PlainValidator(parse_text))]
AnyPath = Annotated[Path, PlainValidator(parse_path), PlainSerializer(str)]
MaybePath = Annotated[
    Path | None, optional(PlainValidator(parse_path)), PlainSerializer(lambda path: path and str(path))
]
Options = Annotated[dict[str, str], PlainValidator(parse_options)]
Colour = Annotated[RGB, PlainValidator(parse_colour), PlainSerializer(hex_colour)]
MaybeSize = Annotated[tuple[int, int] | None, optional(PlainValidator(parse_size)), PlainSerializer(size_text)]
SizeOrSource = Annotated[
    tuple[int, int] | Literal["source"], word_or("source", PlainValidator(parse_size)), PlainSerializer(size_text)
]
MaybeRate = Annotated[Fraction | None, optional(PlainValidator(parse_rate)), PlainSerializer(rate_text)]
RateOrSource = Annotated[
    Fraction | Literal["source"], word_or("source", PlainValidator(parse_rate)), PlainSerializer(rate_text)
]
Bitrate = Annotated[int | Literal["auto"], word_or("auto", PlainValidator(parse_bitrate))]
