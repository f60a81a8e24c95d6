"""Cameras that keep their name when they are replugged: on a made tree of /sys/class/video4linux."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgeseg.config.source import SourceConfig
from edgeseg.errors import SourceError
from edgeseg.sources._cameras import advice, cameras, find_camera
from edgeseg.sources.v4l2 import V4l2Source


class Machine:
    """A kernel's view of its cameras: USB devices with their nodes, as the links in /sys lie."""

    def __init__(self, folder: Path) -> None:
        self.sysfs = folder / "class/video4linux"
        self._devices = folder / "devices/usb1"
        self.sysfs.mkdir(parents=True)

    def plug(self, number: int, name: str, *, usb: str = "", serial: str = "", port: str = "", index: int = 0) -> None:
        node = self.sysfs / f"video{number}"
        node.mkdir()
        (node / "name").write_text(f"{name}\n")
        (node / "index").write_text(f"{index}\n")
        if usb:
            above = self._devices / port
            (above / f"{port}:1.0").mkdir(parents=True, exist_ok=True)
            vendor, _, product = usb.partition(":")
            (above / "idVendor").write_text(f"{vendor}\n")
            (above / "idProduct").write_text(f"{product}\n")
            if serial:
                (above / "serial").write_text(serial + "\n")
            (node / "device").symlink_to(above / f"{port}:1.0")

    def unplug(self, *numbers: int) -> None:
        for number in numbers:
            shutil.rmtree(self.sysfs / f"video{number}")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.plug(0, "HD Pro Webcam C920", usb="046d:082d", serial="A1B2", port="1-1.2")
    machine.plug(1, "HD Pro Webcam C920", usb="046d:082d", serial="A1B2", port="1-1.2", index=1)
    machine.plug(2, "unicam")
    return machine


@pytest.mark.parametrize(
    ("wanted", "device"),
    [
        ("name=c920", "/dev/video0"),
        ("name=HD Pro", "/dev/video0"),
        ("name=unicam", "/dev/video2"),
        ("usb=046D:082d", "/dev/video0"),
        ("usb=046d:082d:a1b2", "/dev/video0"),
        ("port=1-1.2", "/dev/video0"),
    ],
)
def test_it_is_found(machine: Machine, wanted: str, device: str) -> None:
    assert find_camera(wanted, machine.sysfs) == device


@pytest.mark.parametrize("wanted", ["name=C920", "usb=046d:082d", "usb=046d:082d:A1B2", "port=1-1.2"])
def test_it_is_found_under_its_new_number(machine: Machine, wanted: str) -> None:
    machine.unplug(0, 1)
    with pytest.raises(SourceError, match="no camera here has") as caught:
        find_camera(wanted, machine.sysfs)
    assert not caught.value.permanent
    machine.plug(12, "HD Pro Webcam C920", usb="046d:082d", serial="A1B2", port="1-1.2")
    assert find_camera(wanted, machine.sysfs) == "/dev/video12"


def test_the_source_looks_anew_each_time(machine: Machine) -> None:
    """There is no camera here: the error names the device that it went for."""
    source = V4l2Source("v4l2:name=c920", sysfs=machine.sysfs)
    for number in (93, 97):
        machine.unplug(0)
        machine.plug(0, "gone")
        machine.plug(number, "HD Pro Webcam C920")
        with pytest.raises(SourceError, match=rf"cannot open /dev/video{number} \(name=c920\): no such"):
            source.open()
        machine.unplug(number)


def test_what_is_there_is_told(machine: Machine) -> None:
    with pytest.raises(SourceError) as caught:
        V4l2Source("/dev/video97", sysfs=machine.sysfs).open()
    assert str(caught.value) == (
        "cannot open /dev/video97: no such file or device (there is "
        "/dev/video0 (name=HD Pro Webcam C920, usb=046d:082d:A1B2, port=1-1.2), /dev/video2 (name=unicam); "
        "numbers change, /dev/v4l/by-id/… and v4l2:usb=… do not)"
    )


def test_two_of_a_kind_are_told_apart(machine: Machine) -> None:
    machine.plug(4, "HD Pro Webcam C920", usb="046d:082d", serial="C3D4", port="1-1.3")
    with pytest.raises(SourceError, match=r"2 cameras here have usb=046d:082d: .*A1B2.*C3D4.*serial number"):
        find_camera("usb=046d:082d", machine.sysfs)
    assert find_camera("usb=046d:082d:C3D4", machine.sysfs) == "/dev/video4"
    assert find_camera("port=1-1.2", machine.sysfs) == "/dev/video0"


@pytest.mark.parametrize("wanted", ["C920", "name=", "usb=logitech", "colour=red"])
def test_what_cannot_be_looked_for_is_a_mistake(machine: Machine, wanted: str) -> None:
    with pytest.raises(SourceError, match="cannot look for a camera by") as caught:
        V4l2Source(f"v4l2:{wanted}", sysfs=machine.sysfs).open()
    assert caught.value.permanent


def test_a_machine_without_cameras(tmp_path: Path) -> None:
    assert cameras(tmp_path / "absent") == []
    assert advice(tmp_path / "absent") == "no camera is plugged in"


@pytest.mark.parametrize("url", ["v4l2:name=C920", "v4l2:usb=046d:0825", "v4l2:/dev/video0", "/dev/video0"])
def test_the_configuration_knows_whom_to_ask(url: str) -> None:
    source = SourceConfig(url=url)
    assert (source.kind, source.url) == ("v4l2", url)
