"""An IR on its way into OpenVINO, and how the device is told to run it. For streams and for proofs alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgeseg.errors import ModelError
from edgeseg.ovruntime import reason

_BYTE_ORDER_MARK_AND_SPACE = b"\xef\xbb\xbf \t\r\n"


def files(path: Path, where: str = "") -> tuple[Path, Path]:
    """The two files of the IR at ``path``, ``.xml`` and ``.bin``. ``where`` begins the complaints.

    Raises:
        ModelError: one of them does not exist.
    """
    both = (path, path.with_suffix(".bin"))
    for file in both:
        if not file.is_file():
            raise ModelError(f"{where}{file} does not exist")
    return both


def read(core: Any, path: Path, where: str = "") -> Any:
    """The ``openvino.Model`` at ``path``, whose files are there.

    Raises:
        ModelError: it is no IR, or is damaged.
    """
    with path.open("rb") as file:
        # Asked about anything else, OpenVINO tries all its front ends, and some of them write to stderr.
        if not file.read(64).lstrip(_BYTE_ORDER_MARK_AND_SPACE).startswith(b"<"):
            raise ModelError(f"{where}{path} is no IR: it does not begin as XML does")
    try:
        return core.read_model(str(path))
    except Exception as exc:  # OpenVINO raises bare RuntimeError, and TypeError from its Python layer
        raise ModelError(f"{where}{path} cannot be read: {reason(exc)}") from exc


def properties(precision: str, device: str, *, streams: int = 1, threads: int = 1) -> dict[str, Any]:
    """What OpenVINO is told: ``precision`` unless it is "auto", and how many inferences run at the same time on how
    many threads in all (CPU only). Threads are free to move: pinned, every caller of the process would compete for
    core 0.
    """
    told: dict[str, Any] = {} if precision == "auto" else {"INFERENCE_PRECISION_HINT": precision}
    if device == "CPU":
        told |= {"NUM_STREAMS": streams, "INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False}
    return told
