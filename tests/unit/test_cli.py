"""The command line: what it imports, what it prints, how it ends."""

from __future__ import annotations

import argparse
import gc
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeseg import __version__, cli
from edgeseg.errors import ConfigError, ModelError, SourceError, UsageError

Command = Callable[[argparse.Namespace], int]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Command], None]:
    """Puts a function in the place of ``edgeseg run``."""

    def put(run: Command) -> None:
        module = types.ModuleType("edgeseg.commands.run")
        module.add_arguments = lambda parser: parser.add_argument("--number", type=int, default=0)  # type: ignore[attr-defined]
        module.run = run  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "edgeseg.commands.run", module)

    return put


def raising(exc: BaseException) -> Command:
    def run(args: argparse.Namespace) -> int:
        raise exc

    return run


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], []])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    heavy = (
        "numpy",
        "openvino",
        "cv2",
        "av",
        "aiohttp",
        "pydantic",
        "yaml",
        "prometheus_client",
        "asyncio",
        "edgeseg.config",
    )
    program = (
        f"import sys; sys.argv[1:] = {arguments!r}\n"
        "from edgeseg.cli import main\n"
        "code = main()\n"
        f"print([m for m in {heavy!r} if m in sys.modules], file=sys.stderr)\n"
        "print(sorted(m for m in sys.modules if m.startswith('edgeseg.commands.')), file=sys.stderr)\n"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert done.stderr.endswith("[]\n[]\n")
    assert done.returncode == (0 if arguments else 2)


def test_the_daemon_imports_what_answers_http_later() -> None:
    """The first picture does not wait for it."""
    heavy = ("aiohttp", "asyncio", "prometheus_client")
    program = f"import sys, edgeseg.daemon; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "[]\n"


def test_a_start_that_fails_leaves_the_garbage_collector_on(tmp_path: Path) -> None:
    assert cli.main(["run", "-c", str(tmp_path / "absent.yaml")]) == ConfigError.exit_code
    assert gc.isenabled()


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"edgeseg {__version__}\n"


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    out = capsys.readouterr().out
    assert [name for name in cli.COMMANDS if name not in out] == []


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_its_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([name, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: edgeseg {name}")


@pytest.mark.parametrize("arguments", [["fly"], ["check"], ["check", "-c", "x", "--nonsense"]])
def test_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    assert "usage: edgeseg" in capsys.readouterr().err


def test_arguments_arrive(command: Callable[[Command], None]) -> None:
    seen: list[tuple[int, bool]] = []

    def run(args: argparse.Namespace) -> int:
        seen.append((args.number, args.debug))
        return 7

    command(run)
    assert cli.main(["run", "--number", "4"]) == 7
    assert cli.main(["--debug", "run"]) == 7
    assert cli.main(["run", "--debug"]) == 7
    assert seen == [(4, False), (0, True), (0, True)]


@pytest.mark.parametrize(
    ("exc", "code", "text"),
    [
        (UsageError("no such thing", hint="try another"), 2, "edgeseg: no such thing (try another)\n"),
        (ModelError("model x does not exist"), 3, "edgeseg: model x does not exist\n"),
        (SourceError("cannot open rtsp://joe:hunter2@cam/1"), 1, "edgeseg: cannot open rtsp://***@cam/1\n"),
        (ConfigError("c.yaml:1: a: is missing"), 78, "edgeseg: c.yaml:1: a: is missing\n"),
        (ConfigError(["c.yaml:1: a: wrong", "c.yaml:2: b: wrong"]), 78, "c.yaml:1: a: wrong\nc.yaml:2: b: wrong\n"),
        (KeyboardInterrupt(), 130, ""),
        (ValueError("a\nb"), 1, "edgeseg: unexpected ValueError: a b (this is our bug: run again with --debug)\n"),
    ],
)  # fmt: skip
def test_errors_are_sentences_and_exit_codes(
    command: Callable[[Command], None], capsys: pytest.CaptureFixture[str], exc: BaseException, code: int, text: str
) -> None:
    command(raising(exc))
    assert cli.main(["run"]) == code
    assert capsys.readouterr().err == text


def test_debug_shows_the_traceback_without_secrets(
    command: Callable[[Command], None], capsys: pytest.CaptureFixture[str]
) -> None:
    command(raising(ValueError("rtsp://joe:hunter2@cam/1")))
    assert cli.main(["run", "--debug"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "@cam/1" in err
    assert "hunter2" not in err


def test_a_reader_that_leaves_is_no_error() -> None:
    shipped = Path(__file__).resolve().parents[2] / "config.yaml"
    program = f"{sys.executable} -m edgeseg check -c {shipped} --show | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, timeout=30)
    assert done.stderr == ""
    assert done.stdout.strip() == "141"
