"""The encoder with a real ffmpeg: what goes in comes out, at its time, and whatever breaks is said."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest

from edgeseg.encoding.command import EncoderSettings, probe_encoder, usable_settings
from edgeseg.encoding.encoder import Encoder
from edgeseg.encoding.matroska import RawFormat
from edgeseg.errors import EncoderError
from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.flv import file_header
from edgeseg.frames import Canvas, CanvasPool, copy
from edgeseg.queues import WhenFull
from edgeseg.types import AudioFormat, Colour, Matrix, Tag, TagKind
from tests.fakes_source import picture
from tests.waiting import wait_until

SIZE = (64, 48)
GREY = RawFormat(*SIZE, Fraction(25), Colour(Matrix.BT601))
FFMPEGS = {"system": find_ffmpeg, "bundled": imageio_ffmpeg.get_ffmpeg_exe}


@pytest.fixture(params=FFMPEGS)
def ffmpeg(request: pytest.FixtureRequest) -> str:
    return FFMPEGS[request.param]()


@pytest.fixture(scope="module")
def one_ffmpeg() -> str:
    """For what is ours alone to do right, so that one binary is proof enough."""
    return find_ffmpeg()


class Rig:
    """An encoder, the tags that came out of it, and the account of its canvases."""

    def __init__(
        self, settings: EncoderSettings, raw: RawFormat = GREY, when_full: WhenFull = WhenFull.WAIT, **options: float
    ) -> None:
        self.raw = raw
        self.tags: list[Tag] = []
        self.delays: list[float | None] = []
        self.drops = 0
        self.lent: set[int] = set()
        self.hold: threading.Event | None = None
        self._pool = CanvasPool(raw.width, raw.height, raw.colour)
        self.encoder = Encoder(
            settings,
            raw,
            when_full=when_full,
            on_tag=self._take,
            recycle=self._recycle,
            on_drop=self._count,
            **options,  # type: ignore[arg-type]
        )

    def _take(self, tag: Tag, delay_s: float | None) -> None:
        if self.hold is not None:
            self.hold.wait(20)
        self.tags.append(tag)
        if tag.kind is TagKind.VIDEO and not tag.config:
            self.delays.append(delay_s)

    def _recycle(self, canvas: Canvas) -> None:
        self.lent.remove(id(canvas))
        self._pool.give(canvas)

    def _count(self) -> None:
        self.drops += 1

    def show(self, timestamp_ms: int, number: int | None = None) -> None:
        canvas = self._pool.take()
        self.lent.add(id(canvas))
        source = picture(timestamp_ms % 1000 if number is None else number, (self.raw.width, self.raw.height))
        canvas.stamp(source)
        copy(source, canvas.frame)
        self.encoder.video(canvas, timestamp_ms)

    @property
    def pictures(self) -> list[Tag]:
        return [tag for tag in self.tags if tag.kind is TagKind.VIDEO and not tag.config]

    @property
    def sounds(self) -> list[Tag]:
        return [tag for tag in self.tags if tag.kind is TagKind.AUDIO and not tag.config]

    def times(self) -> list[int]:
        return [tag.timestamp_ms for tag in self.pictures]

    def flv(self) -> io.BytesIO:
        has_audio = self.raw.audio is not None
        return io.BytesIO(file_header(has_audio=has_audio) + b"".join(tag.wire for tag in self.tags))

    @property
    def child(self) -> subprocess.Popen[bytes]:
        return self.encoder._child


@pytest.fixture
def rig(one_ffmpeg: str) -> Iterator[Rig]:
    made = Rig(EncoderSettings(one_ffmpeg))
    yield made
    made.encoder.kill()


REGULAR = list(range(0, 1000, 40))
VARIABLE = [0, 1, 40, 41, 300, 333, 900, 2400, 2401, 2900]


@pytest.mark.parametrize(
    "times",
    [REGULAR, VARIABLE, [100_000 + ms for ms in REGULAR], [2**31 - 500 + ms for ms in REGULAR]],
    ids=["regular", "variable", "from 100 s", "beyond the end of FLV's clock"],
)
def test_every_picture_comes_out_once_at_its_own_time(ffmpeg: str, times: list[int]) -> None:
    rig = Rig(EncoderSettings(ffmpeg), near_ms=times[0])
    for ms in times:
        rig.show(ms)
    assert rig.encoder.finish()
    assert rig.times() == times
    assert all(delay is not None and 0 <= delay < 5 for delay in rig.delays)
    assert not rig.lent
    assert rig.drops == 0
    with av.open(rig.flv()) as container:
        assert sum(1 for _ in container.decode(video=0)) == len(times)


def test_a_picture_does_not_wait_for_the_next_one(ffmpeg: str) -> None:
    rig = Rig(EncoderSettings(ffmpeg))
    for number in range(5):
        rig.show(number * 40)
        wait_until(lambda number=number: len(rig.pictures) > number, 5, f"the tag of picture {number}")  # type: ignore[misc]
    assert rig.encoder.finish()


@pytest.mark.parametrize("size", [(16, 16), (34, 18), (130, 98), (642, 358)])
def test_sizes_that_are_no_multiple_of_16(one_ffmpeg: str, size: tuple[int, int]) -> None:
    rig = Rig(EncoderSettings(one_ffmpeg, bitrate=4_000_000), RawFormat(*size, Fraction(25), Colour()))
    for ms in (0, 40, 80):
        rig.show(ms, number=1)
    assert rig.encoder.finish()
    with av.open(rig.flv()) as container:
        shown = list(container.decode(video=0))[-1].to_ndarray(format="yuv420p")[: size[1]]
    assert shown.shape == size[::-1]


def test_the_picture_is_the_picture(ffmpeg: str) -> None:
    """A ramp in each plane comes back within what H.264 costs: nothing shifted, no planes exchanged."""
    rig = Rig(EncoderSettings(ffmpeg, bitrate=8_000_000), RawFormat(128, 96, Fraction(25), Colour()))
    canvas = Canvas(128, 96, Colour())
    rig.lent.add(id(canvas))
    canvas.frame.y[...] = np.linspace(20, 230, 128)[None, :]
    canvas.frame.u[...] = np.linspace(30, 120, 48)[:, None]
    canvas.frame.v[...] = np.linspace(220, 140, 64)[None, :]
    expected = [plane.astype(int) for plane in canvas.frame.planes]
    rig.encoder.video(canvas, 0)
    assert rig.encoder.finish()
    with av.open(rig.flv()) as container:
        frame = next(container.decode(video=0))
        for plane, want in zip(frame.planes, expected):
            got = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:, : plane.width]
            assert np.abs(got - want).max() <= 6


@pytest.mark.parametrize("matrix", Matrix)
@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
def test_colour_tags_reach_the_stream(ffmpeg: str, matrix: Matrix, full: bool) -> None:
    rig = Rig(EncoderSettings(ffmpeg), RawFormat(*SIZE, Fraction(25), Colour(matrix, full, primaries=1, transfer=6)))
    rig.show(0)
    assert rig.encoder.finish()
    with av.open(rig.flv()) as container:
        frame = next(container.decode(video=0))
        assert frame.colorspace == {Matrix.BT709: 1, Matrix.BT601: 6}[matrix]
        assert frame.color_range == (2 if full else 1)
        assert (frame.color_primaries, frame.color_trc) == (1, 6)


def test_pixels_that_are_not_square_stay_so(ffmpeg: str) -> None:
    rig = Rig(EncoderSettings(ffmpeg), RawFormat(72, 48, Fraction(25), Colour(), Fraction(16, 15)))
    rig.show(0)
    assert rig.encoder.finish()
    with av.open(rig.flv()) as container:
        next(container.decode(video=0))
        assert container.streams.video[0].codec_context.sample_aspect_ratio == Fraction(16, 15)


@pytest.mark.parametrize("fps", [Fraction(30_000, 1001), Fraction(15, 2), Fraction(1), Fraction(120)])
def test_odd_rates(one_ffmpeg: str, fps: Fraction) -> None:
    rig = Rig(EncoderSettings(one_ffmpeg), RawFormat(*SIZE, fps, Colour()))
    times = [round(1000 * n / fps) for n in range(8)]
    for ms in times:
        rig.show(ms)
    assert rig.encoder.finish()
    assert rig.times() == times


def keyframes(rig: Rig) -> list[int]:
    return [tag.timestamp_ms for tag in rig.pictures if tag.keyframe]


@pytest.mark.parametrize("start_ms", [0, 100_000], ids=["from 0", "from 100 s"])
def test_a_keyframe_every_keyframe_s(ffmpeg: str, start_ms: int) -> None:
    rig = Rig(EncoderSettings(ffmpeg, keyframe_s=0.4), near_ms=start_ms)
    for ms in range(start_ms, start_ms + 2000, 40):
        rig.show(ms, number=1)
    assert rig.encoder.finish()
    assert keyframes(rig) == [start_ms + ms for ms in range(0, 2000, 400)]


def test_after_a_pause_keyframes_are_as_rare_as_before(ffmpeg: str) -> None:
    """A camera that was away for a minute must not be followed by a minute's worth of keyframes."""
    rig = Rig(EncoderSettings(ffmpeg, keyframe_s=0.4))
    for ms in [*range(0, 400, 40), *range(60_000, 61_000, 40)]:
        rig.show(ms, number=1)
    assert rig.encoder.finish()
    assert keyframes(rig) == [0, 60_000, 60_400, 60_800]


