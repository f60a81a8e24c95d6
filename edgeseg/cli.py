"""The command line: finds the command, runs it, turns errors into sentences and exit codes.

Every command is a module in ``edgeseg.commands`` with ``add_arguments(parser)`` and ``run(args) -> int``. It is
imported when it was chosen and not before, so that ``--help`` and ``--version`` answer at once.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Protocol, cast

from edgeseg import __version__
from edgeseg.errors import EXIT_UNEXPECTED, EXIT_USAGE, ConfigError, EdgesegError
from edgeseg.redact import redact

COMMANDS = {
    "run": "run the streams of a configuration",
    "check": "say what is wrong with a configuration, or what it does",
    "convert": "turn a model into IR and prove that it answers the same",
    "inspect": "show what a model takes and gives, and how it is likely to be read",
    "eval": "measure how good models are on pictures with masks, or how much they flicker on a clip",
    "bench": "measure what streams cost on this machine and how many it carries, or how fast a model is",
    "models": "list, show and install models",
}

EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141  # what a shell reports for a program that SIGPIPE ended


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (without the program's name) and return the exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    debug = False
    try:
        try:
            parsed = _parse(args)
            debug = bool(parsed.debug)
            code = int(_command(parsed.command).run(parsed))
        except SystemExit as exc:  # argparse: --help, --version, usage
            code = exc.code if isinstance(exc.code, int) else EXIT_USAGE
        # Here, and not when the interpreter ends, so that a reader who left is seen.
        if sys.stdout is not None:  # a service may be started without one
            sys.stdout.flush()
        return code
    except EdgesegError as exc:
        return _report(exc, debug=debug)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return _reader_left()
    except Exception as exc:  # noqa: BLE001 - the last place that can turn it into a sentence
        return _unexpected(exc, debug=debug)


def _parse(args: list[str]) -> argparse.Namespace:
    """Two steps: which command, then its own arguments; only the chosen module is imported."""
    parser = argparse.ArgumentParser(
        prog="edgeseg", description="Segment camera streams and let only composited pictures leave the box."
    )
    parser.add_argument("--version", action="version", version=f"edgeseg {__version__}")
    _add_debug(parser, False)
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen = next((arg for arg in args if not arg.startswith("-")), None)
    for name, summary in COMMANDS.items():
        sub = subparsers.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        # SUPPRESS: a default here would overwrite a --debug that stood before the command.
        _add_debug(sub, argparse.SUPPRESS)
        if name == chosen:
            _command(name).add_arguments(sub)
    return parser.parse_args(args)


def _add_debug(parser: argparse.ArgumentParser, default: object) -> None:
    parser.add_argument("--debug", action="store_true", default=default, help="show tracebacks and log everything")


class _Command(Protocol):
    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, args: argparse.Namespace) -> int: ...


def _command(name: str) -> _Command:
    return cast(_Command, importlib.import_module(f"edgeseg.commands.{name}"))


def _report(exc: EdgesegError, *, debug: bool) -> int:
    lines = exc.problems if isinstance(exc, ConfigError) else [str(exc)]
    for line in lines:
        _say(f"edgeseg: {line}" if not isinstance(exc, ConfigError) or len(lines) == 1 else line)
    if isinstance(exc, ConfigError) and exc.hint:
        _say(f"edgeseg: {exc.hint}")
    if debug:
        _say("".join(traceback.format_exception(exc)).rstrip())
    return exc.exit_code


def _unexpected(exc: Exception, *, debug: bool) -> int:
    # The type and the text in one line: a message of several lines would hide which of them is ours.
    summary = " ".join(f"{type(exc).__name__}: {exc}".split())
    if debug:
        _say("".join(traceback.format_exception(exc)).rstrip())
        _say(f"edgeseg: unexpected {summary} (this is our bug: please report it with the lines above)")
    else:
        _say(f"edgeseg: unexpected {summary} (this is our bug: run again with --debug)")
    return EXIT_UNEXPECTED


def _reader_left() -> int:
    """``edgeseg check | head``: nobody reads on, so that the interpreter must not complain when it flushes."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        logging.getLogger(__name__).debug("stdout is not a file")
    return EXIT_BROKEN_PIPE


def _say(text: str) -> None:
    print(redact(text), file=sys.stderr)  # noqa: T201 - the command line talks to its user here
