"""Settings of the process that cannot be taken back, tried in one of their own."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

_MANY_THREADS = """
import ctypes, sys, threading
from edgeseg.native import limit_arenas
if sys.argv[1] == "limited":
    limit_arenas()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
together = threading.Barrier(8)
def allocate():
    libc.malloc(1000)
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
file = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no arenas")
def test_threads_share_two_heaps(tmp_path: Path) -> None:
    heaps = {}
    for how in ("limited", "as usual"):
        report = tmp_path / f"{how}.xml"
        subprocess.run([sys.executable, "-c", _MANY_THREADS, how, str(report)], check=True)
        heaps[how] = len(ET.parse(report).findall("heap"))
    assert heaps["limited"] <= 2 < heaps["as usual"]
