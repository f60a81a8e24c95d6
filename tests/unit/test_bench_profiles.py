"""The table of the profiles: shares are of ``balanced``, for each size and each kind of pictures by itself."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def profiles(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "bench"))
    return import_module("profiles")


def row(pictures: str, profile: str, cpu_ms: float) -> dict[str, Any]:
    quality = {"psnr_db": 40.0, "ssim": 0.99, "mbit_s": 3.0, "worst_mbit_s": 4.0}
    return {"size": "720p", "pictures": pictures, "profile": profile, "cpu_ms": cpu_ms, **quality}


def test_shares_are_of_balanced_in_the_same_cell(profiles: Any) -> None:
    cells = [("replace", "balanced", 10.0), ("replace", "light", 5.0), ("camera", "balanced", 20.0)]
    lines = profiles.text({"rows": [row(*cell) for cell in [*cells, ("camera", "quality", 30.0)]]}).splitlines()
    assert [line.split("|")[5].strip() for line in lines[2:]] == ["1.00", "0.50", "1.00", "1.50"]


def test_it_measures_the_daemons_own_options(profiles: Any) -> None:
    words = profiles.options("ffmpeg", "light", "720p")
    assert words[words.index("-preset") + 1] == "ultrafast"
    assert words[words.index("-b:v") + 1] == "3000000"
    assert "pipe:0" not in words
