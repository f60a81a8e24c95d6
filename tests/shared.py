"""The one place that knows where optional test material lies."""

from __future__ import annotations

from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2] / "shared"


def has_shared(*parts: str) -> bool:
    return _ROOT.joinpath(*parts).exists()


def shared(*parts: str) -> Path:
    """The file or folder below the optional ``../shared``; skips the test when it is absent."""
    path = _ROOT.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"optional test material is absent: {'/'.join(('../shared', *parts))}")
    return path
