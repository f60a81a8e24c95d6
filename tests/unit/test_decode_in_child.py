"""What a decoding child is told, what it says of its pictures, and how their times come back."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Any

import av
import pytest
from av.packet import Packet
from av.video.format import VideoFormat

from edgeseg.errors import SourceError
from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.sources._packets import PacketWriter
from edgeseg.sources._showinfo import _PRIMARIES, _TRANSFERS, UNKNOWN, Announced, Look, ShowInfo
from edgeseg.sources.decode_command import (
    FORMATS,
    HWACCELS,
    DecodeSettings,
    Decoding,
    can_decode,
    decode_command,
    is_of_software,
)
from tests.clips import make_clip

# As ffmpeg 5.1 and 9.0 write them, with level+info.
OF_5 = "[Parsed_showinfo_2 @ 0x55a6] [info] n:   7 pts:    512 pts_time:0.04    fmt:yuv420p sar:1/1 s:64x48 i:P"
OF_9 = (
    "[Parsed_showinfo_2 @ 0x7fb7] [info] n:  12 pts:   -512 pts_time:-0.04   duration:      1 duration_time:0.04    "
    "fmt:yuvj420p cl:center sar:4/3 s:1280x720 i:P iskey:1 type:I "
)
COLOURS = (
    "[Parsed_showinfo_2 @ 0x7fb7] [info] color_range:pc color_space:bt470bg color_primaries:bt709 color_trc:bt2020-10"
)


def announced(*lines: str) -> list[Announced]:
    reader = ShowInfo()
    return [found for line in lines for found in reader.announced(line)]


@pytest.mark.parametrize(
    ("line", "number", "pts", "shape"), [(OF_5, 7, 512, ("yuv420p", 64, 48)), (OF_9, 12, -512, ("yuvj420p", 1280, 720))]
)
def test_a_picture_is_announced_by_its_two_lines(line: str, number: int, pts: int, shape: tuple[str, int, int]) -> None:
    assert announced(line) == []
    assert announced(line, COLOURS) == [Announced(number, pts, Look(*shape, 2, 5, 1, 14))]


def test_a_picture_without_a_time() -> None:
    assert announced(OF_5.replace("pts:    512 ", "pts: NOPTS "), COLOURS)[0].pts is None


def test_other_words_in_between_do_not_count() -> None:
    """FFmpeg writes from several threads, and they cut into each other's lines."""
    glued = COLOURS.replace("color_space", "[h264 @ 0x1] [error] error while decoding MB 3 4\ncolor_space")
    glued = glued.replace("bt709 ", "bt709non-existing PPS 1 referenced\n")
    noise = [
        "Input #0, nut, from 'pipe:0':",
        "[h264 @ 0x5] [error] n: 5 no pts here",
        "config in time_base: 1/90000",
        "",
    ]
    assert announced(*noise, OF_5, *glued.split("\n"), *noise) == announced(OF_5, COLOURS)


def test_every_name_of_a_colour_means_the_number_that_ffmpeg_means() -> None:
    """Pictures are tagged by name, each of another width, and the names that showinfo has for them read back."""
    tags = list(zip_longest(_PRIMARIES.items(), _TRANSFERS.items(), fillvalue=("unknown", UNKNOWN)))
    command = [find_ffmpeg(), "-v", "info"]
    for n, ((primaries, _), (transfer, _)) in enumerate(tags):
        tagged = f"setparams=color_primaries={primaries}:color_trc={transfer},showinfo=checksum=0"
        command += ["-f", "lavfi", "-i", f"nullsrc=s={16 + n}x16:d=0.04,{tagged}"]
    for n in range(len(tags)):
        command += ["-map", str(n), "-f", "null", "-"]
    said = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True).stderr
    found = {each.look.width - 16: (each.look.primaries, each.look.transfer) for each in announced(*said.splitlines())}
    assert found == {n: (primaries[1], transfer[1]) for n, (primaries, transfer) in enumerate(tags)}


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_the_size_of_a_picture_is_what_ffmpeg_writes(pixel_format: str) -> None:
    """FFmpeg's own decoder of raw pictures takes that many bytes, and no fewer."""
    VideoFormat(pixel_format)
    context = av.CodecContext.create("rawvideo", "r")
    context.width, context.height, context.pix_fmt = 65, 49, pixel_format
    size = Look(pixel_format, 65, 49).size
    assert len(context.decode(Packet(size))) == 1
    with pytest.raises(av.error.FFmpegError):
        context.decode(Packet(size - 1))


def test_the_command_keeps_every_picture_and_its_time() -> None:
    command = decode_command(DecodeSettings("ffmpeg"), "h264", 1000)
    before, after = command[: command.index("-i")], command[command.index("-i") :]
    for option, value in (("-f", "nut"), ("-threads", "1"), ("-max_pixels", "1000"), ("-probesize", "32")):
        assert before[before.index(option) + 1] == value
    assert "-copyts" in before
    assert "-noautorotate" in before
    for option, value in (("-fps_mode", "passthrough"), ("-threads", "1"), ("-flush_packets", "1"), ("-f", "rawvideo")):
        assert after[after.index(option) + 1] == value
    assert "-noautoscale" in after
    assert not {"-hwaccel", "-init_hw_device", "-c:v"} & set(before)


