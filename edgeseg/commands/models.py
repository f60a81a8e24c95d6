"""``edgeseg models``: what models there are, what is known about one, and how to get another."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from edgeseg.errors import EXIT_OK, UsageError
from edgeseg.library.catalogue import ENTRIES, Entry
from edgeseg.library.shelf import Shelved, shelved
from edgeseg.table import columns

_WHERE = Path("models") / "ir"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verbs of ``edgeseg models`` and their options."""
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    listing = verbs.add_parser("list", help="the models that are here, and those that can be installed")
    listing.add_argument("--json", action="store_true", help="for programs")
    show = verbs.add_parser("show", help="what is known about one")
    show.add_argument("name", metavar="NAME")
    install = verbs.add_parser("install", help="download one, check it and convert it")
    install.add_argument("name", metavar="NAME")
    install.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help=f"the folder to make (default: {_WHERE}/NAME)"
    )
    install.add_argument(
        "--from",
        type=Path,
        dest="source",
        metavar="FILE",
        help="the wheel or the model file, where it lies here: no download",
    )
    install.add_argument("--force", action="store_true", help="replace the model that is in DIR")


def run(args: argparse.Namespace) -> int:
    """List, show or install.

    Raises:
        UsageError: there is no model of that name, or the folder is taken.
        ModelError: the model could not be fetched, is not the known one, or could not be converted.
    """
    verb = {"list": _list, "show": _show, "install": _install}[args.verb]
    verb(args)
    return EXIT_OK


def _list(args: argparse.Namespace) -> None:
    here = shelved()
    missing = [entry for entry in ENTRIES if entry.name not in {model.name for model in here}]
    rows = [_row_here(model) for model in here] + [_row_missing(entry) for entry in missing]
    if args.json:
        _say(json.dumps(rows, indent=2))
        return
    names = ("name", "where", "licence", "size", "what")
    for line in columns([names, *(tuple(_cell(row[name]) for name in names) for row in rows)]):
        _say(line)
    if missing:
        _say("\nedgeseg models install NAME downloads one with pip, checks it and converts it; nothing else downloads.")


def _row_here(model: Shelved) -> dict[str, object]:
    known = {entry.name: entry.summary for entry in ENTRIES if entry.bundled or not model.bundled}
    what = (
        model.problem
        or known.get(model.name)
        or (f"{model.recipe.width}x{model.recipe.height}" if model.recipe else "")
    )
    return {
        "name": model.name,
        "where": "bundled" if model.bundled else str(model.folder),
        "licence": (model.recipe.licence if model.recipe else "") or "not stated",
        "size": model.size,
        "what": what,
    }


def _row_missing(entry: Entry) -> dict[str, object]:
    return {
        "name": entry.name,
        "where": "to be installed",
        "licence": entry.licence,
        "size": entry.size,
        "what": f"{entry.summary} ({entry.package}, {entry.download / 1e6:.0f} MB to download)",
    }


def _cell(value: object) -> str:
    return f"{value / 1e6:.1f} MB" if isinstance(value, int) else str(value)


def _show(args: argparse.Namespace) -> None:
    model = next((entry for entry in shelved() if entry.name == args.name), None)
    entry = next((entry for entry in ENTRIES if entry.name == args.name), None)
    if model is None and entry is None:
        names = sorted({*(known.name for known in shelved()), *(known.name for known in ENTRIES)})
        raise UsageError(f"no model is called {args.name!r}", hint=f"there are: {', '.join(names)}")
    if model is not None:
        _say(f"{model.name}: {model.folder}{' (bundled)' if model.bundled else ''}, {model.size / 1e6:.1f} MB")
        readme = model.folder / "README.md"
        recipe = model.folder / "model.yaml"
        _say(f"\n{recipe.read_text(encoding='utf-8').rstrip()}")
        if readme.is_file():
            _say(f"\n{readme.read_text(encoding='utf-8').rstrip()}")
        if model.problem:
            _say(f"\nits recipe cannot be used: {model.problem}")
        return
    assert entry is not None
    facts = {
        "package": f"{entry.package} ({entry.download / 1e6:.0f} MB to download)",
        "file": f"{entry.member} ({entry.size / 1e6:.1f} MB)",
        "SHA-256": entry.sha256,
        "licence": entry.licence,
    }
    _say(f"{entry.name}: {entry.summary}; not installed\n")
    for name, value in facts.items():
        _say(f"  {name:8} {value}")
    _say(f"\n{entry.note}\n\nedgeseg models install {entry.name}")


def _install(args: argparse.Namespace) -> None:
    from edgeseg.library.catalogue import find
    from edgeseg.library.install import install

    entry = find(args.name)
    install(entry, args.output or _WHERE / entry.name, _say, source=args.source, replace=args.force)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
