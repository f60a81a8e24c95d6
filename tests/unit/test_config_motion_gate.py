"""``mask.motion_gate``: its short forms, what is said about it, and what a stream is built with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseg.build import build_gate
from edgeseg.config import Config, load_config
from edgeseg.config.notes import warnings
from edgeseg.config.schema import MotionGateConfig
from edgeseg.errors import ConfigError
from edgeseg.types import Recipe

RECIPE = Recipe("any", "any.xml", 64, 64)
PICTURE = np.full((1, 64, 64, 3), 120, np.uint8)


def load(tmp_path: Path, mask: str, model: str = "selfie") -> Config:
    path = tmp_path / "config.yaml"
    path.write_text(f"streams:\n  door: {{source: test, effect: blur, model: {model}, mask: {mask}}}\n")
    return load_config(path)


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("", {}),
        ("true", {"enabled": True}),
        ("false", {}),
        ("{enabled: true, max_age_ms: 200, threshold: 9}", {"enabled": True, "max_age_ms": 200, "threshold": 9}),
    ],
)
def test_forms(tmp_path: Path, written: str, means: dict[str, Any]) -> None:
    found = load(tmp_path, f"{{motion_gate: {written}}}").streams["door"].mask.motion_gate
    assert found.model_dump() == {**MotionGateConfig().model_dump(), **means}


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("often", "must be true or false"),
        ("{enabled: true, max_age_ms: 0}", "motion_gate.max_age_ms: must be"),
        ("{enabled: true, max_age_ms: 5000}", "motion_gate.max_age_ms: must be"),
        ("{enabled: true, threshold: 0}", "motion_gate.threshold: must be"),
        ("{enable: true}", "did you mean 'enabled'?"),
    ],
)
def test_what_does_not_fit(tmp_path: Path, written: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f"{{motion_gate: {written}}}")
    assert words in str(caught.value)


def test_check_says_that_masks_may_be_older_and_where_nothing_is_gained(tmp_path: Path) -> None:
    aged = "door: a picture on which nothing moves is shown with a mask that is up to 200 ms older (mask.motion_gate)"
    gate = "{motion_gate: {enabled: true, max_age_ms: 200}}"
    assert warnings(load(tmp_path, "{motion_gate: false}")) == []
    assert warnings(load(tmp_path, gate)) == [aged]
    noted = warnings(load(tmp_path, gate, "{name: selfie, sampling: graph}"))
    assert noted[0] == aged
    assert "model.sampling" in noted[1]


def masks_until_still(tmp_path: Path, mask: str, recipe: Recipe = RECIPE) -> int:
    """How many masks the stream's gate lets be made of one picture before it reuses one; 999 for ever."""
    gate = build_gate(load(tmp_path, mask).streams["door"], recipe)
    assert gate is not None
    for number in range(999):
        if gate.still(PICTURE):
            return number
        gate.keep(masked=True)
    return 999


def test_a_stream_has_a_gate_only_where_that_is_asked_for(tmp_path: Path) -> None:
    assert build_gate(load(tmp_path, "{}").streams["door"], RECIPE) is None
    assert masks_until_still(tmp_path, "{motion_gate: true}") == 1


def test_what_remembers_comes_to_rest_first(tmp_path: Path) -> None:
    temporal = masks_until_still(tmp_path, "{motion_gate: true, temporal: 0.8}")
    assert 0.8**temporal < 0.05 < 0.8 ** (temporal - 3)
    assert masks_until_still(tmp_path, "{motion_gate: true}", replace(RECIPE, prior_channel=True)) == 6


def test_its_limits_are_those_of_the_configuration(tmp_path: Path) -> None:
    stream = load(tmp_path, "{motion_gate: {enabled: true, max_age_ms: 200, threshold: 9}}").streams["door"]
    gate = build_gate(stream, RECIPE)
    assert gate is not None
    assert gate.max_age_s == 0.2
    assert not gate.still(PICTURE)
    gate.keep(masked=True)
    assert gate.still(PICTURE + np.uint8(9))
    assert not gate.still(PICTURE + np.uint8(10))