def aac(
    ffmpeg: str, seconds: float, codec: str = "aac", container: str = "adts"
) -> tuple[AudioFormat, list[av.Packet]]:
    made = subprocess.run(
        [
            ffmpeg,
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            f"sine=440:r=48000:d={seconds}",
            "-ac",
            "2",
            "-c:a",
            codec,
            "-strict",
            "-2",
            "-f",
            container,
            "pipe:1",
        ],
        check=True,
        capture_output=True,
    ).stdout
    with av.open(io.BytesIO(made)) as opened:
        stream = opened.streams.audio[0]
        packets = [packet for packet in opened.demux(stream) if packet.size]
        context = stream.codec_context
        format_ = AudioFormat(context.name, context.sample_rate, context.channels, bytes(context.extradata or b""))
    return format_, packets


def test_sound_passes_bit_exactly_and_in_time(ffmpeg: str) -> None:
    format_, packets = aac(ffmpeg, 1.0, container="flv")
    assert format_.codec == "aac"
    assert format_.extradata
    rig = Rig(EncoderSettings(ffmpeg), RawFormat(*SIZE, Fraction(25), Colour(), audio=format_))
    feed = [(round(packet.pts * packet.time_base * 1000), packet) for packet in packets]
    for ms in REGULAR:
        for at, packet in [entry for entry in feed if ms <= entry[0] < ms + 40]:
            rig.encoder.audio(bytes(packet), at)
        rig.show(ms)
    sent = [(at, bytes(packet)) for at, packet in feed if at < 1000]
    assert rig.encoder.finish()
    assert [(tag.timestamp_ms, tag.wire[13:-4]) for tag in rig.sounds] == sent
    assert rig.times() == REGULAR


