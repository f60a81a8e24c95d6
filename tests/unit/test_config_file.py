"""``config.yaml`` and ``docs/configuration.md`` say what the schema says."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from edgeseg.config import Config, load_config
from edgeseg.config.amounts import size
from edgeseg.config.effects import BUILT_IN
from edgeseg.config.values import COLOURS

ROOT = Path(__file__).resolve().parents[2]


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models_in(field.annotation)
    for inner in typing.get_args(annotation):
        yield from models_in(inner)


MODELS = sorted(set(models_in(Config)), key=lambda model: model.__name__)
KEYS = sorted({key for model in MODELS for key in model.model_fields})


@pytest.fixture(scope="module")
def shipped() -> Config:
    return load_config(ROOT / "config.yaml", environ={})


def test_the_schema_was_found() -> None:
    assert len(MODELS) == 24
    assert {"smooth_step", "segment_s", "token", "picture", "opacity"} <= set(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_in_both_texts(key: str) -> None:
    assert re.search(rf"\b{key}:", (ROOT / "config.yaml").read_text(encoding="utf-8"))
    assert f"`{key}`" in (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")


def test_the_first_stream_writes_out_every_default(shipped: Config) -> None:
    first = next(iter(shipped.streams.values()))
    default = Config.model_validate({"streams": {"x": {"source": "test:"}}})
    assert (shipped.http, shipped.log, shipped.ffmpeg) == (default.http, default.log, default.ffmpeg)
    assert first == default.streams["x"]
    unwritten = {
        f"{type(section).__name__}.{key}"
        for section in (
            shipped,
            shipped.http,
            shipped.log,
            first,
            *(getattr(first, key) for key in first.model_fields_set),
        )
        if isinstance(section, BaseModel)
        for key in set(type(section).model_fields) - section.model_fields_set
    }
    assert unwritten == set()


def test_the_examples_show_real_defaults(shipped: Config) -> None:
    record = shipped.streams["door"].record
    assert record is not None
    assert record == type(record)(directory=record.directory)


def test_one_stream_runs_as_it_stands(shipped: Config) -> None:
    assert list(shipped.enabled) == ["test"]


def test_effects_and_colours_are_documented() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert [name for name in BUILT_IN if f"`{name}`" not in text] == []
    assert [name for name in COLOURS if name not in text and name != "grey"] == []


def test_the_documented_defaults_are_the_real_ones() -> None:
    """Rows of the tables: ``| `key` | type | default | ...``, below a heading with the section's name."""
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    sections = {model.__name__.removesuffix("Config").lower(): model for model in MODELS if model.__name__ != "Config"}
    checked = 0
    for heading, body in re.findall(r"^#{3,4} `(\w+)`$(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL):
        model = sections.get(heading.removesuffix("s") if heading in ("streams", "outputs") else heading)
        for key, default in re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]*) \|", body, re.MULTILINE):
            if model is None or key not in model.model_fields or not default.strip():
                continue
            real = model.model_fields[key].default
            written = default.strip().strip("`")
            words = {"null": None, "true": True, "false": False, "empty": {}, "none": ()}
            if written == "required":
                assert model.model_fields[key].is_required() or real == ""
            elif isinstance(real, BaseModel):
                assert written == getattr(real, "name", getattr(real, "type", None))
            elif isinstance(real, tuple) and real:
                assert written == str(list(real))
            elif isinstance(real, float) or type(real) is int:
                assert (size(written) if written.endswith("M") else float(written)) == real
            else:
                assert words.get(written, written) == real, f"{heading}.{key}"
            checked += 1
    assert checked > 50
