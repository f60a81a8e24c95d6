"""``edgeseg run``: the daemon."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``edgeseg run``."""
    parser.add_argument("-c", "--config", type=Path, required=True, metavar="FILE", help="the configuration")
    parser.add_argument(
        "--duration", type=_seconds, metavar="SECONDS", help="stop by itself after this time (default: run until told)"
    )


def run(args: argparse.Namespace) -> int:
    """Load the configuration, run the daemon; gives the exit code."""
    # What a start makes is there to stay. Looking for garbage in it would be a twelfth of the way to the first picture;
    # the daemon goes back to that when it is prepared.
    gc.disable()
    try:
        return _run(args)
    finally:
        gc.enable()


def _run(args: argparse.Namespace) -> int:
    from edgeseg.config import load_config, warnings
    from edgeseg.log import setup
    from edgeseg.native import limit_arenas, quieten

    limit_arenas()
    config = load_config(args.config)
    setup("debug" if args.debug else config.log.level, config.log.format)

    import logging

    from edgeseg.kernels import library
    from edgeseg.where import where_to_look

    log = logging.getLogger("edgeseg")
    for warning in [*warnings(config), *library.lacking()]:
        log.warning("%s", warning)
    quieten()

    from edgeseg.daemon import Daemon

    daemon = Daemon(config, duration_s=args.duration)
    return daemon.run(on_ready=lambda: _say("\n".join(where_to_look(config, daemon.http.port))))


def _say(text: str) -> None:
    """To whoever started the daemon; that nobody listens any more is no reason to end."""
    try:
        print(text, flush=True)  # noqa: T201
    except OSError:
        # What is left in the buffer must not fail again when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("must be a number of seconds above 0")
    return value
