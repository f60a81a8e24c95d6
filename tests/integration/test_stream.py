"""One run of a source after the other through one stream: the real encoder and hub, no model."""

from __future__ import annotations

import io
import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest

from edgeseg.encoding.matroska import RawFormat
from edgeseg.encoding.steady import SteadyEncoder
from edgeseg.errors import EncoderError, SourceError
from edgeseg.flv import file_header
from edgeseg.frames import CanvasPool, fill
from edgeseg.queues import WhenFull
from edgeseg.reader import VideoSettings
from edgeseg.slate import SlateSettings
from edgeseg.status import StreamStatus
from edgeseg.types import AudioFormat, AudioPacket, Colour, Frame, SourceFormat, State, Tag, TagKind
from tests.fakes_source import MS, SD, FakeSource, picture, pictures
from tests.stream_parts import Rig, encoder_settings
from tests.waiting import wait_until

AAC = AudioFormat("aac", 48_000, 2, b"\x11\x90")
SILENCE = bytes.fromhex("211004608c1c")


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.stop.set()
    made.stream.finish(2)


def decoded(rig: Rig) -> int:
    header = rig.viewer.headers[-1]
    flv = file_header(has_audio=False) + b"".join(tag.wire for tag in (*header.tags, *rig.viewer.tags))
    with av.open(io.BytesIO(flv)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_every_picture_of_a_file_reaches_the_hub(rig: Rig) -> None:
    rig.stream.play(FakeSource(pictures(50)))
    rig.stream.finish()
    assert rig.viewer.times() == [40 * n for n in range(50)]
    assert decoded(rig) == 50
    frames = rig.status.frames
    for key in [("source", "read"), ("infer", "ok"), ("composite", "ok"), ("encode", "in"), ("encode", "out")]:
        assert frames[key] == 50
    assert (rig.status.width, rig.status.height) == (64, 48)
    assert sum(rig.status.latency.counts) == 50
    assert rig.status.encoded_bytes >= sum(len(tag.wire) for tag in rig.viewer.tags)


def test_the_source_is_closed_whatever_happens(rig: Rig) -> None:
    for items, error in [([*pictures(2)], None), ([*pictures(2), SourceError("gone")], SourceError), ([], SourceError)]:
        source = FakeSource(items)
        if error is None:
            rig.stream.play(source)
        else:
            with pytest.raises(error):
                rig.stream.play(source)
        assert source.closed == 1


def test_after_a_failure_time_goes_on_and_the_encoder_stays(rig: Rig) -> None:
    with pytest.raises(SourceError, match="cable"):
        rig.stream.play(FakeSource([*pictures(10), SourceError("the cable")]))
    wait_until(lambda: len(rig.viewer.times()) == 10, 5, "ten pictures")
    rig.stream.play(FakeSource(pictures(10, first=100)))
    rig.stream.finish()
    times = rig.viewer.times()
    assert len(times) == 20
    assert times == sorted(set(times))
    assert [b - a for a, b in itertools.pairwise(times[10:])] == [40] * 9
    assert rig.status.encoder_starts == 1
    assert [header.epoch for header in rig.viewer.headers] == [1]
    assert decoded(rig) == 20


def test_the_last_pictures_of_a_failed_source_do_not_make_it_run(rig: Rig) -> None:
    """They leave the encoder after the supervisor has said what is wrong."""
    with pytest.raises(SourceError):
        rig.stream.play(FakeSource([*pictures(30), SourceError("gone")]))
    rig.status.state, rig.status.reason = State.BACKING_OFF, "gone"
    rig.stream.finish()
    assert len(rig.viewer.times()) == 30
    assert (rig.status.state, rig.status.reason) == (State.BACKING_OFF, "gone")


def test_another_size_starts_another_encoder_in_the_same_time(rig: Rig) -> None:
    rig.stream.play(FakeSource(pictures(5)))
    rig.stream.play(FakeSource(pictures(5, (96, 64))))
    rig.stream.finish()
    times = rig.viewer.times()
    assert len(times) == 10
    assert times == sorted(set(times))
    assert rig.status.encoder_starts == 2
    assert [header.epoch for header in rig.viewer.headers] == [1, 2]
    assert (rig.status.width, rig.status.height) == (96, 64)


def test_a_set_size_keeps_the_encoder_through_another_source() -> None:
    rig = Rig(VideoSettings(size=(80, 60), realtime=False, fps=Fraction(25)))
    rig.stream.play(FakeSource(pictures(5)))
    rig.stream.play(FakeSource(pictures(5, (96, 64))))
    rig.stream.finish()
    assert rig.status.encoder_starts == 1
    assert decoded(rig) == 10


class Absent(FakeSource):
    """A camera that cannot be opened; ``before`` is called first."""

    def __init__(self, before: Callable[[], object]) -> None:
        super().__init__([])
        self._before = before

    def open(self) -> SourceFormat:
        self._before()
        raise SourceError("not there")


class Slow(FakeSource):
    """A camera that gives each picture when the one before has been handed over."""

    def __init__(self, status: StreamStatus, items: list, *, live: bool) -> None:
        super().__init__(items, live=live)
        self._status, self._given = status, 0

    def read(self) -> Frame | AudioPacket | None:
        wait_until(lambda: self._status.frames.get(("encode", "in"), 0) >= self._given, 10, "the picture before")
        self._given += 1
        return super().read()


@pytest.mark.parametrize("size", [(80, 60), None])
def test_the_slate_comes_before_the_first_picture_where_the_size_is_known(size: tuple[int, int] | None) -> None:
    video = VideoSettings(size=size, realtime=False, fps=Fraction(25))
    rig = Rig(video, slate=SlateSettings(after_s=0.1, fps=20, before_first=True))

    def slates() -> bool:
        return len(rig.viewer.times()) >= 2

    with pytest.raises(SourceError, match="not there"):
        rig.stream.play(Absent(lambda: wait_until(slates, 10, "two slates") if size else None))
    assert rig.status.state is not State.RUNNING
    assert slates() == (size is not None)
    # One after the other: a slate may overtake the first one, which is left out then; but it ends the slates.
    rig.stream.play(Slow(rig.status, [picture(number, (96, 64), colour=Colour()) for number in range(5)], live=True))
    rig.stream.finish()
    times = rig.viewer.times()
    assert times == sorted(set(times))
    assert 1 <= rig.status.frames[("encode", "out")] <= 5
    assert rig.status.encoder_starts == 1
    assert decoded(rig) == len(times)


def test_a_live_source_that_comes_in_bursts_loses_nothing_and_has_a_slate() -> None:
    """As HLS does: its pictures wait, but when the camera is gone they do not come."""
    rig = Rig(VideoSettings(realtime=False), slate=SlateSettings(after_s=0.1, fps=20))

    def camera() -> FakeSource:
        return FakeSource([*pictures(40), SourceError("gone")], live=True, in_bursts=True)

    for run in (1, 2):
        with pytest.raises(SourceError, match="gone"):
            rig.stream.play(camera())
        assert rig.status.frames[("encode", "in")] == run * 40
        slates = rig.status.frames.get(("slate", "out"), 0)
        wait_until(lambda before=slates: rig.status.frames.get(("slate", "out"), 0) > before, 10, "a slate")  # type: ignore[misc]
    rig.stream.finish()
    assert rig.status.frames[("encode", "out")] == 80
    assert rig.status.encoder_starts == 1
    assert rig.viewer.times() == sorted(set(rig.viewer.times()))


def test_no_slate_comes_into_the_encoder_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be started anew for the slate, and then drop what a file waits with."""
    video = VideoSettings(size=(80, 60), realtime=False, fps=Fraction(25))
    rig = Rig(video, slate=SlateSettings(after_s=0.05, fps=20, before_first=True))
    begin = rig.stream._encoder_for

    def begins_late(raw: RawFormat, when_full: WhenFull) -> CanvasPool:
        if when_full is WhenFull.WAIT:
            pool = begin(raw, when_full)
            assert rig.stream._idle is not None
            thread = rig.stream._idle._thread
            assert thread is None or not thread.is_alive()
            return pool
        return begin(raw, when_full)

    monkeypatch.setattr(rig.stream, "_encoder_for", begins_late)
    with pytest.raises(SourceError, match="not there"):
        rig.stream.play(Absent(lambda: wait_until(lambda: len(rig.viewer.times()) >= 1, 10, "a slate")))
    rig.stream.play(FakeSource(pictures(5)))
    rig.stream.finish()
    assert rig.status.frames[("encode", "out")] == 5


def sound(count: int) -> list[AudioPacket]:
    return [AudioPacket(SILENCE, n * 21, MS) for n in range(count)]


def mixed(count: int) -> list:
    return sorted([*pictures(count), *sound(count * 2)], key=lambda item: item.pts)


def test_sound_goes_along(rig: Rig) -> None:
    rig.stream.play(FakeSource(mixed(20), audio=AAC))
    rig.stream.finish()
    assert rig.viewer.headers[-1].has_audio
    assert rig.viewer.times(TagKind.AUDIO) == [21 * n for n in range(40)]
    assert rig.viewer.times() == [40 * n for n in range(20)]


def test_sound_that_cannot_be_carried_is_left_out_and_said(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.stream.play(FakeSource(mixed(5), audio=AudioFormat("adpcm_g726", 8000, 1)))
    rig.stream.finish()
    assert "the sound is left out: adpcm_g726" in caplog.text
    assert rig.viewer.times() == [40 * n for n in range(5)]
    assert not rig.viewer.headers[-1].has_audio


class KillsTheEncoder(FakeSource):
    """A source during which the encoder is killed, after ``after`` items."""

    def __init__(self, rig: Rig, items: list, after: int, **options: object) -> None:
        super().__init__(items, **options)  # type: ignore[arg-type]
        self._rig, self._left = rig, after

    def read(self):
        self._left -= 1
        if self._left == 0:
            encoder = self._rig.stream._encoder
            wait_until(lambda: encoder._gave, 10, "the encoder to work")
            child = encoder._current._child
            os.kill(child.pid, signal.SIGKILL)
            child.wait(5)
        return super().read()


@pytest.mark.parametrize("audio", [None, AAC], ids=["silent", "with sound"])
def test_an_encoder_that_died_is_replaced_at_once_and_then_at_the_next_run(rig: Rig, audio: AudioFormat | None) -> None:
    """With sound, the source's thread may be the one that meets the failure first."""
    items = mixed(200) if audio else pictures(200)
    rig.stream.play(KillsTheEncoder(rig, items, 60, audio=audio))
    assert rig.status.encoder_starts == 2
    wait_until(lambda: rig.viewer.times()[-1] == 199 * 40, 10, "the last picture, from the second encoder")
    with pytest.raises(EncoderError, match="the encoder"):
        rig.stream.play(KillsTheEncoder(rig, items, 60, audio=audio))
    before = len(rig.viewer.times())
    rig.stream.play(FakeSource(mixed(10) if audio else pictures(10), audio=audio))
    rig.stream.finish()
    times = rig.viewer.times()
    assert len(times) == before + 10
    assert times == sorted(set(times))
    assert rig.status.encoder_starts == 3


def test_the_stop_event_ends_a_paced_file_at_once() -> None:
    rig = Rig(VideoSettings(realtime=True))
    playing = threading.Thread(target=rig.stream.play, args=(FakeSource(pictures(5000)),))
    playing.start()
    wait_until(lambda: len(rig.viewer.times()) > 3, 5, "a few pictures")
    started = time.monotonic()
    rig.stop.set()
    playing.join(5)
    rig.stream.finish(2)
    assert time.monotonic() - started < 2
    assert not playing.is_alive()
    assert len(rig.viewer.times()) < 100


def test_a_live_source_that_is_too_fast_loses_pictures_not_order(rig: Rig) -> None:
    rig.stream.play(FakeSource(pictures(300), live=True))
    rig.stream.finish()
    times = rig.viewer.times()
    frames = rig.status.frames
    assert times == sorted(set(times))
    lost = frames.get(("queue", "dropped"), 0) + frames.get(("encode", "dropped"), 0)
    assert len(times) + lost == 300
    assert frames[("encode", "out")] == len(times)


def test_the_rate_shown_is_the_rate(rig: Rig) -> None:
    items = [picture(n, pts=100 * n) for n in range(100)]
    rig.stream.play(FakeSource(items))
    rig.stream.finish()
    assert rig.status.fps == pytest.approx(10, abs=0.5)


def test_nothing_is_left_behind(rig: Rig) -> None:
    before = threading.active_count()
    rig.stream.play(FakeSource(pictures(3)))
    child = rig.stream._encoder._current._child
    rig.stream.finish()
    assert child.poll() == 0
    wait_until(lambda: threading.active_count() <= before, 5, "the end of the threads")
    assert isinstance(rig.status, StreamStatus)


def test_a_slate_that_cannot_be_encoded_is_tried_ever_more_rarely(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "ffmpeg"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    slate = SlateSettings(after_s=0.1, fps=50, before_first=True)
    rig = Rig(VideoSettings(size=(80, 60)), slate=slate, ffmpeg=str(broken))
    began = time.monotonic()
    with pytest.raises(SourceError, match="not there"):
        rig.stream.play(Absent(lambda: wait_until(lambda: rig.status.encoder_starts >= 3, 10, "three starts")))
    assert time.monotonic() - began >= 2.4  # 1 and 2 s, each a fifth shorter at most
    rig.stop.set()
    rig.stream.finish()
    told = [record.message for record in caplog.records if "cannot be shown" in record.message]
    assert 1 <= len(told) <= 3, told  # whether it has ended or died depends on who notices first


def test_the_worker_keeps_its_canvases_when_the_slate_starts_the_encoder_again() -> None:
    """Else it would take from a pool that gets nothing back, and make one for each picture."""
    rig = Rig(VideoSettings(realtime=False), slate=SlateSettings(after_s=0.1, fps=50))
    hold = threading.Event()
    source = FakeSource(pictures(2), live=True, hold=hold)
    playing = threading.Thread(target=rig.stream.play, args=(source,))
    playing.start()
    pools = set()
    for death in range(3):  # one is made good at once; then the slate has to start another
        seen = len(rig.viewer.times())
        wait_until(lambda n=seen: len(rig.viewer.times()) > n + 2, 10, "slates")
        pools.add(id(rig.stream._pool))
        starts = rig.status.encoder_starts
        os.kill(rig.stream._encoder._current._child.pid, signal.SIGKILL)
        wait_until(lambda n=starts: rig.status.encoder_starts > n, 10, f"another encoder after death {death}")
    pools.add(id(rig.stream._pool))
    hold.set()
    playing.join(10)
    rig.stream.finish()
    assert len(pools) == 1


def test_nothing_is_said_after_an_encoder_was_finished() -> None:
    """Also where a tag is held by somebody who is slow: the next encoder's do not overlap with it."""
    pool = CanvasPool(64, 48, SD)
    go_on, speaking, inside = threading.Event(), threading.Lock(), []
    said: list[str] = []

    def on_tag(who: str, tag: Tag) -> None:
        inside.append(who)
        assert inside == [who], "two at once"
        if tag.kind is TagKind.VIDEO and not tag.config:
            said.append(who)
            if len(said) == 1:
                go_on.wait(20)
        inside.pop()

    def encoder(who: str) -> SteadyEncoder:
        made = SteadyEncoder(
            encoder_settings(),
            RawFormat(64, 48, Fraction(25), SD),
            when_full=WhenFull.WAIT,
            on_tag=lambda tag, _: on_tag(who, tag),
            recycle=pool.give,
            speaking=speaking,
        )
        for n in range(5):
            canvas = pool.take()
            fill(canvas.frame, (128, 128, 128))
            made.video(canvas, n * 40)
        return made

    first = encoder("first")
    wait_until(lambda: said == ["first"], 10, "its first picture")
    first.finish(0.1)
    second = encoder("second")
    go_on.set()
    wait_until(lambda: said.count("second") >= 1, 10, "the other's first picture")
    assert second.finish(10)
    assert said == ["first", *["second"] * 5]