@pytest.mark.parametrize("start_ms", [0, 5000])
def test_sound_that_flv_cannot_hold_becomes_aac(ffmpeg: str, start_ms: int) -> None:
    format_, packets = aac(ffmpeg, 1.0, "pcm_s16le", "wav")
    raw = RawFormat(*SIZE, Fraction(25), Colour(), audio=format_)
    rig = Rig(EncoderSettings(ffmpeg), raw, near_ms=start_ms)
    times = [start_ms + ms for ms in REGULAR]
    for ms in times:
        rig.show(ms)
        for packet in packets:
            at = start_ms + round(packet.pts * packet.time_base * 1000)
            if ms <= at < ms + 40:
                rig.encoder.audio(bytes(packet), at)
    assert rig.encoder.finish()
    with av.open(rig.flv()) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert np.abs(sound).max() > 0.05
    assert 0.8 < len(sound) / 48_000 < 1.2
    assert rig.times() == times
    assert rig.sounds[0].timestamp_ms in range(start_ms, start_ms + 2)


@pytest.mark.parametrize("start_ms", [0, 5000])
def test_sound_that_comes_late_does_not_end_the_encoder(ffmpeg: str, start_ms: int) -> None:
    """FLV refuses packets from before its first one; pictures that wait in vain for sound come before it."""
    format_, packets = aac(ffmpeg, 0.5, container="flv")
    raw = RawFormat(*SIZE, Fraction(25), Colour(), audio=format_)
    rig = Rig(EncoderSettings(ffmpeg), raw, near_ms=start_ms)
    for ms in range(0, 800, 40):
        rig.show(start_ms + ms)
    wait_until(lambda: rig.pictures, 5, "pictures without sound")
    for packet in packets:
        rig.encoder.audio(bytes(packet), start_ms + round(packet.pts * packet.time_base * 1000))
    rig.show(start_ms + 800)
    assert rig.encoder.finish()
    assert len(rig.pictures) == 21
    assert len(rig.sounds) == len(packets)


