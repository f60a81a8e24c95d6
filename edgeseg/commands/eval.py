"""``edgeseg eval``: how good models are, side by side."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from edgeseg.errors import EXIT_OK, UsageError

_EPILOG = """\
Pictures go the way of a camera's frames: made planar 4:2:0 (BT.709, limited range), sampled to the model's size,
inferred, and the mask enlarged as the effects enlarge it. Kept is what is at least one half. IoU pools the pixels of
all pictures; mean IoU, boundary F and difference (of mask and truth, 0..1) are means over the pictures.

Boundary F: Csurka, Larlus, Perronnin, BMVC 2013, as measure F of Perazzi et al., CVPR 2016 (DAVIS): the harmonic mean
of the share of the mask's contour that is near the true one, and the share of the true contour that is near the
mask's.

Flicker: mean change of the mask, in thousandths, from frame to frame where the picture did not change; flips:
thousandths of those pixels that changed from kept to not kept or back.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``edgeseg eval``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("models", nargs="+", metavar="MODEL", help="name or folder of a model")
    truth = parser.add_argument_group("pictures with truth")
    truth.add_argument("--images", type=Path, metavar="DIR", help="the pictures")
    truth.add_argument(
        "--masks", type=Path, metavar="DIR", help="their masks, called alike, 8 bits: 128 and more is to be kept"
    )
    truth.add_argument(
        "--classes",
        action="store_true",
        help="the masks hold the number of a class at each pixel: pixel accuracy and mean IoU over classes",
    )
    truth.add_argument(
        "--ignore", type=_numbers, metavar="N[,N…]", help="with --classes: numbers that are no class (default: 255)"
    )
    truth.add_argument(
        "--tolerance", type=_share, metavar="SHARE", help="of the diagonal, for boundary F (default: 0.008)"
    )
    truth.add_argument("--limit", type=_positive, metavar="N", help="only N of the pictures, evenly chosen")
    clip = parser.add_argument_group("a clip without truth")
    clip.add_argument("--clip", type=Path, metavar="FILE", help="measure how much the masks flicker")
    clip.add_argument("--frames", type=_positive, default=300, metavar="N", help="of its first N frames (default: 300)")
    how = parser.add_argument_group("how")
    how.add_argument("--backend", default="auto", help="what runs the models (default: by their files)")
    how.add_argument("--device", help="where, such as CPU or GPU (default: the backend's choice)")
    how.add_argument(
        "--precision",
        choices=["f32", "bf16", "f16", "auto"],
        default="f32",
        help="of OpenVINO (default: f32, the same figures on every machine)",
    )
    how.add_argument(
        "--refined", action="store_true", help="after the daemon's default feather and smooth step, not as inferred"
    )
    out = parser.add_argument_group("what comes out")
    out.add_argument("--json", action="store_true", help="JSON, with the figures of each picture")
    out.add_argument("--sheet", type=Path, metavar="PNG", help="draw the worst pictures")
    out.add_argument("--worst", type=_positive, default=8, metavar="N", help="how many of them (default: 8)")


def run(args: argparse.Namespace) -> int:
    """Evaluate and print.

    Raises:
        UsageError: the options do not fit together, or pictures cannot be read.
        ModelError: a model cannot be loaded.
        InferenceError: a model did not answer.
    """
    _check(args)
    from edgeseg.evaluate.opening import Runtime

    runtime = Runtime(args.backend, args.device, args.precision)
    found: dict[str, Any] = {}
    texts: list[str] = []
    with ExitStack() as stack:
        if args.classes:
            _classes(args, runtime, stack, found, texts)
        else:
            _masks(args, runtime, stack, found, texts)
    sys.stdout.write(json.dumps(found, indent=2) + "\n" if args.json else "\n".join(texts))
    return EXIT_OK


def _check(args: argparse.Namespace) -> None:
    if (args.images is None) != (args.masks is None):
        here, missing = ("--images", "--masks") if args.masks is None else ("--masks", "--images")
        raise UsageError(f"{here} is nothing without {missing}")
    if args.images is None and args.clip is None:
        raise UsageError("nothing to evaluate on", hint="give --images and --masks, or --clip")
    if args.images is None:
        for option in ("classes", "ignore", "tolerance", "limit", "sheet"):
            if getattr(args, option):
                raise UsageError(f"--{option} is about pictures", hint="give --images and --masks")
    if args.classes:
        for option in ("clip", "tolerance", "refined"):
            if getattr(args, option):
                raise UsageError(f"--classes and --{option} do not go together")
    elif args.ignore:
        raise UsageError("--ignore is about classes", hint="add --classes")


def _masks(args: argparse.Namespace, runtime: Any, stack: ExitStack, found: dict[str, Any], texts: list[str]) -> None:
    from edgeseg.evaluate import job, metrics, report, sheet, worst
    from edgeseg.evaluate.opening import open_segmenters

    pairs = _pairs(args)
    models = open_segmenters(args.models, runtime, args.refined, stack)
    if pairs:
        tolerance = args.tolerance or metrics.BOUNDARY_TOLERANCE
        results = job.evaluate_masks(models, pairs, tolerance, _progress("pictures"))
        texts.append(report.masks_text(results, tolerance))
        found["images"] = report.masks_json(results, tolerance)
        if args.sheet:
            sheet.write(args.sheet, worst.worst_masks(models, results, pairs, args.worst))
    if args.clip is not None:
        calm = job.evaluate_clip(models, args.clip, args.frames, _progress("frames"))
        texts.append(report.flicker_text(calm))
        found["clip"] = report.flicker_json(calm)


def _classes(args: argparse.Namespace, runtime: Any, stack: ExitStack, found: dict[str, Any], texts: list[str]) -> None:
    from edgeseg.evaluate import classes, job, report, sheet, worst
    from edgeseg.evaluate.opening import open_labellers

    pairs = _pairs(args)
    models = open_labellers(args.models, runtime, stack)
    ignore = frozenset(args.ignore or {classes.IGNORE})
    results = job.evaluate_classes(models, pairs, ignore, _progress("pictures"))
    texts.append(report.classes_text(results, {model.name: model.recipe.labels for model in models}))
    found["classes"] = report.classes_json(results)
    if args.sheet:
        sheet.write(args.sheet, worst.worst_classes(models, results, pairs, args.worst))


def _pairs(args: argparse.Namespace) -> list[Any]:
    """What to evaluate on; before the models are loaded, so that a wrong folder is told at once."""
    from edgeseg.evaluate.pairs import find_pairs
    from edgeseg.evaluate.sheet import check_target

    if args.sheet:
        check_target(args.sheet)
    if args.images is None:
        return []
    pairs = find_pairs(args.images, args.masks)
    if args.limit is None or args.limit >= len(pairs):
        return pairs
    return [pairs[index * len(pairs) // args.limit] for index in range(args.limit)]


def _progress(what: str) -> Callable[[int, int], None]:
    """Counts on the terminal, and says nothing into a file."""

    def tell(done: int, of: int) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{done}/{of} {what}\033[K" if done < of else "\r\033[K")
            sys.stderr.flush()

    return tell


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 up")
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share between 0 and 1")
    return share


def _numbers(text: str) -> frozenset[int]:
    numbers = frozenset(int(part) for part in text.split(",") if part.isdecimal())
    if len(numbers) != len(text.split(",")):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of classes")
    return numbers