@pytest.mark.parametrize(
    ("settings", "codec", "has"),
    [
        (DecodeSettings("x", "vaapi"), "h264", "-hwaccel vaapi -hwaccel_device /dev/dri/renderD128"),
        (
            DecodeSettings("x", "vaapi", "/dev/dri/renderD129"),
            "hevc",
            "-hwaccel vaapi -hwaccel_device /dev/dri/renderD129",
        ),
        (DecodeSettings("x", "cuda"), "h264", "-hwaccel cuda"),
        (DecodeSettings("x", "cuda", "1"), "h264", "-hwaccel cuda -hwaccel_device 1"),
        (DecodeSettings("x", "qsv"), "hevc", "-c:v hevc_qsv -init_hw_device qsv=decoder -async_depth 1 "),
        (
            DecodeSettings("x", "qsv", "/dev/dri/renderD128"),
            "h264",
            "-c:v h264_qsv -init_hw_device qsv=decoder,child_device=/dev/dri/renderD128",
        ),
        (DecodeSettings("x", "v4l2m2m"), "h264", "-c:v h264_v4l2m2m"),
    ],
)
def test_hardware_is_named_before_the_input(settings: DecodeSettings, codec: str, has: str) -> None:
    command = decode_command(settings, codec, 1000)
    assert has in " ".join(command[: command.index("-i")]) + " "


def test_hardware_with_decoders_of_its_own_does_not_know_every_codec() -> None:
    assert can_decode(DecodeSettings("x", "v4l2m2m"), "h264")
    assert not can_decode(DecodeSettings("x", "v4l2m2m"), "ffv1")
    assert not can_decode(DecodeSettings("x", "qsv"), "ffv1")
    assert can_decode(DecodeSettings("x", "vaapi"), "ffv1")
    assert can_decode(DecodeSettings("x"), "ffv1")


@pytest.mark.parametrize(
    ("pixel_format", "codec", "software"),
    [
        ("nv12", "h264", False),
        ("p010le", "hevc", False),
        ("yuv420p", "h264", True),
        ("yuvj420p", "h264", True),
        ("yuv420p10le", "hevc", True),
        ("yuvj420p", "mjpeg", True),
        ("yuv422p", "mjpeg", False),
        ("nv12", "mjpeg", False),
    ],
)
def test_pictures_of_software_are_known_by_their_layout(pixel_format: str, codec: str, software: bool) -> None:
    assert is_of_software(pixel_format, codec) == software


def test_falling_back_is_for_good_and_only_if_allowed(caplog: pytest.LogCaptureFixture) -> None:
    exc = SourceError("vaapi cannot decode door: no such device")
    with pytest.raises(SourceError, match="no such device"):
        Decoding(DecodeSettings("x", "vaapi")).fall_back(exc)
    assert caplog.messages == []
    decoding = Decoding(DecodeSettings("x", "vaapi", "/dev/dri/renderD128", software_too=True))
    decoding.fall_back(exc)
    assert decoding.settings == DecodeSettings("x")
    assert caplog.messages == [f"{exc}; decoding in software instead, as source.decode.fallback says"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mkv", seconds=0.4)


@pytest.mark.parametrize(
    "shift",
    [lambda n, pts: pts, lambda n, pts: pts - 10**7, lambda n, pts: pts * 1000, lambda n, pts: None if n % 3 else pts],
    ids=["as they are", "below zero", "far apart", "some missing"],
)
def test_times_come_back_as_they_were(clip: Path, shift: Callable[[int, int], int | None]) -> None:
    with av.open(str(clip)) as container:
        writer = PacketWriter(container.streams.video[0])
        wires, sent = [], []
        for n, packet in enumerate(p for p in container.demux(video=0) if p.size):
            assert packet.pts is not None
            packet.pts = shift(n, packet.pts)
            sent.append(packet.pts)
            wires.append(writer.wire(packet))
    assert wires[0].startswith(b"nut/multimedia container")
    assert all(wires)
    with av.open(_file(b"".join(wires)), format="nut") as child:
        back = [writer.source_pts(packet.pts) for packet in child.demux(video=0) if packet.size]
    assert back == sent


def test_the_wire_has_no_syncpoints(tmp_path: Path) -> None:
    """A child that ran for a month would know the place of each since it began."""
    with av.open(str(make_clip(tmp_path / "long.mp4", size="640x480", seconds=4))) as container:
        writer = PacketWriter(container.streams.video[0])
        wire = b"".join([writer.wire(packet) for packet in container.demux(video=0) if packet.size])
    assert len(wire) > 1 << 17  # else nobody would set any
    assert wire.count(b"NK\xe4\xad\xee\xca\x45\x69") == 1  # which the header ends with


def test_a_guess_means_nothing_where_there_are_no_times(clip: Path) -> None:
    with av.open(str(clip)) as container:
        writer = PacketWriter(container.streams.video[0])
        packet = next(container.demux(video=0))
        packet.pts = None
        writer.wire(packet)
    assert writer.source_pts(12345) is None
    assert writer.source_pts(None) is None


def _file(wire: bytes) -> Any:
    import io

    return io.BytesIO(wire)


def test_the_configuration_offers_what_there_is() -> None:
    from edgeseg.config.source import HwAccel

    assert set(HwAccel.__args__) == {None, *HWACCELS}
