"""One run of a stream's source: from its first picture to its end or its failure."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from fractions import Fraction

from edgeseg.backoff import STABLE_S, Backoff, Budget
from edgeseg.encoding.command import EncoderSettings, copies_audio
from edgeseg.encoding.hub import Hub
from edgeseg.encoding.matroska import RawFormat, can_carry
from edgeseg.encoding.silence import Silence
from edgeseg.encoding.steady import SteadyEncoder
from edgeseg.errors import EncoderError
from edgeseg.frames import Canvas, CanvasPool
from edgeseg.governor import GovernorSettings
from edgeseg.idle import Idle
from edgeseg.outlet import Outlet
from edgeseg.pipeline import Pipeline, Stages, TimedFrame
from edgeseg.placement import Placement
from edgeseg.queues import Closed, FrameQueue, WhenFull
from edgeseg.reader import Reader, VideoSettings
from edgeseg.slate import Slate, SlateSettings
from edgeseg.status import LatestFrame, StreamStatus
from edgeseg.throttle import Throttle
from edgeseg.timeline import Timeline
from edgeseg.types import Colour, Frame, Source, SourceFormat, State, Tag, TagKind

_log = logging.getLogger(__name__)

_DEFAULT_FPS = Fraction(25)
# A player has seen enough to begin after so long.
_NEWCOMER_S = 6.0


class Stream:
    """Everything of a stream that outlives its source: the time axis, the encoder, the hub.

    ``play`` runs a source to its end and may be called again after it failed; viewers and recordings go on. All calls
    come from the supervisor's thread.
    """

    def __init__(
        self,
        status: StreamStatus,
        stages: Stages,
        video: VideoSettings,
        encoder: EncoderSettings,
        hub: Hub,
        latest: LatestFrame,
        stop: threading.Event,
        slate: SlateSettings | None = None,
        governor: GovernorSettings | None = None,
    ) -> None:
        self._status = status
        self._stages = stages
        self._video = video
        self._settings = encoder
        self._hub = hub
        self._latest = latest
        self._stop = stop
        self._timeline = Timeline()
        self._encoder: SteadyEncoder | None = None
        self._restarts = Budget()
        self._speaking = threading.Lock()
        self._silence: Silence | None = None
        self._pool: CanvasPool | None = None
        self._raw: RawFormat | None = None
        self._when_full = WhenFull.DROP_OLDEST
        self._encoder_lock = threading.RLock()  # the supervisor's thread and the slate's
        self._outlet = Outlet(self._recycle, lambda: status.count("encode", "dropped"))
        self._slate_backoff = Backoff()
        self._slate_since = self._slate_again_at = 0.0
        self._slate_told = ""
        self._last_ms = 0
        self._playing = False
        self._throttle = Throttle(governor, status) if governor else None
        self._idle = Idle(slate, self._outlet, self._show_slate, status.name, self._has_newcomers) if slate else None
        self._slate_first = slate is not None and slate.before_first and video.size is not None

    def expect(self) -> None:
        """A source is to come: the slate may be shown before its first picture, as far as the configuration tells its
        format. ``play`` does this too; it may be done ahead of it by another thread, but not beside it.
        """
        if self._slate_first and self._raw is None:
            assert self._video.size is not None
            assert self._idle is not None
            width, height = self._video.size
            self._raw = RawFormat(width, height, self._video.fps or _DEFAULT_FPS, Colour())
            self._idle.start()

    def play(self, source: Source, opened: SourceFormat | None = None) -> None:
        """Play ``source`` until it ends or the stop event is set, then close it. While it is away, a slate is shown.

        Args:
            source: opened here, unless it has been.
            opened: what ``source.open`` has given.

        Raises:
            StreamError: the source, the encoder or the model cannot go on.
        """
        self.expect()
        try:
            source_format = opened or source.open()
            self._status.source_starts += 1
            if not self._stop.is_set():
                self._playing = True
                self._play(source, source_format)
        finally:
            self._playing = False
            source.close()

    def finish(self, timeout_s: float = 2.0) -> None:
        """Let the last pictures out and end the encoder."""
        if self._idle is not None:
            self._idle.stop()
        self._finish_encoder(timeout_s)

    def _finish_encoder(self, timeout_s: float = 2.0) -> None:
        with self._encoder_lock:
            if self._encoder is not None:
                if not self._encoder.finish(timeout_s):
                    _log.warning(
                        "%s: the encoder did not end well; its last pictures may be missing", self._status.name
                    )
                self._encoder = None

    def _play(self, source: Source, source_format: SourceFormat) -> None:
        placement = Placement(source_format, self._video.size, self._video.fit)
        when_full = WhenFull.WAIT if source_format.waits else WhenFull.DROP_OLDEST
        audio = self._audio_of(source_format)
        fps = self._video.fps or source_format.fps or _DEFAULT_FPS
        raw = RawFormat(
            placement.width,
            placement.height,
            fps,
            source_format.colour,
            placement.sample_aspect_ratio,
            audio.audio,
        )
        if self._idle is not None and not source_format.live:
            self._idle.stop()  # before there is an encoder for it: none shall be started again for a slate
        pool = self._encoder_for(raw, when_full)
        if self._idle is not None and source_format.live:
            self._idle.start()
        self._stages.start_anew()
        self._timeline.restart(live=source_format.live)
        throttle = None if source_format.waits else self._throttle  # what waits is late, not too fast
        if throttle is not None:
            throttle.start_anew()
        problems: list[BaseException] = []
        frames: FrameQueue[TimedFrame] = FrameQueue(
            1, when_full, dropped=lambda _: self._status.count("queue", "dropped")
        )

        def failed(exc: BaseException) -> None:
            problems.append(exc)
            frames.close()

        pipeline = Pipeline(
            self._stages, frames, placement, self._outlet, pool, self._status, self._latest, failed, throttle
        )
        pipeline.start()
        try:
            reader = Reader(source, self._timeline, self._video, source_format.waits, self._stop, self._status)
            for item, timestamp_ms in reader:
                self._status.queues["source"] = len(frames)
                self._status.queues["encoder"] = waiting = self._outlet.waiting
                if isinstance(item, Frame):
                    if throttle is not None and not throttle.admit(waiting > 0):
                        continue
                    while not frames.put((item, timestamp_ms), timeout_s=0.5):
                        if self._stop.is_set():
                            break
                elif audio.audio is not None:
                    self._outlet.audio(item.payload, timestamp_ms)
        except Closed:
            pass  # the worker has failed: `problems` says how
        except EncoderError as exc:
            problems.append(exc)  # it refused the sound; the worker will meet the same
        finally:
            if self._stop.is_set():
                frames.clear()
            frames.close()
            if not pipeline.join(None if not self._stop.is_set() else 2.0):
                _log.error("%s: the worker did not stop in time; this is our bug", self._status.name)
        if problems:
            self._drop_encoder()
            raise problems[0]

    def _audio_of(self, source_format: SourceFormat) -> SourceFormat:
        """The format with its sound, or without when it cannot be carried; says so."""
        audio = source_format.audio
        if audio is None:
            return source_format
        if self._settings.audio == "none":
            return replace(source_format, audio=None)
        if not can_carry(audio.codec):
            _log.warning("%s: the sound is left out: %s cannot be carried", self._status.name, audio.codec)
            return replace(source_format, audio=None)
        if not copies_audio(audio):
            _log.info("%s: the sound is converted from %s to aac, which players take", self._status.name, audio.codec)
        return source_format

    def _encoder_for(self, raw: RawFormat, when_full: WhenFull) -> CanvasPool:
        """Connect the outlet to an encoder for such pictures: the running one, or else a new one that goes on where it
        ended. Gives where to take the pictures from.
        """
        with self._encoder_lock:
            pool, running = self._pool, self._encoder
            if running is not None and pool is not None and (running.raw, running.when_full) == (raw, when_full):
                return pool
            self._finish_encoder()
            self._when_full = when_full
            if pool is None or (pool.width, pool.height, pool.colour) != (raw.width, raw.height, raw.colour):
                # Else the worker keeps the one that it has: what it takes from there has to come back there.
                self._pool = pool = CanvasPool(raw.width, raw.height, raw.colour)
            silent = raw.audio is None and self._settings.audio == "silence"
            self._silence = (self._silence or Silence()) if silent else None
            self._hub.expects_audio = silent or raw.audio is not None
            self._status.width, self._status.height, self._status.fps = raw.width, raw.height, float(raw.fps)
            self._encoder = SteadyEncoder(
                self._settings,
                raw,
                when_full=when_full,
                on_tag=self._on_tag,
                recycle=pool.give,
                on_drop=lambda: self._status.count("encode", "dropped"),
                on_start=self._encoder_starts,
                budget=self._restarts,
                speaking=self._speaking,
                name=f"{self._status.name}:encoder",
                near_ms=self._last_ms,
            )
            self._raw = raw
            self._outlet.connect(self._encoder)
            return pool

    def _encoder_starts(self) -> None:
        self._status.encoder_starts += 1

    def _recycle(self, canvas: Canvas) -> None:
        if self._pool is not None:
            self._pool.give(canvas)

    def _show_slate(self, slate: Slate, quiet_s: float) -> None:
        """One slate into the encoder, which is started again if it died meanwhile, with growing waits."""
        with self._encoder_lock:
            now = time.monotonic()
            if self._raw is None or self._stop.is_set() or (self._encoder is None and now < self._slate_again_at):
                return
            if self._encoder is None:
                self._slate_since = now
            try:
                pool = self._encoder_for(self._raw, self._when_full)
                canvas = pool.take()
                slate.draw(canvas)
                self._latest.offer(canvas.frame)
                self._outlet.slate(canvas, self._timeline.idle(now), quiet_s)
            except EncoderError as exc:
                self._slate_again_at = now + self._slate_backoff.next_s(now - self._slate_since)
                if str(exc) != self._slate_told:
                    _log.error("%s: the slate cannot be shown: %s; trying again", self._status.name, exc)
                    self._slate_told = str(exc)
                self._drop_encoder()
            else:
                if now - self._slate_since >= STABLE_S:
                    self._slate_told = ""  # the next time is news

    def _has_newcomers(self) -> bool:
        return time.monotonic() - self._hub.joined_at < _NEWCOMER_S

    def _drop_encoder(self) -> None:
        with self._encoder_lock:
            if self._encoder is not None:
                self._encoder.kill()
                self._encoder = None

    def _on_tag(self, tag: Tag, delay_s: float | None) -> None:
        status = self._status
        status.encoded_bytes += len(tag.wire)
        if tag.kind is TagKind.VIDEO and not tag.config and self._outlet.was_slate(tag.timestamp_ms):
            # Not a sign of life of the camera: neither the state nor the age of the last picture know of it.
            status.count("slate", "out")
            self._last_ms = tag.timestamp_ms
        elif tag.kind is TagKind.VIDEO and not tag.config:
            status.count("encode", "out")
            now = time.monotonic()
            if status.state is not State.BACKING_OFF:  # else a pause ends here, which says nothing of the rate
                status.paced(tag.timestamp_ms - self._last_ms)
            # The encoder's last pictures come out after the source has failed: they do not make it run.
            if self._playing and status.state is not State.RUNNING:
                if status.state is State.BACKING_OFF:
                    _log.info("%s: running again", status.name)
                status.state, status.reason = State.RUNNING, ""
            self._last_ms = tag.timestamp_ms
            status.last_output_at = now
            if delay_s is not None:
                status.latency.observe(delay_s)
        for each in (tag,) if self._silence is None else self._silence.with_silence(tag):
            self._hub.tag(each)
