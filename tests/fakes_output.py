"""A fake output and what tests feed outputs with."""

from __future__ import annotations

import io
import itertools
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from edgeseg.encoding.hub import Hub
from edgeseg.errors import OutputError
from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.flv import FlvReader, make_tag
from edgeseg.types import StreamHeader, Tag, TagKind
from tests.waiting import wait_until

FFMPEG = find_ffmpeg()
FPS = 30
GROUP = 15


@dataclass
class FakeOutput:
    """Keeps what it is given. ``fail`` makes the next calls raise, ``gate`` holds ``write`` up while it is cleared."""

    headers: list[StreamHeader] = field(default_factory=list)
    sessions: list[list[Tag]] = field(default_factory=list)
    fail: list[OutputError | None] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    closed: int = 0
    is_open: bool = False

    def __post_init__(self) -> None:
        self.gate.set()

    def open(self, header: StreamHeader) -> None:
        error = self.fail.pop(0) if self.fail else None
        if error is not None:
            raise error
        self.headers.append(header)
        self.sessions.append([])
        self.is_open = True

    def write(self, tag: Tag) -> None:
        assert self.is_open, "write before open"
        if not self.gate.wait(10):
            raise OutputError("nobody opened the gate")
        self.sessions[-1].append(tag)

    def close(self) -> None:
        self.closed += 1
        self.is_open = False

    def cancel(self) -> None:
        self.gate.set()


class Watcher:
    """A subscriber that writes down what it is told."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.headers: list[StreamHeader] = []
        self.cached: list[Tag] = []
        self.tags: list[Tag] = []

    def header(self, header: StreamHeader) -> None:
        self.calls.append("header")
        self.headers.append(header)

    def replay(self, tags: Iterable[Tag]) -> None:
        self.calls.append("replay")
        self.cached.extend(tags)

    def tag(self, tag: Tag) -> None:
        self.calls.append("tag")
        self.tags.append(tag)

    def end(self) -> None:
        self.calls.append("end")


def metadata() -> Tag:
    return make_tag(TagKind.SCRIPT, 0, b"\x02\x00\x0aonMetaData\x08\x00\x00\x00\x00\x00\x00\x09")


def video_config(marker: int = 1, ms: int = 0) -> Tag:
    return make_tag(TagKind.VIDEO, ms, bytes((0x17, 0, 0, 0, 0, marker)))


def audio_config(marker: int = 1, ms: int = 0) -> Tag:
    return make_tag(TagKind.AUDIO, ms, bytes((0xAF, 0, marker)))


def picture(ms: int, *, key: bool = False, size: int = 50) -> Tag:
    return make_tag(TagKind.VIDEO, ms, bytes((0x17 if key else 0x27, 1, 0, 0, 0)) + bytes(size))


def sound(ms: int) -> Tag:
    return make_tag(TagKind.AUDIO, ms, bytes((0xAF, 1)) + bytes(20))


def group(start_ms: int, pictures: int = 5, step_ms: int = 40) -> list[Tag]:
    """One keyframe and the pictures after it."""
    return [picture(start_ms + step_ms * i, key=i == 0) for i in range(pictures)]


def feed_hub(hub: Hub, tags: Iterable[Tag]) -> None:
    for tag in tags:
        hub.tag(tag)


def make_flv(path: Path, ffmpeg: str = FFMPEG, *, seconds: int = 4, audio: bool = True, size: str = "320x240") -> Path:
    """A clip as the encoder makes it, with a keyframe every half second; each picture shows its number."""
    # Eight blocks of 16 pixels, black or white: the picture's number in binary, lowest bit first.
    block = "if(lt(Y,16)*lt(X,128),255*mod(floor(N/pow(2,floor(X/16))),2),lum(X,Y))"
    bits = f"geq=lum='{block}':cb='cb(X,Y)':cr='cr(X,Y)'"
    sounds = ["-f", "lavfi", "-i", f"sine=f=440:d={seconds}"] if audio else []
    encode = "-c:v libx264 -preset ultrafast -tune zerolatency -sc_threshold 0 -pix_fmt yuv420p -c:a aac"
    write = "-flags +global_header -flvflags no_duration_filesize -f flv -y"
    pictures = ["-f", "lavfi", "-i", f"testsrc2=s={size}:r={FPS}:d={seconds},{bits}"]
    command = [ffmpeg, "-v", "error", *pictures, *sounds, *encode.split(), "-g", str(GROUP), *write.split(), str(path)]
    subprocess.run(command, check=True)
    return path


def read_tags(path: Path) -> list[Tag]:
    return list(FlvReader(io.BytesIO(path.read_bytes())))


def header_and_media(path: Path, *, audio: bool = True) -> tuple[StreamHeader, list[Tag]]:
    """What a consumer that was there from the start is given of a clip."""
    hub, watcher = Hub(expects_audio=audio), Watcher()
    hub.subscribe(watcher)
    feed_hub(hub, read_tags(path))
    return watcher.headers[0], watcher.tags


def numbers_in(path: str | Path, limit: int | None = None) -> list[int]:
    """The number that each picture of a recording shows, in order; only the first ``limit`` are looked at."""
    import av

    numbers = []
    with av.open(str(path)) as container:
        for frame in itertools.islice(container.decode(video=0), limit):
            luma = frame.to_ndarray()
            numbers.append(sum(1 << bit for bit in range(8) if luma[8, 16 * bit + 8] > 128))
    return numbers


@contextmanager
def receiver(url: str, path: Path, ffmpeg: str = FFMPEG) -> Iterator[subprocess.Popen[bytes]]:
    """A real RTMP server, listening once this returns, that takes one stream into a file and ends with it."""
    command = [ffmpeg, "-v", "error", "-listen", "1", "-i", url, "-c", "copy", "-flush_packets", "1", "-y", str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            port = urlsplit(url).port
            assert port is not None
            wait_until(lambda: listens(port), what=f"ffmpeg listening on {port}")
            yield process
        finally:
            process.kill()


def listens(port: int) -> bool:
    """Whether somebody listens on loopback, asked without connecting."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows)
