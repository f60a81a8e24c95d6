"""What the motion gate saves, and what its masks are worth.

CPU milliseconds for a frame of the whole daemon, published and recorded, without and with the gate: at a camera that
looks at a photograph (720p, 4 Mbit/s, Gaussian noise of 2.5 levels before encoding, light that flickers by 0.6 %), and
at a clip with somebody who moves. Beside that, for each clip: the share of pictures that were found still, and the IoU
of the masks that they were shown with and their own.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean, median
from typing import Any

import cost
import ours
import script
from clips import EFFECTS, SIZES, Clip, make_clip
from report import table
from still_life import frames_in, noisy, photograph, watch

SIZE = "720p"
LEAST_IOU = 0.99
_TURN = 60
_MOST = 600


def still_source(ffmpeg: str) -> Path:
    """A camera that looks at a photograph, nearly lossless; made once and kept in the temp folder."""
    target = Path(tempfile.gettempdir()) / "edgeseg-bench" / f"still-{_TURN}.mkv"
    if target.exists():
        return target
    target.parent.mkdir(exist_ok=True)
    part = target.with_suffix(".part.mkv")
    taken = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-video_size", "1280x720", "-framerate", "30", "-i", "-"]
    kept = ["-c:v", "libx264", "-preset", "ultrafast", "-qp", "4", "-pix_fmt", "yuv420p"]
    words = b"".join(picture.tobytes() for picture in noisy(photograph(SIZES[SIZE]), _TURN))
    done = subprocess.run(
        [ffmpeg, "-v", "error", "-y", *taken, *kept, str(part)], input=words, capture_output=True, check=False
    )
    if done.returncode != 0:
        raise cost.MeasurementError(f"cannot make {target.name}: {done.stderr.decode('utf-8', 'replace').strip()}")
    return part.rename(target)


def run(setting: script.Setting, clip: Clip, gate: bool) -> tuple[int, float]:
    """The daemon on ``clip`` to its end: (pictures, CPU seconds)."""
    recordings = setting.folder / "recordings"
    with ours.server(setting.ffmpeg) as url:
        stream = {"source": ours.played(clip), "effect": EFFECTS["replace"], "record": str(recordings), "publish": url}
        config, _ = ours.write_config(
            setting.ffmpeg, {"bench": stream | {"mask": {"motion_gate": gate}}}, setting.folder
        )
        cpu_s = cost.run([sys.executable, "-m", "edgeseg", "run", "-c", str(config)])
    ours.take_recordings(recordings, clip.total)
    return clip.total, cpu_s


def measure(setting: script.Setting) -> dict[str, Any]:
    sources = {"still": still_source(setting.ffmpeg), "moving": setting.clip}
    turns = 5 if setting.quick else 11
    clips = {
        name: [make_clip(setting.ffmpeg, path, SIZE, _TURN, each) for each in (1, turns)]
        for name, path in sources.items()
    }
    spent: dict[tuple[str, bool], list[float]] = {(name, gate): [] for name in clips for gate in (False, True)}
    for number in range(setting.rounds):
        for (name, gate), values in spent.items():
            short, long = clips[name]
            values.append(cost.slope_ms(run(setting, short, gate), run(setting, long, gate)))
            setting.say(f"round {number + 1}/{setting.rounds}, {name}, gate {gate}: {values[-1]:.2f} ms")
    cpu = {name: {str(gate): round(median(spent[name, gate]), 2) for gate in (False, True)} for name in clips}
    paths = {"still": clips["still"][0].path, "moving": setting.clip}
    masks = {}
    for name, path in paths.items():
        setting.say(f"masks of {name}")
        seen = watch(frames_in(path, _MOST))
        masks[name] = {"pictures": len(seen.still), "share": round(seen.share, 3)}
        if seen.overlaps:
            masks[name] |= {"mean": round(mean(seen.overlaps), 4), "least": round(min(seen.overlaps), 4)}
    return {"targets": {"iou": LEAST_IOU}, "cpu_ms": cpu, "masks": masks}


def text(results: dict[str, Any]) -> str:
    """Two tables."""
    cpu = [
        [name, f"{row['False']:.2f}", f"{row['True']:.2f}", f"{row['True'] / row['False']:.2f}"]
        for name, row in results["cpu_ms"].items()
    ]
    masks = [
        [name, str(row["pictures"]), f"{row['share']:.0%}"]
        + [f"{row[which]:.4f}" if which in row else "" for which in ("mean", "least")]
        for name, row in results["masks"].items()
    ]
    return "\n".join(
        [
            f"The daemon at {SIZE}, replace, published and recorded, CPU ms/frame:",
            "",
            *table(["clip", "gate off", "gate on", "ratio"], cpu),
            "",
            f"Pictures that were found still, and the IoU of their masks and their own (target: {LEAST_IOU}):",
            "",
            *table(["clip", "pictures", "still", "IoU, mean", "least"], masks),
        ]
    )


if __name__ == "__main__":
    sys.exit(script.main("motion_gate", __doc__, measure, text))
