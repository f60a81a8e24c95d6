"""``edgeseg check``: what is wrong with a configuration, what it does, and whether what it names is there."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edgeseg import log
from edgeseg.config import Config, StreamConfig, load_config, show, warnings
from edgeseg.config.effects import OverlayEffect, ReplaceEffect
from edgeseg.config.outputs import RecordConfig
from edgeseg.config.values import hex_colour
from edgeseg.errors import EXIT_OK, EXIT_UNEXPECTED
from edgeseg.kernels import library
from edgeseg.redact import redact, redact_url


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``edgeseg check``."""
    parser.add_argument("-c", "--config", type=Path, required=True, metavar="FILE", help="the configuration to check")
    parser.add_argument("--show", action="store_true", help="print the configuration in force, secrets masked")
    parser.add_argument(
        "--probe", action="store_true", help="also try cameras, models, encoders, servers, folders and ports"
    )


def run(args: argparse.Namespace) -> int:
    """Check, and print what was asked for. Returns 0, or 1 when something that was probed does not work.

    Raises:
        ConfigError: the configuration cannot be used (exit code 78).
    """
    log.setup("debug" if args.debug else "warning")
    config = load_config(args.config)
    notes = [*warnings(config), *library.lacking()]
    if args.show:
        # Nothing but YAML on stdout: it may be piped into a file.
        sys.stdout.write(show(config))
        for note in notes:
            _print(f"# warning: {note}")
    else:
        _print(f"{args.config}: ok")
        for name, stream in config.enabled.items():
            _print(f"  {name}: {describe(stream)}")
        for note in notes:
            _print(f"warning: {note}")
    return _probe(config) if args.probe else EXIT_OK


def describe(stream: StreamConfig) -> str:
    """One line: source → model, effect → outputs; no secrets."""
    outputs = [("listen " if target.listen else "") + redact_url(target.url) for target in stream.publish]
    outputs += [_record(stream.record)] if stream.record is not None else []
    outputs += [output.type for output in stream.outputs]
    source = redact_url(stream.source.url) or stream.source.kind
    return f"{source} → {stream.model.name}, {_effect(stream)} → {', '.join(outputs) or 'HTTP only'}"


def _record(record: RecordConfig) -> str:
    if record.when == "always":
        return str(record.directory)
    return (
        f"{record.directory} (when somebody is there, from {record.pre_roll_s:g} s before "
        f"to {record.post_roll_s:g} s after)"
    )


def _effect(stream: StreamConfig) -> str:
    effect = stream.effect
    if isinstance(effect, ReplaceEffect):
        return f"replace by {effect.picture or effect.video or (hex_colour(effect.color) if effect.color else '')}"
    if isinstance(effect, OverlayEffect):
        return f"overlay {hex_colour(effect.color)} over the {effect.region} region"
    return effect.type


def _probe(config: Config) -> int:
    from edgeseg.probe.plan import attempt, plan

    failed = 0
    for probe in plan(config):
        result = attempt(probe)
        failed += not result.ok
        _print(f"{'ok    ' if result.ok else 'FAILED'}  {result.what}: {result.text}")
        sys.stdout.flush()  # a camera may take ten seconds: show what is known
    return EXIT_UNEXPECTED if failed else EXIT_OK


def _print(text: str) -> None:
    print(redact(text))  # noqa: T201 - what the command is for
