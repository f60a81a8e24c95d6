"""Runs .tflite files that were compiled for a Coral Edge TPU.

Through the delegate in libedgetpu, which either TFLite package takes.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeseg.backends.delegate import DelegateRefusedError, ExternalDelegate
from edgeseg.backends.engine import Array
from edgeseg.backends.engine_backend import EngineBackend
from edgeseg.backends.fit import picture_shape
from edgeseg.backends.litert import LiteRtEngine, compiled_for_edgetpu
from edgeseg.errors import DeviceError, ModelError
from edgeseg.types import Recipe

LIBRARY = "libedgetpu.so.1"
_DEVICE = re.compile(r"(usb|pci)?(:\d+)?")
# Before and after its firmware was sent to it.
_USB_IDS = {("1a6e", "089a"), ("18d1", "9302")}
_NONE = "none: a USB one is shown by lsusb as 1a6e:089a or 18d1:9302, a PCI one needs the driver gasket (/dev/apex_0)"


@dataclass(frozen=True, slots=True)
class EdgeTpu:
    """An Edge TPU that the kernel shows: ``kind`` is "usb" or "pci", ``node`` the device file to open."""

    kind: str
    node: Path


class EdgeTpuBackend(EngineBackend):
    """Runs a model on an Edge TPU: "usb", "usb:1", "pci", "pci:0", or "AUTO" for any.

    Args:
        library: name or path of the shared library that holds the delegate.
        options: what else it is told, such as ``{"Performance": "Medium"}``; libedgetpu wants a device with a number
            for that.
        root: where ``sys`` and ``dev`` are looked for when the device cannot be opened.
    """

    def __init__(
        self, library: str = LIBRARY, options: Mapping[str, str] | None = None, root: Path = Path("/")
    ) -> None:
        super().__init__(lambda recipe, device: _open(recipe, device, library, options or {}, root))


class EdgeTpuEngine:
    """A compiled .tflite file on one Edge TPU.

    Args:
        path: the file.
        device: "usb", "usb:1", "pci", "pci:0", or "AUTO".
        library: name or path of the shared library that holds the delegate.
        options: what else the delegate is told.
        picture: the shape that the first input is to have, where the file leaves sides open.
        root: where ``sys`` and ``dev`` lie.

    Raises:
        ModelError: the library, the device or the right to use it is missing, or the model cannot run there.
    """

    def __init__(
        self,
        path: Path,
        device: str = "AUTO",
        library: str = LIBRARY,
        options: Mapping[str, str] | None = None,
        picture: Sequence[int] | None = None,
        root: Path = Path("/"),
    ) -> None:
        self._delegate = _delegate(device, library, options or {}, root)
        try:
            self._engine = LiteRtEngine(path, picture=picture, delegates=[self._delegate])
        except ModelError:
            self._delegate.close()
            raise
        self.runtime = f"{self._engine.runtime} with {Path(library).name}"
        self.inputs, self.outputs = self._engine.inputs, self._engine.outputs
        self._running = threading.Lock()
        self._closed = False

    def run(self, arrays: Sequence[Array]) -> list[Array]:
        """One answer for each output, the caller's own.

        Raises:
            InferenceError: an array has another shape or type than its input, the device failed, or it was closed.
        """
        try:
            with self._running:
                return self._engine.run(arrays)
        finally:
            if self._closed:
                self._free()

    def close(self) -> None:
        """Free model and device; if another thread runs it, as soon as that returns, and without waiting for it: the
        native code would go on in memory that is freed. May be called twice.
        """
        self._closed = True
        self._free()

    def _free(self) -> None:
        if self._running.acquire(blocking=False):  # else whoever has it frees when it is done
            try:
                self._engine.close()  # first: its operators live in the delegate
                self._delegate.close()
            finally:
                self._running.release()


def devices(root: Path = Path("/")) -> list[EdgeTpu]:
    """The Edge TPUs that the kernel shows, whether they can be used or not."""
    return [*_pci(root), *_usb(root)]


def _open(recipe: Recipe, device: str, library: str, options: Mapping[str, str], root: Path) -> EdgeTpuEngine:
    path = Path(recipe.path)
    if not compiled_for_edgetpu(path):
        raise ModelError(
            f"model {recipe.name!r}: {path} is not compiled for the Edge TPU",
            hint="edgetpu_compiler makes such a file of an int8 model; backend: litert runs this one on the CPU",
        )
    return EdgeTpuEngine(path, device, library, options, picture_shape(recipe), root)


def _delegate(device: str, library: str, options: Mapping[str, str], root: Path) -> ExternalDelegate:
    wanted = "" if device == "AUTO" else device
    if not _DEVICE.fullmatch(wanted):
        raise ModelError(f"no device {device!r} on this machine", hint=f"available: {_names(devices(root))}")
    try:
        return ExternalDelegate(library, {"device": wanted, **options} if wanted else options)
    except DelegateRefusedError as exc:
        raise _refused(device, wanted, str(exc), root) from exc
    except ModelError as exc:
        if "is not installed" not in exc.message:
            raise
        raise ModelError(exc.message, hint="it is in the package libedgetpu1-std of Coral's Debian repository") from exc


def _refused(device: str, wanted: str, said: str, root: Path) -> ModelError:
    """Why there is no delegate. libedgetpu says the same nothing to everything, so the kernel is asked."""
    found = devices(root)
    kind, _, index = wanted.partition(":")
    fitting = [tpu for tpu in found if kind in ("", tpu.kind)]
    if index:
        fitting = fitting[int(index) : int(index) + 1]
    if not fitting:
        which = f"device {device!r}" if wanted else "Edge TPU"
        return DeviceError(f"no {which} on this machine", hint=f"available: {_names(found)}")
    if not any(tpu.node.exists() for tpu in fitting):
        return ModelError(
            f"the Edge TPU at {fitting[0].node} is plugged in, but hidden from this process",
            hint="a container needs --device for it, a service DeviceAllow and no PrivateDevices",
        )
    closed = [tpu for tpu in fitting if not os.access(tpu.node, os.R_OK | os.W_OK)]
    if len(closed) == len(fitting):
        group = "plugdev" if closed[0].kind == "usb" else "apex"
        return ModelError(
            f"no permission to use the Edge TPU at {closed[0].node}",
            hint=f"the user has to be in the group {group}, to which libedgetpu's udev rules give it",
        )
    return DeviceError(
        f"the Edge TPU at {fitting[0].node} could not be opened{f': {said}' if said else ''}",
        hint="another process may hold it; if none does, unplug it once",
    )


def _names(found: Sequence[EdgeTpu]) -> str:
    kinds = [tpu.kind for tpu in found]
    return ", ".join(f"{kind}:{kinds[:place].count(kind)}" for place, kind in enumerate(kinds)) or _NONE


def _usb(root: Path) -> Iterator[EdgeTpu]:
    for entry in sorted(root.glob("sys/bus/usb/devices/*")):
        if (_text(entry / "idVendor"), _text(entry / "idProduct")) in _USB_IDS:
            bus, number = (int(_text(entry / name) or 0) for name in ("busnum", "devnum"))
            yield EdgeTpu("usb", root / "dev" / "bus" / "usb" / f"{bus:03}" / f"{number:03}")


def _pci(root: Path) -> Iterator[EdgeTpu]:
    for entry in sorted(root.glob("sys/class/apex/apex_*")):
        yield EdgeTpu("pci", root / "dev" / entry.name)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
