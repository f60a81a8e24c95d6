"""Plug-ins: found by name, loaded when chosen, explained when missing."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

import pytest

from edgeseg import plugins
from edgeseg.errors import ConfigError

BUILT_IN = {
    "sources": {"av", "v4l2", "test"},
    "backends": {"edgetpu", "litert", "onnx", "openvino"},
    "effects": {"replace", "blur", "overlay", "matte", "passthrough"},
    "outputs": {"publish", "listen", "record"},
}


@pytest.mark.parametrize("kind", plugins.KINDS)
def test_the_built_in_ones_are_found_and_load(kind: str) -> None:
    assert set(plugins.names(kind)) >= BUILT_IN[kind]
    assert plugins.names(kind) == sorted(plugins.names(kind))
    for name in BUILT_IN[kind]:
        assert callable(plugins.load(kind, name))


def test_a_misspelt_name_gets_a_guess() -> None:
    with pytest.raises(ConfigError, match=r"no effect is called 'blurr' \(did you mean 'blur'\?\)"):
        plugins.load("effects", "blurr")


def test_a_strange_name_gets_the_list() -> None:
    with pytest.raises(ConfigError, match=r"no source is called 'xyzzy' \(installed: av, test, v4l2\)"):
        plugins.load("sources", "xyzzy")


def test_a_missing_extra_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("onnx", "module_that_is_not_there.backend:Onnx", "edgeseg.backends")
    monkeypatch.setattr(plugins, "_points", lambda kind: {"onnx": point})
    with pytest.raises(ConfigError) as caught:
        plugins.load("backends", "onnx")
    assert str(caught.value) == (
        "backend 'onnx' cannot be loaded: module_that_is_not_there is not installed (pip install 'edgeseg[onnx]')"
    )


def test_listing_imports_nothing() -> None:
    before = set(sys.modules)
    for kind in plugins.KINDS:
        plugins.names(kind)
    assert not {name for name in set(sys.modules) - before if name.startswith("edgeseg.")}
