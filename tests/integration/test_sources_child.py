"""Decoding in a child: the same pictures as in this process, and what happens when the child or the hardware fails."""

from __future__ import annotations

import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.packet import Packet

from edgeseg.errors import SourceError
from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.sources import _child_decode
from edgeseg.sources.av_input import AvSource
from edgeseg.sources.decode_command import DecodeSettings
from edgeseg.types import AudioPacket, Frame, SourceFormat
from tests.clips import make_clip
from tests.hostile import damage, giant, make_seeds
from tests.waiting import wait_until

Opened = Callable[[AvSource], AvSource]
CHILD = DecodeSettings(find_ffmpeg())
_H264 = "-c:v libx264 -preset ultrafast -g 10 -pix_fmt yuv420p"
_TAGS = "-color_primaries bt709 -color_trc iec61966-2-1"
# File name, size, how it is encoded. Twenty-five pictures each.
CLIPS = {
    "h264.mp4": ("64x48", f"{_H264} -bf 2"),
    "h264.ts": ("64x48", f"{_H264} -bf 3"),
    "h264.flv": ("64x48", f"{_H264} -bf 0"),
    "bare.h264": ("64x48", f"{_H264} -bf 2"),
    "full_range.mp4": ("64x48", f"-c:v libx264 -pix_fmt yuvj420p -colorspace smpte170m {_TAGS}"),
    "high.mp4": ("1280x720", f"{_H264} -colorspace bt470bg -color_range tv"),
    "hevc.mp4": ("64x48", "-c:v libx265 -preset ultrafast -x265-params log-level=none -pix_fmt yuv420p"),
    "hevc10.ts": ("64x48", "-c:v libx265 -preset ultrafast -x265-params log-level=none -pix_fmt yuv420p10le"),
    "pictures.mjpeg": ("64x48", "-c:v mjpeg -q:v 5 -pix_fmt yuvj420p"),
    "jpeg422.mkv": ("64x48", "-c:v mjpeg -q:v 5 -pix_fmt yuvj422p"),
    "mpeg4.avi": ("64x48", "-c:v mpeg4"),
    "tagged_by_the_container.mkv": ("64x48", "-c:v ffv1 -pix_fmt yuv444p -color_range pc -colorspace bt709"),
    "rgb.mkv": ("64x48", "-c:v ffv1 -pix_fmt bgr0"),
    "gray.mkv": ("66x50", "-c:v ffv1 -pix_fmt gray"),
    "ten_bits.mkv": ("65x49", "-c:v ffv1 -pix_fmt yuv422p10le"),
    "raw.avi": ("64x48", "-c:v rawvideo -pix_fmt yuyv422"),
}


def read_all(url: Path, decode: DecodeSettings | None) -> tuple[SourceFormat, list[Frame | AudioPacket]]:
    source = AvSource(str(url), decode=decode)
    try:
        return source.open(), list(iter(source.read, None))
    finally:
        source.close()


def frames_of(items: list[Frame | AudioPacket]) -> list[Frame]:
    return [item for item in items if isinstance(item, Frame)]


def decoders() -> list[int]:
    """The decoding children of this process."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            words = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == os.getpid() and b"showinfo" in words:
            found.append(int(entry.name))
    return found


@pytest.fixture
def long_clip(tmp_path: Path) -> Path:
    """Four seconds with a keyframe every ten pictures, too large for a pipe to hold."""
    noise = "noise=alls=60:allf=t"
    return make_clip(tmp_path / "long.mkv", size="320x240", seconds=4, sound=True, filters=noise, video=_H264)


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Opens sources, and closes them at the end, however the test ends."""
    sources: list[AvSource] = []

    def open_it(source: AvSource) -> AvSource:
        sources.append(source)
        source.open()
        return source

    yield open_it
    for source in sources:
        source.close()


