"""What x264's presets cost and give, with the daemon's other settings: CPU ms/frame and luma PSNR at 720p."""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from pathlib import Path
from statistics import median

import cost
from clips import FPS, SIZES, encoder_options, make_clip, render

from edgeseg.ffmpeg import find_ffmpeg

# Preset and x264-params; the last one is the daemon's default.
VARIANTS = {
    "ultrafast": "scenecut=0",
    "superfast": "scenecut=0",
    "veryfast": "scenecut=0",
    "superfast (me=dia)": "me=dia:scenecut=0",
}


def options(ffmpeg: str, variant: str) -> list[str]:
    """The daemon's encoder options with another preset."""
    words = encoder_options(ffmpeg, "720p")
    words[words.index("-preset") + 1] = variant.split(maxsplit=1)[0]
    words[words.index("-x264-params") + 1] = VARIANTS[variant]
    return words


def psnr_y(ffmpeg: str, encoded: Path, raw: list[str]) -> float:
    """Luma PSNR in dB of ``encoded`` against the pictures that it was made from."""
    command = [ffmpeg, "-nostdin", "-i", str(encoded), *raw, "-lavfi", "[0:v][1:v]psnr", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    found = re.search(r"PSNR y:([\d.]+)", said)
    assert found, said
    return float(found[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clip", type=Path, default=cost.ROOT / "demo" / "clip.mp4")
    args = parser.parse_args()
    ffmpeg = find_ffmpeg()
    width, height = SIZES["720p"]
    spent: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    with tempfile.TemporaryDirectory() as name:
        pictures, target = Path(name) / "pictures.yuv", Path(name) / "out.flv"
        clip = make_clip(ffmpeg, args.clip, "720p", 60, 1)
        render(clip, "replace", pictures)
        form = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{width}x{height}", "-r", str(FPS)]
        quality = {}
        for _ in range(args.rounds):
            for variant in VARIANTS:
                runs = []
                for turns in (3, 1):
                    raw = ["-stream_loop", str(turns - 1), *form, "-i", str(pictures)]
                    command = [ffmpeg, "-nostdin", "-v", "error", "-y", *raw, *options(ffmpeg, variant), str(target)]
                    runs.append((60 * turns, cost.run(command)))
                quality[variant] = psnr_y(ffmpeg, target, [*form, "-i", str(pictures)])
                spent[variant].append(cost.slope_ms(runs[1], runs[0]))
    for variant, times in spent.items():
        print(f"{variant:<20} {median(times):6.2f} ms/frame {quality[variant]:6.2f} dB")


if __name__ == "__main__":
    main()
