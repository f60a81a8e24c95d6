"""``edgeseg convert``: a found model becomes an IR with a recipe."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edgeseg.errors import EXIT_OK, UsageError
from edgeseg.types import OutputKind

HELP = "convert a .tflite model to OpenVINO's IR and prove that it answers as before"
_PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``edgeseg convert``."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="the .tflite file")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="the folder to make")
    parser.add_argument("--force", action="store_true", help="replace the model that is in DIR")
    parser.add_argument("--name", help="name of the model (default: that of DIR)")
    parser.add_argument("--fp32", action="store_true", help="keep full floats (default: half floats, half the size)")
    wants = parser.add_argument_group("what the model wants")
    wants.add_argument("--size", type=_size, metavar="WxH", help="size of its pictures, when it leaves that open")
    wants.add_argument("--color-order", choices=["RGB", "BGR"], default="RGB", help="default: RGB")
    wants.add_argument(
        "--mean", type=_numbers, default=(0.0,), metavar="M[,M,M]", help="taken from each value 0..255 (default: 0)"
    )
    wants.add_argument(
        "--scale",
        type=_numbers,
        metavar="S[,S,S]",
        help="each value is then divided by it (default: 255; 1 for whole numbers)",
    )
    answers = parser.add_argument_group("what it answers")
    answers.add_argument(
        "--kind", choices=[str(kind) for kind in OutputKind], help="how to read it (default: found out)"
    )
    answers.add_argument("--output-index", type=int, default=0, metavar="N", help="which of its outputs (default: 0)")
    answers.add_argument(
        "--channel", type=int, metavar="N", help="which plane is to be kept (default: the second of several)"
    )
    answers.add_argument(
        "--keep", type=_labels, default=(1,), metavar="N[,N…]", help="which labels are to be kept (default: 1)"
    )
    about = parser.add_argument_group("where it is from")
    about.add_argument("--licence", default="", help="licence of the model, an SPDX name")
    about.add_argument("--origin", default="", help="where you found it")
    about.add_argument("--note", default="", help="a paragraph for the README")
    proof = parser.add_argument_group("proof")
    proof.add_argument("--pictures", type=Path, metavar="DIR", help="compare on these photographs (default: patterns)")
    proof.add_argument("--no-proof", action="store_true", help="do not compare with the original")


def run(args: argparse.Namespace) -> int:
    """Convert, and print what was found.

    Raises:
        UsageError: the options do not fit together or the format is not supported.
        ModelError: the model cannot be converted.
    """
    from edgeseg.convert.job import Options, convert

    options = Options(
        name=args.name,
        size=args.size,
        color_order=args.color_order,
        mean_values=args.mean,
        scale_values=args.scale,
        output_index=args.output_index,
        kind=OutputKind(args.kind) if args.kind else None,
        channel=args.channel,
        keep=args.keep,
        licence=args.licence,
        origin=args.origin,
        note=args.note,
        fp16=not args.fp32,
        prove=not args.no_proof,
        pictures=_pictures(args.pictures),
        replace=args.force,
    )
    convert(args.model, args.output, options, _say)
    return EXIT_OK


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _pictures(directory: Path | None) -> tuple[Path, ...]:
    if directory is None:
        return ()
    if not directory.is_dir():
        raise UsageError(f"--pictures: {directory} is no folder")
    found = tuple(sorted(entry for entry in directory.iterdir() if entry.suffix.lower() in _PICTURES))
    if not found:
        raise UsageError(
            f"--pictures: no picture lies in {directory}", hint=f"looked for {', '.join(sorted(_PICTURES))}"
        )
    return found


def _numbers(text: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError as exc:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers") from exc
    if len(numbers) not in {1, 3}:
        raise argparse.ArgumentTypeError(f"{text!r} is neither one number nor three")
    return numbers


def _labels(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as exc:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of labels") from exc


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 256x144")
    return int(width), int(height)
