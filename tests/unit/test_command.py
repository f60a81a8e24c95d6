"""The encoder's command line: what is asked for is in it, and nothing that was found to hurt."""

from __future__ import annotations

from fractions import Fraction

import pytest

from edgeseg.encoding.command import EncoderSettings, auto_bitrate, copies_audio, encode_command
from edgeseg.encoding.matroska import RawFormat
from edgeseg.encoding.profiles import CODECS, PROFILES
from edgeseg.types import AudioFormat, Colour

RAW = RawFormat(1280, 720, Fraction(30), Colour())
AAC = AudioFormat("aac", 48_000, 2, b"\x11\x90")


def options(settings: EncoderSettings, raw: RawFormat = RAW) -> dict[str, str]:
    """The command as option → value; flags without a value map to the word after them."""
    words = encode_command(settings, raw)
    return {word: words[n + 1] for n, word in enumerate(words[:-1]) if word.startswith("-")}


def test_reads_stdin_writes_flv_to_stdout() -> None:
    words = encode_command(EncoderSettings("/opt/ffmpeg"), RAW)
    assert words[0] == "/opt/ffmpeg"
    assert words[words.index("-i") + 1] == "pipe:0"
    assert "pipe:1" in words
    assert "-copyts" in words
    got = options(EncoderSettings("ffmpeg"))
    assert got["-fps_mode"] == "passthrough"
    assert got["-enc_time_base"] == "1/1000"


@pytest.mark.parametrize("codec", CODECS)
def test_the_input_loses_no_frame(codec: str) -> None:
    """``-fflags nobuffer`` throws away the packets that were read while probing: the first frame."""
    words = encode_command(EncoderSettings("ffmpeg", codec=codec), RAW)
    assert "nobuffer" not in " ".join(words)
    assert words.count(codec) == 1


def test_the_measured_default() -> None:
    got = options(EncoderSettings("ffmpeg"))
    assert (got["-vcodec"], got["-preset"], got["-tune"]) == ("libx264", "superfast", "zerolatency")
    assert "me=dia" in got["-x264-params"]
    assert got["-threads"] == "1"
    assert got["-b:v"] == got["-maxrate"] == str(auto_bitrate(1280, 720, Fraction(30)))
    assert options(EncoderSettings("ffmpeg"), RawFormat(1920, 1080, Fraction(30), Colour()))["-threads"] == "2"


@pytest.mark.parametrize(
    ("codec", "option", "chosen"),
    [
        ("libx264", "-preset", ["veryfast", "superfast", "ultrafast"]),
        ("h264_qsv", "-preset", ["medium", "veryfast", "veryfast"]),
        ("h264_nvenc", "-preset", ["p5", "p2", "p1"]),
        ("h264_vaapi", "-compression_level", ["1", None, "7"]),
        ("h264_v4l2m2m", "-preset", [None, None, None]),
    ],
)
def test_a_profile_is_a_name_for_options_of_the_codec(codec: str, option: str, chosen: list[str | None]) -> None:
    settings = [EncoderSettings("ffmpeg", codec=codec, profile=profile) for profile in PROFILES]
    assert [options(each).get(option) for each in settings] == chosen


@pytest.mark.parametrize("profile", PROFILES)
def test_a_preset_takes_the_place_of_the_profile(profile: str) -> None:
    got = options(EncoderSettings("ffmpeg", profile=profile, preset="fast"))
    assert (got["-preset"], got["-x264-params"]) == ("fast", "scenecut=0")
    assert options(EncoderSettings("ffmpeg", codec="h264_nvenc", profile=profile, preset="p7"))["-preset"] == "p7"


@pytest.mark.parametrize("profile", PROFILES)
def test_x264_puts_no_keyframe_but_ours(profile: str) -> None:
    assert "scenecut=0" in options(EncoderSettings("ffmpeg", profile=profile))["-x264-params"].split(":")


def test_what_is_set_is_used() -> None:
    got = options(
        EncoderSettings(
            "ffmpeg", preset="medium", bitrate=123_456, threads=3, options={"profile:v": "baseline", "g": "7"}
        )
    )
    assert (got["-preset"], got["-b:v"], got["-threads"]) == ("medium", "123456", "3")
    assert (got["-profile:v"], got["-g"]) == ("baseline", "7")


@pytest.mark.parametrize("fps", [Fraction(30_000, 1001), Fraction(25), Fraction(15, 2)])
def test_a_constant_rate_is_exact(fps: Fraction) -> None:
    got = options(EncoderSettings("ffmpeg", constant=True), RawFormat(64, 48, fps, Colour()))
    assert got["-fps_mode"] == "cfr"
    assert Fraction(got["-r"]) == fps
    assert "-enc_time_base" not in got


def test_devices_go_where_each_encoder_looks_for_them() -> None:
    assert options(EncoderSettings("ffmpeg", codec="h264_vaapi"))["-vaapi_device"] == "/dev/dri/renderD128"
    chosen = EncoderSettings("ffmpeg", codec="h264_vaapi", device="/dev/dri/renderD129")
    assert options(chosen)["-vaapi_device"] == "/dev/dri/renderD129"
    assert options(EncoderSettings("ffmpeg", codec="h264_qsv", device="hw1"))["-qsv_device"] == "hw1"
    assert "-qsv_device" not in options(EncoderSettings("ffmpeg", codec="h264_qsv"))


@pytest.mark.parametrize("codec", CODECS)
def test_no_encoder_holds_pictures_back_for_b_frames(codec: str) -> None:
    got = options(EncoderSettings("ffmpeg", codec=codec))
    assert got.get("-bf") == "0" or got.get("-tune") == "zerolatency"


def test_sound_is_mapped_only_where_there_is_some() -> None:
    assert "-acodec" not in options(EncoderSettings("ffmpeg"))
    sound = RawFormat(64, 48, Fraction(25), Colour(), audio=AAC)
    assert options(EncoderSettings("ffmpeg"), sound)["-acodec"] == "copy"
    words = encode_command(EncoderSettings("ffmpeg"), sound)
    assert [words[n + 1] for n, word in enumerate(words) if word == "-map"] == ["0:v:0", "0:a:0"]


@pytest.mark.parametrize(
    ("codec", "rate", "copied"),
    [
        ("aac", 48_000, True),
        ("mp3", 44_100, True),
        ("mp3", 48_000, False),
        ("opus", 48_000, False),
        ("pcm_alaw", 8000, False),
    ],
)
def test_what_flv_can_hold_is_copied(codec: str, rate: int, copied: bool) -> None:
    audio = AudioFormat(codec, rate, 2)
    assert copies_audio(audio) is copied
    got = options(EncoderSettings("ffmpeg"), RawFormat(64, 48, Fraction(25), Colour(), audio=audio))
    assert got["-acodec"] == ("copy" if copied else "aac")


def test_the_automatic_bit_rate() -> None:
    assert auto_bitrate(1280, 720, Fraction(30)) == 3_000_000
    assert auto_bitrate(1920, 1080, Fraction(30)) == 6_750_000
    half = auto_bitrate(1280, 720, Fraction(15))
    assert 1_500_000 < half < 3_000_000
    assert auto_bitrate(64, 48, Fraction(5)) == 200_000
