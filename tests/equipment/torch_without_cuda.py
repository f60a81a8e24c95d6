"""Makes PyTorch's wheel importable without the gigabytes of CUDA libraries that it is linked with.

The wheels of the package index are built for CUDA. Installed with ``--no-deps`` they miss a dozen libraries, of which a
machine without such a card never calls a function. This writes libraries of these names that hold the wanted symbols,
each an empty function. For tests only: ``pip install 'edgeseg[pytorch]'`` brings the real ones.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

TOOLS = ("cc", "ldd", "nm", "objdump")
_FROM = re.compile(r"\s+required from (\S+):")
_VERSION = re.compile(r"\s+0x\w+ 0x\w+ \d+ (\S+)")
_CUDA = re.compile(r"(cu|nccl|nvshmem|nvrtc)\w*[A-Z_]")


def missing_tools() -> list[str]:
    """The tools that this needs and that are not installed."""
    return [tool for tool in TOOLS if shutil.which(tool) is None]


def stand_in(folder: Path) -> list[str]:
    """Write what the libraries in ``folder`` (torch/lib) miss beside them, and say the names of it."""
    missing: set[str] = set()
    of_version: dict[str, set[str]] = defaultdict(set)  # the libraries that a version of symbols is wanted from
    symbols: dict[str, set[str]] = defaultdict(set)  # by version; "" for those without
    for library in sorted(folder.glob("*.so")):
        absent = set(re.findall(r"(\S+) => not found", _run("ldd", library, LD_LIBRARY_PATH=str(folder))))
        missing |= absent
        for version, source in _versions(library):
            of_version[version].add(source)
        if absent:
            for line in _run("nm", "-D", "--undefined-only", library).splitlines():
                symbol, _, version = line.split()[-1].partition("@")
                symbols[version.lstrip("@")].add(symbol)
    plain = {symbol for symbol in symbols[""] if _CUDA.match(symbol)}
    for name in sorted(missing):
        _write(
            folder / name, {version: symbols[version] for version in of_version if name in of_version[version]}, plain
        )
    return sorted(missing)


def _versions(library: Path) -> list[tuple[str, str]]:
    """Which versions of symbols ``library`` wants from which other library."""
    found, source = [], ""
    for line in _run("objdump", "-p", library).splitlines():
        if named := _FROM.match(line):
            source = named[1]
        elif source and (version := _VERSION.match(line)):
            found.append((version[1], source))
        elif not line.strip():
            source = ""
    return found


def _write(path: Path, versions: dict[str, set[str]], plain: set[str]) -> None:
    """A library of empty functions: those of ``versions``, or the ``plain`` ones if it has no versions."""
    code, script = path.with_suffix(".c"), path.with_suffix(".map")
    symbols = set().union(*versions.values()) if versions else plain
    code.write_text("".join(f"void {symbol}(void) {{}}\n" for symbol in sorted(symbols)))
    script.write_text(
        "".join(
            f"{version} {{ global: {' '.join(f'{symbol};' for symbol in sorted(wanted))} }};\n"
            for version, wanted in versions.items()
            if wanted
        )
    )
    flags = [f"-Wl,--version-script={script}"] if script.read_text() else []
    _run("cc", "-shared", "-fPIC", "-w", "-nostdlib", f"-Wl,-soname,{path.name}", *flags, "-o", path, code)
    code.unlink()
    script.unlink()


def _run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=60, env={**os.environ, **environment}
    )
    return done.stdout
