"""What the encoder's profiles cost and give for libx264: CPU ms/frame, luma PSNR and SSIM, bit rate.

Each encodes the composited clip (``replace``) and the clip as it is, with the daemon's own options. Quality is measured
against the pictures that went in. The worst second is the one with the most bits: the rate control allows at most twice
the bit rate, a full buffer and a second of refill.
"""

from __future__ import annotations

import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

import av
import cost
import script
from clips import FPS, SIZES, make_clip, render
from report import table

from edgeseg.encoding.command import EncoderSettings, encode_command
from edgeseg.encoding.matroska import RawFormat
from edgeseg.encoding.profiles import PROFILES
from edgeseg.types import Colour

FRAMES = 120
PICTURES = ("replace", "camera")


def options(ffmpeg: str, profile: str, size: str) -> list[str]:
    """The daemon's encoder options with this profile, without its input and output."""
    width, height = SIZES[size]
    words = encode_command(EncoderSettings(ffmpeg, profile=profile), RawFormat(width, height, FPS, Colour()))
    return words[words.index("0:v:0") + 1 : words.index("pipe:1")]


def likeness(ffmpeg: str, encoded: Path, raw: list[str]) -> tuple[float, float]:
    """Luma PSNR in dB and SSIM of ``encoded`` against the pictures that it was made from."""
    both = "[0:v]split[a][b];[1:v]split[c][d];[a][c]psnr;[b][d]ssim"
    command = [ffmpeg, "-nostdin", "-i", str(encoded), *raw, "-lavfi", both, "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    psnr, ssim = re.search(r"PSNR y:([\d.]+)", said), re.search(r"SSIM Y:([\d.]+)", said)
    if psnr is None or ssim is None:
        raise cost.MeasurementError(f"ffmpeg tells no PSNR or SSIM: {said[-200:]}")
    return float(psnr[1]), float(ssim[1])


def rates(encoded: Path) -> tuple[float, float]:
    """Mbit/s on average, and in the second that has the most."""
    with av.open(str(encoded)) as container:
        packets = [
            (packet.pts * (packet.time_base or Fraction(1)), packet.size)
            for packet in container.demux(video=0)
            if packet.size
        ]
    seconds = float(len(packets) / FPS)
    worst = max(sum(size for at, size in packets if start <= at < start + 1) for start, _ in packets)
    return sum(size for _, size in packets) * 8e-6 / seconds, worst * 8e-6


def measure(setting: script.Setting) -> dict[str, Any]:
    """All profiles by turns, for each size and each kind of pictures."""
    rows = []
    frames = 60 if setting.quick else FRAMES
    for size in ("720p",) if setting.quick else SIZES:
        clip = make_clip(setting.ffmpeg, setting.clip, size, frames, 1)
        for kind in PICTURES:
            pictures = setting.folder / f"{kind}.yuv"
            if kind == "replace":
                render(clip, kind, pictures)
            else:
                cost.run(
                    [
                        setting.ffmpeg,
                        "-v",
                        "error",
                        "-i",
                        str(clip.path),
                        "-f",
                        "rawvideo",
                        "-pix_fmt",
                        "yuv420p",
                        str(pictures),
                    ]
                )
            rows += _cell(setting, size, kind, pictures, frames)
            pictures.unlink()
    return {"rows": rows}


def _cell(setting: script.Setting, size: str, kind: str, pictures: Path, frames: int) -> list[dict[str, Any]]:
    width, height = SIZES[size]
    form = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{width}x{height}", "-r", str(FPS), "-i", str(pictures)]
    target = setting.folder / "out.flv"
    spent: dict[str, list[float]] = {profile: [] for profile in PROFILES}
    quality: dict[str, tuple[float, ...]] = {}
    for turn in range(setting.rounds):
        for profile in PROFILES:
            runs = []
            for count in (frames // 4, frames):
                words = [*form, "-frames:v", str(count), *options(setting.ffmpeg, profile, size), str(target)]
                runs.append((count, cost.run([setting.ffmpeg, "-nostdin", "-v", "error", "-y", *words])))
            spent[profile].append(cost.slope_ms(*runs))
            if profile not in quality:
                quality[profile] = (*likeness(setting.ffmpeg, target, form), *rates(target))
        setting.say(f"{size} {kind}: round {turn + 1} of {setting.rounds}")
    names = ("psnr_db", "ssim", "mbit_s", "worst_mbit_s")
    return [
        {"size": size, "pictures": kind, "profile": profile, "cpu_ms": round(median(spent[profile]), 2)}
        | dict(zip(names, (round(value, 4) for value in quality[profile]), strict=True))
        for profile in PROFILES
    ]


def text(results: dict[str, Any]) -> str:
    """The table; CPU also as a share of ``balanced``."""
    whole = {(row["size"], row["pictures"]): row["cpu_ms"] for row in results["rows"] if row["profile"] == "balanced"}
    lines = [
        [
            row["size"],
            row["pictures"],
            f"`{row['profile']}`",
            f"{row['cpu_ms']:.1f}",
            f"{row['cpu_ms'] / whole[row['size'], row['pictures']]:.2f}",
            f"{row['psnr_db']:.2f}",
            f"{row['ssim']:.4f}",
            f"{row['mbit_s']:.2f}",
            f"{row['worst_mbit_s']:.2f}",
        ]
        for row in results["rows"]
    ]
    names = ["size", "pictures", "profile", "CPU ms/frame", "of balanced", "PSNR dB", "SSIM", "Mbit/s", "worst second"]
    return "\n".join(table(names, lines))


if __name__ == "__main__":
    sys.exit(script.main("profiles", __doc__, measure, text))
