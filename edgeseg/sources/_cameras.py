"""Which Video4Linux cameras are there, and which of them is meant by a name that outlives replugging."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path

from edgeseg.errors import SourceError

SYSFS = Path("/sys/class/video4linux")
_NODE = re.compile(r"video(\d+)$")
_USB = re.compile(r"([0-9a-f]{4}):([0-9a-f]{4})(?::(.+))?$", re.IGNORECASE)
_KEYS = "name=…, usb=VENDOR:PRODUCT, usb=VENDOR:PRODUCT:SERIAL or port=…"


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera; what is not on USB has no ``usb`` ids and no ``port`` (the place on the bus, such as ``1-1.2``)."""

    device: str
    name: str
    usb: str = ""
    serial: str = ""
    port: str = ""

    def __str__(self) -> str:
        usb = f", usb={self.usb}{':' * bool(self.serial)}{self.serial}, port={self.port}" if self.usb else ""
        return f"{self.device} (name={self.name}{usb})"


def cameras(sysfs: Path = SYSFS) -> list[Camera]:
    """The cameras that the kernel knows, in the order of their numbers.

    A camera has several nodes: pictures come from the one with index 0, the others carry metadata.
    """
    numbered = []
    with contextlib.suppress(OSError):
        numbered = [(int(match[1]), node) for node in sysfs.iterdir() if (match := _NODE.match(node.name))]
    return [_camera(node) for _, node in sorted(numbered) if _text(node / "index") in ("", "0")]


def find_camera(wanted: str, sysfs: Path = SYSFS) -> str:
    """The device of the one camera that ``wanted`` fits: ``name=Webcam C920`` (a part of its name, in any case),
    ``usb=046d:0825``, ``usb=046d:0825:SERIAL`` or ``port=1-1.2``.

    Raises:
        SourceError: none fits, or more than one.
    """
    key, _, value = wanted.partition("=")
    value = value.strip().lower()
    if key not in ("name", "usb", "port") or not value or (key == "usb" and not _USB.match(value)):
        raise SourceError(f"cannot look for a camera by {wanted!r}", hint=f"write {_KEYS}", permanent=True)
    there = cameras(sysfs)
    fitting = [camera for camera in there if _fits(camera, key, value)]
    if not fitting:
        raise SourceError(f"no camera here has {wanted}", hint=advice(sysfs))
    if len(fitting) > 1:
        raise SourceError(
            f"{len(fitting)} cameras here have {wanted}: {_list(fitting)}",
            hint="add the serial number, or name the port",
        )
    return fitting[0].device


def advice(sysfs: Path = SYSFS) -> str:
    """What to do about a camera that is not there: the ones that are, and names that stay."""
    there = cameras(sysfs)
    if not there:
        return "no camera is plugged in"
    return f"there is {_list(there)}; numbers change, /dev/v4l/by-id/… and v4l2:usb=… do not"


def _list(there: list[Camera]) -> str:
    return ", ".join(map(str, there))


def _fits(camera: Camera, key: str, value: str) -> bool:
    if key == "name":
        return value in camera.name.lower()
    if key == "port":
        return value == camera.port
    vendor, product, serial = _USB.match(value).groups()  # type: ignore[union-attr]
    return camera.usb == f"{vendor}:{product}" and serial in (None, camera.serial.lower())


def _camera(node: Path) -> Camera:
    usb = serial = port = ""
    with contextlib.suppress(OSError):
        # The node's device is one interface of the USB device above it.
        above = (node / "device").resolve(strict=True).parent
        if vendor := _text(above / "idVendor"):
            usb, serial, port = f"{vendor}:{_text(above / 'idProduct')}".lower(), _text(above / "serial"), above.name
    return Camera(f"/dev/{node.name}", _text(node / "name"), usb, serial, port)


def _text(file: Path) -> str:
    """A line of sysfs; empty where there is none, as when the camera is pulled out while we look."""
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""
