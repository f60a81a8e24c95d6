"""``edgeseg inspect``: what goes into a model, what comes out, and what recipe it probably wants."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from edgeseg.errors import EXIT_OK

if TYPE_CHECKING:
    from edgeseg.convert.inspection import Inspection


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``edgeseg inspect``."""
    parser.add_argument("model", metavar="MODEL", help="a model's file of any format, a model's folder, or a name")
    parser.add_argument("--size", type=_size, metavar="WxH", help="size of its pictures, when it leaves that open")
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace) -> int:
    """Look and tell. What can be said is said, also about a model that cannot be read.

    Raises:
        UsageError: files of this kind cannot be read.
        ModelError: there is no such model, or it cannot be translated: raised when all that is known was printed.
    """
    from edgeseg.convert.inspection import inspect
    from edgeseg.convert.inspection_text import lines

    found = inspect(args.model, args.size)
    if args.json:
        _say(json.dumps(_as_dict(found), indent=2, default=str))
    else:
        for line in lines(found):
            _say(line)
    if found.problem is not None:
        raise found.problem
    return EXIT_OK


def _as_dict(found: Inspection) -> dict[str, Any]:
    return {
        "path": str(found.path),
        "format": found.format,
        "size": found.size,
        "sha256": found.sha256,
        "rewritten": found.rewritten,
        "recipe": None if found.recipe is None else asdict(found.recipe),
        "findings": None if found.findings is None else found.findings.as_dict(),
        "problem": None if found.problem is None else str(found.problem),
        "inputs": [asdict(entry) for entry in found.inputs],
        "outputs": [asdict(entry) for entry in found.outputs],
        "operators": found.operators,
    }


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _size(value: str) -> tuple[int, int]:
    width, _, height = value.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"{value!r} is no size such as 256x144")
    return int(width), int(height)
