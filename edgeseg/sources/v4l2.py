"""Cameras on this machine through Video4Linux (USB, CSI)."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from edgeseg.errors import SourceError
from edgeseg.sources._container import Container, OpenArguments
from edgeseg.types import AudioPacket, Frame, SourceFormat


class V4l2Source:
    """A Video4Linux device such as ``/dev/video0`` or, better, ``/dev/v4l/by-id/…``, which keeps its name.

    Args:
        url: the path of the device, with or without ``v4l2:`` before it.
        input_format: what the camera is to send ("mjpeg", "yuyv422", "h264"); None leaves it to the driver.
        size: (width, height) to ask for.
        fps: frames per second to ask for.
        open_timeout_s: longest wait for the first picture.
        read_timeout_s: longest silence.
        options: further options for FFmpeg's v4l2 demuxer.
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
        self._arguments = OpenArguments(device, device, "v4l2", settings, open_timeout_s, read_timeout_s, audio=False)
        self._container: Container | None = None

    def open(self) -> SourceFormat:
        self._container = Container(self._arguments)
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
