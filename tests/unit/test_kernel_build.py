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
    sources = [*map(str, build.SOURCES), str(FUZZ), f"-I{build.FOLDER}"]
    command = [*compiler(), "-std=c11", "-O3", *flags, *sources, "-o", str(program)]
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


@pytest.mark.parametrize("source", build.SOURCES, ids=lambda source: source.name)
def test_it_compiles_without_a_warning(tmp_path: Path, source: Path) -> None:
    command = [*compiler(), "-std=c11", "-O3", *WARNINGS, "-c", str(source), "-o", str(tmp_path / "out.o")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(build, "FOLDER", tmp_path)
    return tmp_path


def test_every_variant_is_built_and_a_stale_one_goes(elsewhere: Path) -> None:
    compiler()
    stale = elsewhere / "kernels-sse9.so"
    stale.write_bytes(b"")
    libraries = build.build()
    assert libraries
    assert sorted(elsewhere.iterdir()) == sorted(libraries)


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("CC", "false", "false failed: 1"),
        ("CC", "/nowhere/cc", "/nowhere/cc cannot be run: No such file"),
        ("CFLAGS", "-DA='", r"\$CFLAGS cannot be read: No closing quotation"),
        ("CFLAGS", "-not-a-flag", "failed: .*-not-a-flag"),
        ("LDFLAGS", "-lnowhere-to-be-found", "failed: .*nowhere-to-be-found"),
    ],
)
def test_a_build_that_fails_leaves_what_this_source_gave(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, sentence: str
) -> None:
    if variable != "CC":
        compiler()
    monkeypatch.setenv(variable, value)
    older, newer = elsewhere / "kernels-avx2.so", elsewhere / "kernels-baseline.so"
    source = max(file.stat().st_mtime_ns for file in (*build.SOURCES, *build.HEADERS))
    for file, time in ((older, source), (newer, source + 1)):
        file.write_bytes(b"built before")
        os.utime(file, ns=(time, time))
    with pytest.raises(RuntimeError, match=sentence):
        build.build()
    assert list(elsewhere.iterdir()) == [newer]
    assert newer.read_bytes() == b"built before"


def test_the_flags_of_a_distribution_are_heeded(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler()
    monkeypatch.setenv("CFLAGS", "-O1 -Dedgeseg_supported=renamed_by_cflags")
    monkeypatch.setenv("LDFLAGS", "-Wl,-soname,named-by-ldflags")
    for built in build.build():
        assert b"renamed_by_cflags" in built.read_bytes()
        assert b"named-by-ldflags" in built.read_bytes()


def test_the_kernels_are_built_for_a_wheel_and_not_for_an_sdist() -> None:
    from hatchling.builders.sdist import SdistBuilder
    from hatchling.builders.wheel import WheelBuilder

    root = str(Path(__file__).parents[2])
    sdist, wheel = SdistBuilder(root), WheelBuilder(root)
    assert (list(sdist.get_build_hooks(root)), list(wheel.get_build_hooks(root))) == ([], ["custom"])
    assert set(wheel.get_version_api()) == {"standard", "editable"}
    held = {file.distribution_path for file in sdist.recurse_included_files()}
    sources = {f"edgeseg/kernels/{file.name}" for file in (*build.SOURCES, *build.HEADERS)}
    assert {"hatch_build.py", "edgeseg/kernels/build.py"} | sources <= held
    assert not [name for name in held if name.endswith((".so", ".part"))]


def test_without_a_compiler_it_says_what_to_install(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(elsewhere))
    with pytest.raises(RuntimeError, match=r"no C compiler \(Debian: apt install gcc"):
        build.build()
