"""The encoder's command line, for libx264 and for the hardware encoders, and the proof that one works."""

from __future__ import annotations

import math
import subprocess
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Literal

import ffmpeg

from edgeseg.encoding.matroska import VIDEO_TRACK, RawFormat, block_head, header
from edgeseg.encoding.profiles import codec_options
from edgeseg.errors import EncoderError
from edgeseg.ffmpeg import clean_line
from edgeseg.types import AudioFormat, Colour

# What FLV can hold as it is; everything else is converted to AAC.
_FLV_AUDIO = {"aac"}
_FLV_MP3_RATES = {11025, 22050, 44100}


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """How to encode. ``None`` means: decide from the picture (bit rate, threads) or by the profile (preset).

    ``bitrate`` is in bits per second, ``keyframe_s`` the longest time between two keyframes. ``fallback`` names the
    codec to use when ``codec`` is unusable; None means: fail. ``constant`` turns the source's timestamps into a
    constant rate, ``RawFormat.fps``. ``audio``: the source's sound as it is, none, or silence where it has none.
    """

    ffmpeg: str
    codec: str = "libx264"
    fallback: str | None = None
    profile: str = "balanced"
    preset: str | None = None
    bitrate: int | None = None
    keyframe_s: float = 2.0
    threads: int | None = None
    device: str | None = None
    constant: bool = False
    audio: Literal["auto", "none", "silence"] = "auto"
    options: dict[str, str] = field(default_factory=dict)


def auto_bitrate(width: int, height: int, fps: Fraction) -> int:
    """Bits per second for a camera picture: 3 Mbit/s at 720p30, by the pixels and the root of the rate.

    A lower rate saves less than its share, because the pictures then differ more from one another.
    """
    share = (width * height) / (1280 * 720) * math.sqrt(fps / 30)
    return max(200_000, round(3_000_000 * share))


def encode_command(settings: EncoderSettings, raw: RawFormat) -> list[str]:
    """Matroska (raw I420 and sound) on stdin to FLV on stdout, timestamps kept in milliseconds."""
    bitrate = settings.bitrate or auto_bitrate(raw.width, raw.height, raw.fps)
    rate = raw.fps if settings.constant else None
    options: dict[str, Any] = {
        "format": "flv",
        "fps_mode": "cfr" if rate else "passthrough",
        **({"r": str(rate)} if rate else {"enc_time_base": "1/1000"}),
        "vcodec": settings.codec,
        **_video_options(settings, raw, bitrate),
        # Counted from the last one, not from the start, or a pause of the source would be made up for with keyframes.
        # Half a millisecond is forgiven, because times are rounded to one.
        "force_key_frames": f"expr:if(isnan(prev_forced_t),1,gte(t,prev_forced_t+{settings.keyframe_s - 0.0005:g}))",
        # The upper bound for encoders that ignore forced keyframes; never the one that acts on the others.
        "g": max(2, round(2 * settings.keyframe_s * float(raw.fps))),
        "flags": "+global_header",
        "flvflags": "no_duration_filesize",
        "flush_packets": 1,
        # Video waits at most this long (µs) for sound that does not come.
        "max_interleave_delta": 200_000,
        **settings.options,
    }
    if raw.audio:
        options["acodec"] = "copy"
        if not copies_audio(raw.audio):
            # An AAC encoder begins with a packet of silence before the first sound. At time 0 it would move all
            # pictures by its 21 ms, later FLV refuses what lies before its first packet.
            options |= {"acodec": "aac", "bsf:a": "noise=drop=not(n)"}
    source = ffmpeg.input("pipe:0", format="matroska", probesize=32, analyzeduration=0)
    parts = [source["v:0"], source["a:0"]] if raw.audio else [source["v:0"]]
    stream = ffmpeg.output(*parts, "pipe:1", **options)
    everywhere = ["-hide_banner", "-loglevel", "warning", "-copyts"]
    if settings.codec == "h264_vaapi":
        everywhere += ["-vaapi_device", settings.device or "/dev/dri/renderD128"]
    elif settings.device and settings.codec == "h264_qsv":
        everywhere += ["-qsv_device", settings.device]
    return list(ffmpeg.compile(stream.global_args(*everywhere), cmd=settings.ffmpeg))


def copies_audio(audio: AudioFormat) -> bool:
    """Whether the sound goes through untouched (AAC, MP3 at FLV's rates) or has to become AAC."""
    return audio.codec in _FLV_AUDIO or (audio.codec == "mp3" and audio.sample_rate in _FLV_MP3_RATES)


def usable_settings(settings: EncoderSettings) -> tuple[EncoderSettings, str]:
    """The settings that work here, and a sentence when they are not the ones that were asked for.

    Raises:
        EncoderError: the codec is unusable and the configuration names no fallback, or that is unusable too.
    """
    try:
        probe_encoder(settings)
    except EncoderError as exc:
        if settings.fallback is None or settings.fallback == settings.codec:
            raise
        # Preset, device and options were meant for the other one.
        second = replace(settings, codec=settings.fallback, fallback=None, preset=None, device=None, options={})
        probe_encoder(second)
        return second, f"{exc.message}; encoding with {settings.fallback} instead, as encoder.fallback says"
    return settings, ""


def probe_encoder(settings: EncoderSettings, timeout_s: float = 15.0) -> None:
    """Encode two small grey frames: "listed" does not mean usable.

    Raises:
        EncoderError: ffmpeg cannot be run, or the codec gives no picture. Permanent: a device does not appear by
        waiting.
    """
    raw = RawFormat(320, 240, Fraction(30), Colour())
    size = raw.width * raw.height * 3 // 2
    material = header(raw) + b"".join(block_head(VIDEO_TRACK, n * 33, size) + b"\x80" * size for n in range(2))
    try:
        done = subprocess.run(
            encode_command(settings, raw),
            input=material,
            capture_output=True,
            timeout=timeout_s,
            check=False,
            start_new_session=True,
        )
    except OSError as exc:
        raise EncoderError(f"cannot run {settings.ffmpeg}: {exc.strerror}", permanent=True) from exc
    except subprocess.TimeoutExpired as exc:
        raise EncoderError(
            f"encoder {settings.codec} gave no picture within {timeout_s:g} s", hint=_hint(settings), permanent=True
        ) from exc
    if done.returncode != 0 or len(done.stdout) < 100:
        lines = [line for raw_line in done.stderr.splitlines() if (line := clean_line(raw_line))]
        why = lines[0] if lines else f"exit code {done.returncode}"
        raise EncoderError(f"encoder {settings.codec} is unusable: {why}", hint=_hint(settings), permanent=True)


def _hint(settings: EncoderSettings) -> str:
    if settings.codec == "libx264":
        return "use an ffmpeg that was built with libx264: apt install ffmpeg"
    return "check the driver and the rights on the device, or set encoder.fallback: libx264"


def _video_options(settings: EncoderSettings, raw: RawFormat, bitrate: int) -> dict[str, Any]:
    options = codec_options(settings.codec, settings.profile, settings.preset)
    options |= {"b:v": bitrate, "maxrate": bitrate, "bufsize": bitrate}
    if settings.codec == "libx264":
        # One thread is the cheapest per frame; beyond 720p30 it cannot keep up on a small box.
        busy = raw.width * raw.height * float(raw.fps) > 1280 * 720 * 31
        options["threads"] = settings.threads or (2 if busy else 1)
    if "vf" not in options:
        options["pix_fmt"] = "yuv420p"
    return options