@pytest.mark.parametrize("name", CLIPS)
def test_the_same_as_in_this_process(name: str, tmp_path: Path) -> None:
    size, video = CLIPS[name]
    clip = make_clip(tmp_path / name, size=size, video=video)
    said, expected = read_all(clip, None)
    said_by_child, got = read_all(clip, CHILD)
    assert said_by_child == said
    assert len(got) == len(expected) == 25
    for ours, theirs in zip(frames_of(got), frames_of(expected)):
        assert (ours.pts, ours.time_base, ours.colour) == (theirs.pts, theirs.time_base, theirs.colour)
        for plane, other in zip(ours.planes, theirs.planes):
            np.testing.assert_array_equal(plane, other)


@pytest.mark.parametrize("decode", [None, CHILD], ids=["here", "in a child"])
def test_a_picture_that_a_driver_lost_is_no_end(tmp_path: Path, decode: DecodeSettings | None) -> None:
    """Video4Linux gives a packet without content for it, and so does the file; decoders take such a one for the end."""
    whole = make_clip(tmp_path / "whole.mp4", video="-c:v libx264 -preset ultrafast -x264-params ref=1 -g 250 -bf 0")
    with av.open(str(whole)) as source, av.open(str(tmp_path / "lost.nut"), "w") as target:
        track = target.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(packet for packet in source.demux(video=0) if packet.size):
            lost = Packet(b"")
            lost.pts, lost.dts, lost.time_base = packet.pts, packet.dts, packet.time_base
            given = lost if number == 10 else packet
            given.stream = track
            target.mux_one(given)
    starts: list[int] = []
    lossy = AvSource(str(tmp_path / "lost.nut"), decode=decode)
    try:
        lossy.open()
        count = 0
        while lossy.read() is not None:
            count += 1
            starts += [pid for pid in decoders() if pid not in starts]
    finally:
        lossy.close()
    assert count == 24
    assert len(starts) == (decode is not None)


@pytest.mark.parametrize("decode", [None, CHILD], ids=["here", "in a child"])
def test_what_is_closed_is_gone_at_once(tmp_path: Path, decode: DecodeSettings | None) -> None:
    """Not when the garbage is collected: the pictures of an HD decoder are 25 MB, and cameras come and go."""
    source = AvSource(str(make_clip(tmp_path / "clip.mp4")), decode=decode)
    gc.disable()
    try:
        source.open()
        assert isinstance(source.read(), Frame)
        container = weakref.ref(source._container)  # type: ignore[arg-type]
        source.close()
        assert container() is None
    finally:
        gc.enable()


def test_sound_keeps_its_place(long_clip: Path) -> None:
    _, expected = read_all(long_clip, None)
    _, got = read_all(long_clip, CHILD)
    sounds = [(item.pts, item.payload) for item in expected if isinstance(item, AudioPacket)]
    assert [(item.pts, item.payload) for item in got if isinstance(item, AudioPacket)] == sounds
    # While a child starts, a few packets go ahead of their pictures; never many.
    ahead_s = max(
        after.time_s - before.time_s
        for before, after in pairwise(got)
        if isinstance(before, Frame) and isinstance(after, AudioPacket)
    )
    assert ahead_s < 1


def test_pictures_come_at_once(opened: Opened, long_clip: Path) -> None:
    """Without B-frames each packet gives its picture, once the child has started."""
    source = opened(AvSource(str(long_clip), audio=False, decode=CHILD))
    camera = threading.Event()
    for _ in range(30):
        assert isinstance(source.read(), Frame)
        camera.wait(0.02)
    decoder = source._container._decoder  # type: ignore[union-attr]
    assert isinstance(decoder, _child_decode.ChildDecoder)
    assert decoder._sent == decoder._received
    source.close()