def test_pictures_do_not_wait_for_sound_that_never_comes(ffmpeg: str) -> None:
    format_, _ = aac(ffmpeg, 0.1, container="flv")
    rig = Rig(EncoderSettings(ffmpeg), RawFormat(*SIZE, Fraction(25), Colour(), audio=format_))
    for ms in range(0, 2000, 40):
        rig.show(ms)
    wait_until(lambda: len(rig.pictures) >= 40, 5, "pictures without sound")
    assert rig.encoder.finish()
    assert rig.times() == list(range(0, 2000, 40))


def test_drop_oldest_drops_counts_and_gives_back(one_ffmpeg: str) -> None:
    raw = RawFormat(640, 480, Fraction(10), Colour())
    rig = Rig(EncoderSettings(one_ffmpeg), raw, WhenFull.DROP_OLDEST, stall_s=20)
    rig.show(0)
    wait_until(lambda: rig.pictures, 5, "the first picture")
    os.kill(rig.child.pid, signal.SIGSTOP)
    for ms in range(100, 6000, 100):
        rig.show(ms)
    assert rig.encoder.queue_length <= 5
    os.kill(rig.child.pid, signal.SIGCONT)
    assert rig.encoder.finish(10)
    assert rig.drops > 0
    assert len(rig.pictures) + rig.drops == 60
    assert rig.times()[-1] == 5900
    assert rig.times() == sorted(set(rig.times()))
    assert not rig.lent


