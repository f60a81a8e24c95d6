"""``edgeseg bench``: how fast this machine is. ``bench streams`` measures whole streams and is what is meant without
a subject, ``bench model`` times one model on every device and backend.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeseg.commands import _bench_streams
from edgeseg.errors import EXIT_OK, EdgesegError, UsageError

if TYPE_CHECKING:
    from edgeseg.evaluate.candidates import Candidate

_SECONDS = 3.0
_MODEL_EPILOG = """\
load: reading and compiling. first: the first inference after it. median, p90, p99: of single inferences, one at a
time, on one thread; where there are several candidates they take turns. CPU: processor time of an inference, of all
threads. All with a picture of noise, from u8 pixels to the u8 mask, as the daemon runs it.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sub-commands of ``edgeseg bench`` and their options."""
    parser.epilog = "Without SUBJECT it is streams, which has these options."
    parser.set_defaults(measure=_bench_streams.run)
    _bench_streams.add_arguments(parser)
    subparsers = parser.add_subparsers(dest="subject", metavar="SUBJECT")
    streams = subparsers.add_parser(
        "streams",
        help=_bench_streams.SUMMARY,
        description=f"{_bench_streams.SUMMARY.capitalize()}.",
        epilog=_bench_streams.EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    streams.set_defaults(measure=_bench_streams.run)
    _bench_streams.add_arguments(streams)
    model = subparsers.add_parser(
        "model",
        help="time one model on every device and backend",
        description="Time one model on every device and backend.",
        epilog=_MODEL_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    model.set_defaults(measure=_bench_model)
    model.add_argument("model", metavar="MODEL", help="name or folder of a model")
    model.add_argument(
        "--device", action="append", default=[], metavar="D", help="on this device; may be repeated (default: on all)"
    )
    model.add_argument(
        "--backend",
        action="append",
        default=[],
        metavar="B",
        help="in this backend; may be repeated (default: by file)",
    )
    model.add_argument(
        "--against",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="and this .tflite, .onnx or .xml file with the same recipe; may be repeated. A model.tflite or "
        "model.onnx beside the model is taken anyway",
    )
    model.add_argument(
        "--precision", choices=["auto", "f32", "bf16", "f16"], default="auto", help="of OpenVINO (default: auto)"
    )
    # Without a default of their own: what stands before SUBJECT would be overwritten with it.
    model.add_argument(
        "--seconds", type=_seconds, default=argparse.SUPPRESS, metavar="S", help="for each measurement (default: 3)"
    )
    model.add_argument("--streams", type=_streams, metavar="N", help="how many at a time (default: one for each core)")
    model.add_argument(
        "--ops", action="store_true", help="time per operator, and the ten most expensive nodes (IR only)"
    )
    model.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="JSON")


def run(args: argparse.Namespace) -> int:
    """Measure what was asked for, and print it.

    Raises:
        UsageError: the options do not fit together.
        ModelError: the model cannot be loaded.
        InferenceError: it does not answer.
    """
    return int(args.measure(args))


def _bench_model(args: argparse.Namespace) -> int:
    misplaced = _bench_streams.only_of_streams(args)
    if misplaced:
        raise UsageError(f"--{misplaced[0].replace('_', '-')} is of bench streams, not of bench model")
    from edgeseg.evaluate import timing, timing_report
    from edgeseg.evaluate.candidates import candidates, device_names
    from edgeseg.recipes import find_model, load_recipe

    recipe = load_recipe(find_model(args.model))
    found = candidates(recipe, args.backend, args.device, args.against, args.precision)
    profiled = _to_profile(found) if args.ops else []
    cores, load = timing.cores(), timing.load()
    seconds, as_json = getattr(args, "seconds", _SECONDS), getattr(args, "json", False)
    timings = timing.measure(found, seconds, args.streams or cores, _refused)
    devices = device_names(found)
    report: dict[str, Any] = timing_report.json_of(recipe, timings, devices, cores, load)
    texts = [timing_report.text(recipe, timings, devices, cores, load)]
    if profiled:
        from edgeseg.evaluate.operators import profile

        report["operators"] = {}
        for candidate in profiled:
            nodes = profile(candidate.recipe, candidate.device, candidate.precision, seconds)
            report["operators"][candidate.device] = timing_report.operators_json(nodes)
            texts.append(timing_report.operators_text(candidate.device, nodes))
    sys.stdout.write(json.dumps(report, indent=2) + "\n" if as_json else "\n".join(texts))
    return EXIT_OK


def _to_profile(found: list[Candidate]) -> list[Candidate]:
    """The devices of the model itself; told before the measurement, which takes a while."""
    profiled = [candidate for candidate in found if candidate.backend == "openvino" and candidate.asked_for]
    if not profiled:
        raise UsageError("--ops: only OpenVINO tells the time per operator", hint="edgeseg convert makes an IR")
    first = profiled[0].recipe
    return [candidate for candidate in profiled if candidate.recipe is first]


def _refused(candidate: Candidate, exc: EdgesegError) -> None:
    sys.stderr.write(f"{candidate.backend} {candidate.device} {candidate.file}: left out: {exc}\n")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not (math.isfinite(seconds) and seconds > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return seconds


def _streams(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 256")
    return int(text)
