"""Cameras on this machine through Video4Linux (USB, CSI)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from edgeseg.errors import SourceError
from edgeseg.sources import _cameras
from edgeseg.sources._container import Container, OpenArguments
from edgeseg.sources.decode_command import DecodeSettings, Decoding
from edgeseg.types import AudioPacket, Frame, SourceFormat


class V4l2Source:
    """A Video4Linux device such as ``/dev/video0`` or, better, one whose name stays when it is replugged:
    ``/dev/v4l/by-id/…``, or ``v4l2:name=…``, ``v4l2:usb=VENDOR:PRODUCT[:SERIAL]``, ``v4l2:port=…``, which are looked up
    anew each time it is opened.

    Args:
        url: the path of the device, with or without ``v4l2:`` before it, or what to look for.
        input_format: what the camera is to send ("mjpeg", "yuyv422", "h264"); None leaves it to the driver.
        size: (width, height) to ask for.
        fps: frames per second to ask for.
        open_timeout_s: longest wait for the first picture.
        read_timeout_s: longest silence.
        options: further options for FFmpeg's v4l2 demuxer.
        decode: how to decode in a child; None decodes in this process.
        sysfs: where the kernel tells which cameras there are.
    """

    def __init__(
        self,
        url: str,
        *,
        input_format: str | None = None,
        size: tuple[int, int] | None = None,
        fps: Fraction | None = None,
        open_timeout_s: float = 10.0,
        read_timeout_s: float = 10.0,
        options: Mapping[str, str] | None = None,
        decode: DecodeSettings | None = None,
        sysfs: Path = _cameras.SYSFS,
    ) -> None:
        device = url.removeprefix("v4l2:")
        settings = dict(options or {})
        if input_format:
            settings.setdefault("input_format", input_format)
        if size:
            settings.setdefault("video_size", f"{size[0]}x{size[1]}")
        if fps:
            settings.setdefault("framerate", str(fps))
        self._device = device
        self._sysfs = sysfs
        decoding = Decoding(decode) if decode is not None else None
        self._arguments = OpenArguments(
            device, device, "v4l2", settings, open_timeout_s, read_timeout_s, audio=False, decoding=decoding
        )
        self._container: Container | None = None

    def open(self) -> SourceFormat:
        arguments = self._arguments
        if not self._device.startswith("/"):
            device = _cameras.find_camera(self._device, self._sysfs)
            arguments = replace(arguments, url=device, name=f"{device} ({self._device})")
        try:
            self._container = Container(arguments)
        except SourceError as exc:
            if Path(arguments.url).exists():
                raise
            raise SourceError(exc.message, hint=_cameras.advice(self._sysfs)) from exc
        return self._container.probe(live=True)

    def read(self) -> Frame | AudioPacket | None:
        if self._container is None:
            raise SourceError(f"{self._device} is not open")
        item = self._container.read()
        if item is None:
            raise SourceError(f"{self._device} stopped", hint="was it unplugged?")
        return item

    def close(self) -> None:
        if self._container is not None:
            self._container.close()
            self._container = None
