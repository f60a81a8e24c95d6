"""Lengths of time and amounts of data as people write them: ``7d``, ``50G``."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator

from edgeseg.config.values import optional, quoted

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_BYTES = {"M": 10**6, "G": 10**9, "T": 10**12, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_MAX_SECONDS = 100 * 365 * 86_400
_MAX_BYTES = 10**16


def duration(value: object) -> float:
    """``7d``, ``12h``, ``90m``, ``30s``, ``2w`` as seconds, one second at least."""
    found = re.fullmatch(r"(\d{1,10}(?:\.\d{1,6})?) ?([smhdw])", value.strip()) if isinstance(value, str) else None
    seconds = Fraction(found[1]) * _SECONDS[found[2]] if found else Fraction(0)
    if not 1 <= seconds <= _MAX_SECONDS:
        raise ValueError(f"must be a time such as 7d, 12h or 90m, not {quoted(value)}")
    return float(seconds)


def size(value: object) -> int:
    """``50G``, ``500M``, ``1.5T`` (powers of ten) or ``50GiB`` (powers of two) as bytes, one million at least."""
    pattern = r"(\d{1,9}(?:\.\d{1,6})?) ?([MGT]i?)B?"
    found = re.fullmatch(pattern, value.strip()) if isinstance(value, str) else None
    amount = round(Fraction(found[1]) * _BYTES[found[2]]) if found else 0
    if not 10**6 <= amount <= _MAX_BYTES:
        raise ValueError(f"must be an amount such as 50G or 500M, not {quoted(value)}")
    return amount


def duration_text(seconds: float | None) -> str | None:
    """``7d``, as the configuration takes it."""
    if seconds is None:
        return None
    unit = next(unit for unit in ("d", "h", "m", "s") if unit == "s" or seconds % _SECONDS[unit] == 0)
    return f"{_plain(Fraction(seconds) / _SECONDS[unit])}{unit}"


def size_text(amount: int | None) -> str | None:
    """``50G``, as the configuration takes it."""
    if amount is None:
        return None
    unit = next(unit for unit in ("T", "Ti", "G", "Gi", "M", "Mi") if unit == "Mi" or amount % _BYTES[unit] == 0)
    if unit == "Mi":
        unit = "M"
    return f"{_plain(Fraction(amount, _BYTES[unit]))}{unit}"


def _plain(number: Fraction) -> str:
    return f"{float(number):.6f}".rstrip("0").rstrip(".")


MaybeDuration = Annotated[float | None, optional(PlainValidator(duration)), PlainSerializer(duration_text)]
MaybeAmount = Annotated[int | None, optional(PlainValidator(size)), PlainSerializer(size_text)]
