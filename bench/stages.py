"""CPU of each step, thread and child of the daemon: where a picture's milliseconds go.

A whole daemon, published and recorded, on a file that is played as fast as it goes, with clocks around its steps
(``inside.py``). Three things are measured beside it: what ffmpeg takes to read raw pictures out of the daemon's pipe
and do nothing with them, which is a part of the hand-over and not of the encoding; and decoding, inference and encoding
alone, which nobody can do without.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from statistics import median
from typing import Any

import cost
import floor
import numpy as np
import ours
import script
from clips import EFFECTS, FPS, SIZES, Clip, encoder_options, make_clip, render
from report import table

from edgeseg.encoding.command import EncoderSettings, encode_command
from edgeseg.encoding.matroska import VIDEO_TRACK, RawFormat, block_head, header
from edgeseg.encoding.rawpipe import RawPipe
from edgeseg.frames import Canvas
from edgeseg.types import Colour

# ms/frame: what the project allows itself besides decoding, inference and encoding.
TARGETS = {"720p": 1.5, "1080p": 3.5}
_LEAST = ("decode", "infer", "encode")
_OURS = ("read, rest", "sample", "mask", "composite", "work, rest", "hand-over, writing", "hand-over, reading", "hub")
_OUTPUTS = ("publish", "record", "publisher", "recorder")
_OTHERS = ("other threads", "native threads")
_ALONE = ("decode alone", "infer alone", "encode alone")
# In milliseconds, as the daemon's encoder counts: by the clip's rate two pictures may get the same time.
_TO_NOTHING = ["-fps_mode", "passthrough", "-enc_time_base", "1/1000", "-f", "null", "-"]
# Pictures that are not counted: the first ones, while everything warms up, and those of the end.
_WARM, _END = 40, 20


class Cell:
    """One size and effect."""

    def __init__(self, setting: script.Setting, size: str, effect: str) -> None:
        self._ffmpeg, self._folder, self._size, self._effect = setting.ffmpeg, setting.folder, size, effect
        turns = 4 if setting.quick else 8
        self._short = make_clip(setting.ffmpeg, setting.clip, size, 60, 1)
        self._long = make_clip(setting.ffmpeg, setting.clip, size, 60, turns)
        self._pictures = setting.folder / f"{size}-{effect}.yuv"
        render(self._short, effect, self._pictures)

    def measure(self, inference: floor.Inference) -> dict[str, float]:
        """One round: CPU ms/frame by step."""
        figures = self._daemon()
        figures["hand-over, reading"] = reading = self._reading()
        figures["encode"] = figures.pop("encoder") - reading
        figures["decode alone"] = self._slope(lambda clip: _decode(self._ffmpeg, clip))
        figures["infer alone"] = inference.measure(100)
        figures["encode alone"] = self._slope(self._encode) - self._slope(self._read_file)
        figures["ours"] = sum(figures[name] for name in _OURS)
        figures["all"] = sum(figures[name] for name in (*_LEAST, *_OURS, *_OUTPUTS, *_OTHERS))
        return figures

    def _daemon(self) -> dict[str, float]:
        notes, recordings = self._folder / "notes.json", self._folder / "recordings"
        with ours.server(self._ffmpeg) as url:
            stream = {"source": ours.played(self._long), "effect": EFFECTS[self._effect]}
            stream |= {"record": str(recordings), "publish": url}
            config, _ = ours.write_config(self._ffmpeg, {"bench": stream}, self._folder)
            cost.run([sys.executable, str(ours.INSIDE), str(config), str(notes)])
        ours.take_recordings(recordings, self._long.total)
        looks = json.loads(notes.read_text())["looks"]
        return steps(*window(looks, self._long.total))

    def _reading(self) -> float:
        """What the child takes for the pictures, from the pipe to where it would encode them."""
        width, height = SIZES[self._size]
        raw = RawFormat(width, height, FPS, Colour())
        command = encode_command(EncoderSettings(self._ffmpeg), raw)
        command = [*command[: command.index("0:v:0") + 1], "-v", "error", *_TO_NOTHING]
        picture_bytes = width * height * 3 // 2
        canvases = [Canvas(width, height, Colour()) for _ in range(8)]
        with self._pictures.open("rb") as file:
            for canvas in canvases:
                canvas.buffer[:] = np.frombuffer(file.read(picture_bytes), np.uint8)

        def run(frames: int) -> tuple[int, float]:
            child = subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0, start_new_session=True)
            assert child.stdin is not None
            pipe = RawPipe(child.stdin, lambda _: None)
            pipe.write(header(raw))
            for number in range(frames):
                head = block_head(VIDEO_TRACK, number * 33, picture_bytes)
                pipe.picture(head, canvases[number % len(canvases)])
            child.stdin.close()
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            if child.returncode:
                raise cost.MeasurementError(f"ffmpeg ended with {child.returncode}")
            return frames, usage.ru_utime + usage.ru_stime

        return cost.slope_ms(run(60), run(self._long.total))

    def _slope(self, command: Any) -> float:
        return cost.slope_ms(*((clip.total, cost.run(command(clip))) for clip in (self._short, self._long)))

    def _encode(self, clip: Clip) -> list[str]:
        return [*self._raw_input(clip), *encoder_options(self._ffmpeg, self._size), str(self._folder / "out.flv")]

    def _read_file(self, clip: Clip) -> list[str]:
        return [*self._raw_input(clip), *_TO_NOTHING]

    def _raw_input(self, clip: Clip) -> list[str]:
        width, height = SIZES[self._size]
        raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{width}x{height}", "-r", str(FPS)]
        command = [self._ffmpeg, "-nostdin", "-v", "error", "-y", "-stream_loop", str(clip.turns - 1)]
        return [*command, *raw, "-i", str(self._pictures)]


def _decode(ffmpeg: str, clip: Clip) -> list[str]:
    command = [ffmpeg, "-nostdin", "-v", "error", "-threads", "1", "-i", str(clip.path)]
    return [*command, *_TO_NOTHING]


def window(looks: list[dict[str, Any]], total: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The first and the last look at a daemon that was doing nothing but its work.

    Raises:
        MeasurementError: there was no such time.
    """
    steady = [look for look in looks if _WARM <= look["frames"] <= total - _END]
    if len(steady) < 2 or steady[-1]["frames"] == steady[0]["frames"]:
        raise cost.MeasurementError(f"{total} pictures were over before anybody could look: take a longer clip")
    return steady[0], steady[-1]