@pytest.mark.parametrize("change", ["size", "range"])
def test_a_change_in_the_middle_ends_as_it_does_in_this_process(change: str, tmp_path: Path) -> None:
    size, extra = ("96x64", "") if change == "size" else ("64x48", " -color_range pc")
    first = make_clip(tmp_path / "first.h264", video=_H264)
    second = make_clip(tmp_path / "second.h264", size=size, video=_H264 + extra)
    joined = tmp_path / "joined.h264"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    said = []
    for decode in (None, CHILD):
        with pytest.raises(SourceError, match="changed its") as caught:
            read_all(joined, decode)
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_a_child_that_dies_is_replaced_at_the_next_keyframe(
    opened: Opened, long_clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    times = {frame.pts for frame in frames_of(read_all(long_clip, None)[1])}
    source = opened(AvSource(str(long_clip), decode=CHILD))
    before = [source.read() for _ in range(20)]
    (pid,) = decoders()
    os.kill(pid, signal.SIGSEGV)
    after = frames_of(list(iter(source.read, None)))
    source.close()
    assert [message for message in caplog.messages if "was ended by SIGSEGV; going on at the next keyframe" in message]
    got = [item.pts for item in [*before, *after] if isinstance(item, Frame)]
    assert got == sorted(set(got))
    assert set(got) <= times
    # Those of one group of pictures are lost, and what was on its way.
    assert len(times) - 30 < len(got) + 1 < len(times)
    assert decoders() == []


def test_a_child_that_hangs_is_replaced(
    opened: Opened, long_clip: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_child_decode, "_HUNG_S", 0.5)
    source = opened(AvSource(str(long_clip), audio=False, decode=CHILD))
    for _ in range(10):
        source.read()
    (pid,) = decoders()
    os.kill(pid, signal.SIGSTOP)
    after = frames_of(list(iter(source.read, None)))
    source.close()
    assert [message for message in caplog.messages if "took and gave nothing for 0.5 s; going on" in message]
    assert len(after) > 50
    assert decoders() == []


def script(folder: Path, body: str) -> str:
    path = folder / "ffmpeg"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_children_that_keep_dying_fail_the_source(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mkv", seconds=3, video=_H264)
    broken = script(tmp_path, "echo '[fatal] out of luck' >&2; kill -ABRT $$")
    with pytest.raises(SourceError) as caught:
        read_all(clip, DecodeSettings(broken))
    assert str(caught.value) == (
        f"the decoder of {clip} failed 3 times in a row; the last one was ended by SIGABRT: out of luck"
    )
    assert not caught.value.permanent


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mkv", seconds=0.2)
    with pytest.raises(SourceError, match=r"cannot run the decoder .*/absent: No such file") as caught:
        read_all(clip, DecodeSettings(str(tmp_path / "absent")))
    assert caught.value.permanent


ABSENT = {
    "vaapi": DecodeSettings(CHILD.ffmpeg, "vaapi", "/dev/dri/renderD254"),
    "qsv": DecodeSettings(CHILD.ffmpeg, "qsv", "/dev/dri/renderD254"),
    "cuda": DecodeSettings(CHILD.ffmpeg, "cuda", "99"),
}


@pytest.mark.parametrize("hwaccel", ABSENT)
def test_hardware_that_is_not_there_is_one_sentence(hwaccel: str, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=0.4)
    with pytest.raises(SourceError) as caught:
        read_all(clip, ABSENT[hwaccel])
    said = str(caught.value)
    assert said.startswith(f"{hwaccel} cannot decode {clip}: ")
    assert said.endswith("(check the driver and the rights on the device, or set source.decode.fallback: software)")
    assert "\n" not in said
    assert "@ 0x" not in said
    assert decoders() == []


@pytest.mark.parametrize("hwaccel", ABSENT)
def test_software_takes_its_place_where_it_may(hwaccel: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clip = make_clip(tmp_path / "clip.mp4", sound=True)
    hardware = ABSENT[hwaccel]
    _, expected = read_all(clip, None)
    with caplog.at_level(logging.WARNING):
        _, got = read_all(clip, DecodeSettings(hardware.ffmpeg, hwaccel, hardware.device, software_too=True))
    assert [frame.pts for frame in frames_of(got)] == [frame.pts for frame in frames_of(expected)]
    (message,) = caplog.messages
    assert message.startswith(f"{hwaccel} cannot decode {clip}: ")
    assert message.endswith("; decoding in software instead, as source.decode.fallback says")


def test_hardware_that_lets_software_do_it_in_silence_is_found_out(tmp_path: Path) -> None:
    """FFmpeg changes over without an error when the device does not take a stream; here the device is left out."""
    clip = make_clip(tmp_path / "clip.mp4", video=_H264)
    leave_out = 'case "$skip$a" in -hwaccel*) skip=x ;; x*) skip= ;; *) set -- "$@" "$a" ;; esac'
    pretends = script(tmp_path, f'for a in "$@"; do shift; {leave_out}; done\nexec {CHILD.ffmpeg} "$@"')
    with pytest.raises(SourceError, match=r"vaapi cannot decode .*: ffmpeg decodes this h264 in software instead"):
        read_all(clip, DecodeSettings(pretends, "vaapi"))
    assert len(frames_of(read_all(clip, DecodeSettings(pretends, "vaapi", software_too=True))[1])) == 25


def test_hardware_that_takes_everything_and_gives_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_child_decode, "_HUNG_S", 0.5)
    monkeypatch.setattr(_child_decode, "_PATIENCE_S", 0.01)
    clip = make_clip(tmp_path / "clip.mkv", seconds=4, video=_H264)
    swallows = 'case "$*" in *-hwaccel*) exec cat >/dev/null ;; esac'
    hungry = script(tmp_path, f'{swallows}\nexec {CHILD.ffmpeg} "$@"')
    with pytest.raises(SourceError, match=r"vaapi cannot decode .*: no picture came of 60 packets"):
        read_all(clip, DecodeSettings(hungry, "vaapi"))
    _, expected = read_all(clip, None)
    _, got = read_all(clip, DecodeSettings(hungry, "vaapi", software_too=True))
    assert [frame.pts for frame in frames_of(got)] == [frame.pts for frame in frames_of(expected)]


def test_an_ffmpeg_that_was_built_without_it_is_not_tried_again(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=0.4)
    old = script(tmp_path, 'echo "[fatal] Unrecognized hwaccel: vaapi." >&2; exit 1')
    with pytest.raises(SourceError, match="Unrecognized hwaccel") as caught:
        read_all(clip, DecodeSettings(old, "vaapi"))
    assert caught.value.permanent
    other = make_clip(tmp_path / "clip.mkv", seconds=0.4, video="-c:v ffv1 -pix_fmt yuv420p")
    with pytest.raises(SourceError, match=r"v4l2m2m cannot decode .*: it has no decoder for ffv1") as caught:
        read_all(other, DecodeSettings(CHILD.ffmpeg, "v4l2m2m"))
    assert caught.value.permanent


def test_damaged_files_end_neither_the_process_nor_the_patience(tmp_path: Path) -> None:
    seeds = [seed for seed in make_seeds(tmp_path) if seed.name in ("h264.ts", "h264.flv", "hevc.ts", "pictures.mjpeg")]
    damage(seeds, tmp_path / "damaged", turns=1)
    giant(make_clip(tmp_path / "bare.h264", video=_H264), tmp_path / "damaged", 4096, 4096)
    files = sorted((tmp_path / "damaged").iterdir())[::5]
    pictures, said = 0, []
    for file in files:
        began = time.monotonic()
        source = AvSource(str(file), open_timeout_s=2, read_timeout_s=2, decode=CHILD)
        try:
            source.open()
            pictures += sum(isinstance(item, Frame) for item in iter(source.read, None))
        except SourceError as exc:
            said.append(str(exc))
        source.close()
        assert time.monotonic() - began < 10, file.name
    assert not [sentence for sentence in said if "\n" in sentence]
    assert pictures > 25 * len(files) / 3
    assert decoders() == []


_READS_ON = """
import sys
from edgeseg.sources.av_input import AvSource
from edgeseg.sources.decode_command import DecodeSettings
source = AvSource(sys.argv[1], loop=True, decode=DecodeSettings(sys.argv[2]))
source.open()
print(source._container._decoder._child._process.pid, flush=True)
sys.stdin.read()
"""


def test_no_child_is_left_when_the_daemon_is_killed(long_clip: Path) -> None:
    command = [sys.executable, "-c", _READS_ON, str(long_clip), CHILD.ffmpeg]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout is not None
        child = Path("/proc", daemon.stdout.readline().strip())
        assert child.exists()
        daemon.kill()
    wait_until(_gone(child), 5, "the end of the child")


def _gone(process: Path) -> Callable[[], bool]:
    def ended() -> bool:
        try:
            return (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    return ended
