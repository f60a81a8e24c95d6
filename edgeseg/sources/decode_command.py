"""The command line of a decoding child, in software or with hardware, and what its failure means."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from edgeseg.errors import SourceError

_log = logging.getLogger(__name__)

# What a picture may be handed over as: whatever decoders give, as it is. Each of them is laid out without gaps, so that
# its size follows from the format. Others are converted to the nearest by ffmpeg.
FORMATS = (
    *("yuv420p", "yuvj420p", "nv12", "yuv422p", "yuvj422p", "nv16", "yuv444p", "yuvj444p", "yuv440p", "yuvj440p"),
    *("yuv411p", "yuv410p", "yuv420p10le", "p010le", "yuv422p10le", "yuv444p10le", "yuv420p12le", "yuv422p12le"),
    *("yuv444p12le", "gray", "gray10le", "gbrp", "rgb24", "bgr24", "rgba", "bgra", "argb", "abgr"),
    *("rgb0", "bgr0", "0rgb", "0bgr", "yuva420p", "yuva422p", "yuva444p"),
)
# Hardware that is reached through a decoder of its own, by FFmpeg's name of the codec.
_OWN_DECODERS = {
    "qsv": {"h264": "h264_qsv", "hevc": "hevc_qsv", "mjpeg": "mjpeg_qsv", "vp9": "vp9_qsv", "av1": "av1_qsv"}
    | {"mpeg2video": "mpeg2_qsv", "vp8": "vp8_qsv"},
    "v4l2m2m": {"h264": "h264_v4l2m2m", "hevc": "hevc_v4l2m2m", "mpeg4": "mpeg4_v4l2m2m", "h263": "h263_v4l2m2m"}
    | {"mpeg2video": "mpeg2_v4l2m2m", "vp8": "vp8_v4l2m2m", "vp9": "vp9_v4l2m2m"},
}
HWACCELS = ("vaapi", "qsv", "v4l2m2m", "cuda")
_NO_SUCH_THING = ("Unrecognized hwaccel", "Unknown decoder", "Unrecognized option")


@dataclass(frozen=True, slots=True)
class DecodeSettings:
    """How a child decodes: ``hwaccel`` None is in software. ``software_too`` allows that when the hardware does not."""

    ffmpeg: str
    hwaccel: str | None = None
    device: str | None = None
    software_too: bool = False


class Decoding:
    """How a source decodes, over all turns of a loop: one that fell back to software stays there, until another source
    is made.
    """

    def __init__(self, settings: DecodeSettings) -> None:
        self.settings = settings

    def fall_back(self, exc: SourceError) -> None:
        """Decode in software from now on, where the configuration allows that.

        Raises:
            SourceError: it does not; that is ``exc``.
        """
        if not self.settings.software_too:
            raise exc
        _log.warning("%s; decoding in software instead, as source.decode.fallback says", exc.message)
        self.settings = DecodeSettings(self.settings.ffmpeg)


def can_decode(settings: DecodeSettings, codec: str) -> bool:
    """Whether there is a decoder for ``codec`` (FFmpeg's name) at all; whether it works only a try tells."""
    return settings.hwaccel not in _OWN_DECODERS or codec in _OWN_DECODERS[settings.hwaccel]


def decode_command(settings: DecodeSettings, codec: str, max_pixels: int) -> list[str]:
    """NUT with one video track on stdin to bare pictures on stdout; stderr says of each what it is (``_showinfo.py``).

    Nothing is probed, dropped, doubled, turned or enlarged, and numbers stay what they are.
    """
    hwaccel, device = settings.hwaccel, settings.device
    before = ["-hide_banner", "-nostats", "-loglevel", "repeat+level+info", "-copyts"]
    before += ["-dts_error_threshold", "2147483647", "-noautorotate", "-max_pixels", str(max_pixels)]
    # Each thread more, of the decoder and of what copies its pictures, would keep a picture back.
    before += ["-f", "nut", "-probesize", "32", "-analyzeduration", "0", "-threads", "1"]
    if hwaccel in _OWN_DECODERS:
        before += ["-c:v", _OWN_DECODERS[hwaccel][codec]]
    if hwaccel == "qsv":
        # Not as `-hwaccel`, which would leave the pictures on the device; and one at a time, as a live picture cannot
        # wait for three others.
        before += ["-init_hw_device", f"qsv=decoder,child_device={device}" if device else "qsv=decoder"]
        before += ["-async_depth", "1"]
    elif hwaccel in ("vaapi", "cuda"):
        device = device or ("/dev/dri/renderD128" if hwaccel == "vaapi" else None)
        before += ["-hwaccel", hwaccel, *(["-hwaccel_device", device] if device else [])]
    # Of side data, showinfo would print every byte.
    filters = f"sidedata=mode=delete,format=pix_fmts={'|'.join(FORMATS)},showinfo=checksum=0"
    after = ["-map", "0:v:0", "-vf", filters, "-noautoscale", "-fps_mode", "passthrough", "-enc_time_base", "1/1000000"]
    after += ["-c:v", "rawvideo", "-threads", "1", "-flush_packets", "1", "-f", "rawvideo", "pipe:1"]
    return [settings.ffmpeg, *before, "-i", "pipe:0", *after]


def is_of_software(pixel_format: str, codec: str) -> bool:
    """Whether a picture was made by FFmpeg's own decoder, though hardware was asked for: it changes over in silence.

    Hardware gives luma and interleaved chroma; only of JPEG also planes, which FFmpeg's decoder calls ``yuvj``.
    """
    return pixel_format.startswith("yuvj" if codec == "mjpeg" else ("yuv4", "yuvj", "gray"))


def is_for_ever(words: str) -> bool:
    """Whether ffmpeg says that it was built without what was asked for, so that trying again is pointless."""
    return any(words_of in words for words_of in _NO_SUCH_THING)