def steps(first: dict[str, Any], last: dict[str, Any]) -> dict[str, float]:
    """CPU ms/frame between two looks, by step; ``encoder`` is the whole child."""
    frames = last["frames"] - first["frames"]

    def per_frame(kind: str) -> dict[str, float]:
        return {name: (spent - first[kind].get(name, 0)) / frames * 1000 for name, spent in last[kind].items()}

    inside = {name.partition(":")[2]: ms for name, ms in per_frame("steps").items()}
    children = per_frame("children")
    threads = {name.removeprefix("bench:"): ms for name, ms in per_frame("threads").items()}
    everything = sum(threads.values()) + (last["watch"] - first["watch"]) / frames * 1000
    worker = threads.pop("worker")
    return {
        "decode": inside["decode"],
        "read, rest": threads.pop("source") - inside["decode"],
        **{name: inside[name] for name in ("sample", "mask", "composite")},
        # Mostly on a thread of its own, so that one that hangs can be left behind.
        "infer": inside["infer"] + threads.pop("inference", 0.0),
        "work, rest": worker - sum(inside[name] for name in ("sample", "infer", "mask", "composite")),
        "hand-over, writing": threads.pop("encoder:write"),
        "hub": threads.pop("encoder:read"),
        "encoder": children["encoder"],
        **{name: threads.pop(name) for name in ("publish", "record")},
        **{name: children[name] for name in ("publisher", "recorder")},
        "other threads": sum(threads.values()),
        "native threads": (last["process"] - first["process"]) / frames * 1000 - everything,
    }


def measure(setting: script.Setting) -> dict[str, Any]:
    setting.say("making the clips")
    cells = {(size, effect): Cell(setting, size, effect) for size in SIZES for effect in EFFECTS}
    inference = floor.Inference()
    rows: dict[tuple[str, str], list[dict[str, float]]] = {key: [] for key in cells}
    for number in range(setting.rounds):
        for key, cell in cells.items():
            figures = cell.measure(inference)
            rows[key].append(figures)
            setting.say(f"round {number + 1}/{setting.rounds}, {' '.join(key)}: ours {figures['ours']:.2f} ms/frame")
    results: dict[str, dict[str, dict[str, float]]] = {}
    for (size, effect), values in rows.items():
        medians = {name: round(median(row[name] for row in values), 3) for name in values[0]}
        results.setdefault(size, {})[effect] = medians
    return {"targets": TARGETS, "results": results}


def text(results: dict[str, Any]) -> str:
    """A table with a column for each cell."""
    cells = {(size, effect): cell for size, row in results["results"].items() for effect, cell in row.items()}

    def rows(names: tuple[str, ...], style: str = "{}") -> list[list[str]]:
        return [[style.format(name), *(style.format(f"{cell[name]:.2f}") for cell in cells.values())] for name in names]

    lines = [
        *rows(_LEAST),
        *rows(_OURS),
        *rows(("ours",), "**{}**"),
        ["target", *(f"{results['targets'][size]:.1f}" for size, _ in cells)],
        *rows(_OUTPUTS),
        *rows(_OTHERS),
        *rows(("all",), "**{}**"),
        *rows(_ALONE),
    ]
    head = ["CPU ms/frame, by step:", ""]
    return "\n".join([*head, *table(["step", *(" ".join(key) for key in cells)], lines)])


if __name__ == "__main__":
    sys.exit(script.main("stages", __doc__, measure, text))
