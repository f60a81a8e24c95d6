"""The kernels compile without a warning, keep within their memory, and need not be there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from edgeseg.kernels import build

FUZZ = Path(__file__).with_name("kernel_fuzz.c")
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
SANITIZERS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def compiler() -> list[str]:
    found = build.find_compiler()
    if found is None:
        pytest.skip("there is no C compiler (Debian: apt install gcc libc6-dev)")
    return found


def compiled(tmp_path: Path, *flags: str) -> Path:
    program = tmp_path / "fuzz"
    command = [*compiler(), "-std=c11", "-O3", *flags, str(build.SOURCE), str(FUZZ), "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True)
    if "cannot find" in done.stderr and "san" in done.stderr:
        pytest.skip("the compiler comes without its sanitizers (Debian: apt install libgcc-12-dev)")
    assert done.returncode == 0, done.stderr
    return program


@pytest.mark.parametrize("flags", [(), ("-mavx2",)], ids=["baseline", "avx2"])
def test_it_keeps_within_its_memory(tmp_path: Path, flags: tuple[str, ...]) -> None:
    if flags and os.uname().machine != "x86_64":
        flags = ()
    done = subprocess.run([compiled(tmp_path, *SANITIZERS, *flags)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4000 rounds" in done.stdout


def test_it_compiles_without_a_warning(tmp_path: Path) -> None:
    command = [*compiler(), "-std=c11", "-O3", *WARNINGS, "-c", str(build.SOURCE), "-o", str(tmp_path / "out.o")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(build, "FOLDER", tmp_path)
    return tmp_path


def test_every_variant_is_built_and_a_stale_one_goes(elsewhere: Path) -> None:
    compiler()
    stale = elsewhere / "compositing-sse9.so"
    stale.write_bytes(b"")
    libraries = build.build()
    assert libraries
    assert sorted(elsewhere.iterdir()) == sorted(libraries)


@pytest.mark.parametrize(
    ("command", "sentence"),
    [("false", "false failed: 1"), ("/nowhere/cc", "/nowhere/cc cannot be run: No such file")],
)
def test_a_compiler_that_fails_leaves_nothing(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, command: str, sentence: str
) -> None:
    monkeypatch.setenv("CC", command)
    (elsewhere / "compositing-avx2.so").write_bytes(b"of another source")
    with pytest.raises(RuntimeError, match=sentence):
        build.build()
    assert list(elsewhere.iterdir()) == []


def test_without_a_compiler_it_says_what_to_install(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(elsewhere))
    with pytest.raises(RuntimeError, match=r"no C compiler \(Debian: apt install gcc"):
        build.build()