@pytest.mark.parametrize("period_ms", [100, 33, 250], ids=["as it is", "too many", "too few"])
def test_a_constant_rate_drops_and_repeats(ffmpeg: str, period_ms: int) -> None:
    rig = Rig(EncoderSettings(ffmpeg, constant=True), RawFormat(*SIZE, Fraction(10), Colour()))
    last_ms = 3000 // period_ms * period_ms
    for ms in range(0, last_ms + 1, period_ms):
        rig.show(ms)
    assert rig.encoder.finish()
    assert rig.times() == list(range(0, rig.times()[-1] + 1, 100))
    assert abs(rig.times()[-1] - last_ms) <= 200  # ffmpeg lets a picture be one period early
    assert len(rig.encoder._captured) <= 1
    assert sum(delay is not None for delay in rig.delays) >= min(len(rig.delays), last_ms // period_ms) - 2


def test_a_child_that_was_killed_is_an_error_with_its_last_words(rig: Rig) -> None:
    rig.show(0)
    wait_until(lambda: rig.pictures, 5, "the first picture")
    os.kill(rig.child.pid, signal.SIGKILL)

    def fails() -> EncoderError | None:
        try:
            rig.show(40)
        except EncoderError as exc:
            return exc
        return None

    error = wait_until(fails, 5, "the failure")
    assert not error.permanent
    assert str(error).startswith("the encoder")
    rig.encoder.kill()
    assert not rig.lent
    assert rig.child.returncode == -signal.SIGKILL


def test_last_words_are_in_the_error(ffmpeg: str) -> None:
    rig = Rig(EncoderSettings(ffmpeg, options={"x264-params": "me=dia"}, preset="no-such-preset"))

    def fails() -> EncoderError | None:
        try:
            rig.show(0)
        except EncoderError as exc:
            return exc
        return None

    error = wait_until(fails, 5, "the failure")
    assert "preset" in str(error)
    assert "\n" not in str(error)
    rig.encoder.kill()


@pytest.mark.parametrize("size", [SIZE, (640, 480)], ids=["pipe takes all", "pipe fills"])
@pytest.mark.parametrize("policy", WhenFull)
def test_a_child_that_hangs_is_killed_and_said(one_ffmpeg: str, policy: WhenFull, size: tuple[int, int]) -> None:
    rig = Rig(EncoderSettings(one_ffmpeg), RawFormat(*size, Fraction(25), Colour()), policy, stall_s=0.8)
    rig.show(0)
    wait_until(lambda: rig.pictures, 5, "the first picture")
    os.kill(rig.child.pid, signal.SIGSTOP)
    started = time.monotonic()

    def goes_on() -> None:
        for ms in range(40, 10_000, 40):
            rig.show(ms, number=1)
            threading.Event().wait(0.02)

    with pytest.raises(EncoderError, match=r"the encoder gave nothing for 0\.8 s"):
        goes_on()
    assert time.monotonic() - started < 0.8 + 1.5
    assert rig.child.poll() == -signal.SIGKILL
    assert not Path(f"/proc/{rig.child.pid}").exists()
    rig.encoder.kill()
    assert not rig.lent


def test_a_pause_of_the_source_is_not_a_stall(one_ffmpeg: str) -> None:
    rig = Rig(EncoderSettings(one_ffmpeg), stall_s=0.4)
    for round_ in range(2):
        for ms in range(0, 200, 40):
            rig.show(round_ * 10_000 + ms)
        threading.Event().wait(0.5)  # the source says nothing; what is tested is the passing of time itself
    assert rig.encoder.finish()
    assert len(rig.pictures) == 10


def test_a_consumer_that_waits_is_not_a_stall(one_ffmpeg: str) -> None:
    rig = Rig(EncoderSettings(one_ffmpeg), stall_s=1.0)
    rig.show(0)
    wait_until(lambda: rig.pictures, 5, "the first picture")
    rig.hold = threading.Event()
    opened = threading.Timer(1.6, rig.hold.set)
    opened.start()
    for ms in range(40, 2400, 40):
        rig.show(ms, number=1)
        threading.Event().wait(0.03)  # as fast as a camera, so that time passes
    assert rig.encoder.finish()
    opened.join()
    assert len(rig.pictures) == 60


def test_finish_lets_everything_out(rig: Rig) -> None:
    for ms in range(0, 400, 40):
        rig.show(ms)
    assert rig.encoder.finish()
    assert len(rig.pictures) == 10
    assert rig.child.returncode == 0
    with pytest.raises(EncoderError, match="has been closed"):
        rig.show(400)
    assert not rig.lent


def test_finish_of_a_child_that_hangs_is_bounded_and_leaves_nobody(rig: Rig) -> None:
    rig.show(0)
    wait_until(lambda: rig.pictures, 5, "the first picture")
    os.kill(rig.child.pid, signal.SIGSTOP)
    for ms in range(40, 400, 40):
        rig.show(ms)
    started = time.monotonic()
    assert not rig.encoder.finish(0.5)
    assert time.monotonic() - started < 2
    assert rig.child.returncode == -signal.SIGKILL
    assert not rig.lent


def test_a_binary_that_does_not_run_is_a_sentence() -> None:
    with pytest.raises(EncoderError, match="cannot run the encoder /nonexistent/ffmpeg: No such file"):
        Rig(EncoderSettings("/nonexistent/ffmpeg"))
    with pytest.raises(EncoderError, match="cannot run /nonexistent/ffmpeg") as caught:
        probe_encoder(EncoderSettings("/nonexistent/ffmpeg"))
    assert caught.value.permanent


def test_libx264_is_usable(ffmpeg: str) -> None:
    settings = EncoderSettings(ffmpeg, fallback="h264_vaapi")
    assert usable_settings(settings) == (settings, "")


@pytest.mark.parametrize("codec", ["h264_vaapi", "h264_qsv", "h264_nvenc", "h264_v4l2m2m"])
def test_hardware_is_used_or_refused_with_the_reason(ffmpeg: str, codec: str) -> None:
    settings = EncoderSettings(ffmpeg, codec=codec, device="/dev/dri/renderD99" if codec == "h264_vaapi" else None)
    try:
        probe_encoder(settings)
    except EncoderError as exc:
        error = exc
    else:
        assert usable_settings(settings) == (settings, "")
        return
    assert error.permanent
    assert error.message.startswith(f"encoder {codec} is unusable: ")
    assert "\n" not in str(error)
    assert "encoder.fallback" in error.hint

    second, remark = usable_settings(EncoderSettings(ffmpeg, codec=codec, device=settings.device, fallback="libx264"))
    assert second.codec == "libx264"
    assert remark.endswith("encoding with libx264 instead, as encoder.fallback says")
    assert error.message in remark
    with pytest.raises(EncoderError, match="is unusable"):
        usable_settings(settings)
