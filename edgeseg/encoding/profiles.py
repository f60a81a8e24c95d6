"""What each profile of each encoder means in FFmpeg's options: how much work goes into a picture."""

from __future__ import annotations

from typing import Any

# What any picture from here needs, whatever the profile: no B-frames, nothing held back, keyframes where we say.
_ALWAYS: dict[str, dict[str, Any]] = {
    "libx264": {"tune": "zerolatency"},
    "h264_vaapi": {"vf": "format=nv12,hwupload", "bf": 0},
    "h264_qsv": {"vf": "format=nv12", "bf": 0, "async_depth": 1, "forced_idr": 1},
    "h264_nvenc": {"tune": "ull", "bf": 0, "zerolatency": 1, "forced-idr": 1},
    "h264_v4l2m2m": {"bf": 0},
}
CODECS = tuple(_ALWAYS)

# libx264 is measured by bench/profiles.py, see docs/performance.md. Of the others only the command line was tested:
# VAAPI's levels are 1 (best) to 7 on Intel, and FFmpeg takes the highest that the driver has instead of a higher one;
# QSV has no preset below "veryfast"; V4L2 has nothing to choose.
_PROFILES: dict[str, dict[str, dict[str, Any]]] = {
    "libx264": {
        "quality": {"preset": "veryfast", "x264-params": "scenecut=0:subme=4"},
        "balanced": {"preset": "superfast", "x264-params": "me=dia:scenecut=0"},
        "light": {"preset": "ultrafast", "x264-params": "scenecut=0:cabac=1:8x8dct=1:deblock=0,0"},
    },
    "h264_vaapi": {"quality": {"compression_level": 1}, "balanced": {}, "light": {"compression_level": 7}},
    "h264_qsv": {
        "quality": {"preset": "medium"},
        "balanced": {"preset": "veryfast"},
        "light": {"preset": "veryfast"},
    },
    "h264_nvenc": {"quality": {"preset": "p5"}, "balanced": {"preset": "p2"}, "light": {"preset": "p1"}},
}
PROFILES = ("quality", "balanced", "light")


def codec_options(codec: str, profile: str, preset: str | None) -> dict[str, Any]:
    """FFmpeg's options for ``codec`` by ``profile``; a ``preset`` of the codec takes the profile's place."""
    always = _ALWAYS.get(codec, {})
    if preset is None:
        return {**always, **_PROFILES.get(codec, {}).get(profile, {})}
    own = {"x264-params": "scenecut=0"} if codec == "libx264" else {}
    return {**always, **own, "preset": preset}
