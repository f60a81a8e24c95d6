"""``edgeseg convert``: a found model becomes an IR with a recipe, and a proof that it answers as before."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Any

from edgeseg.errors import EXIT_OK, UsageError
from edgeseg.types import Activation, OutputKind

_FORMATS = """\
MODEL is a .tflite, .onnx, frozen .pb, SavedModel folder, .keras or .h5, .pt2 or TorchScript, Paddle or older IR file,
or a PyTorch module as package.module:name or file.py:name, which runs that code.
What a file does not say, the command asks for by naming the options; mean, scale and colour order are found out by
trial where the model looks for persons."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``edgeseg convert``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _FORMATS
    parser.add_argument("model", type=Path, metavar="MODEL", help="what to convert, see below")
    parser.add_argument("-o", "--to", type=Path, required=True, metavar="DIR", help="the folder to make")
    parser.add_argument("--force", action="store_true", help="replace the model that is in DIR")
    parser.add_argument("--name", help="name of the model (default: that of DIR)")
    parser.add_argument("--fp32", action="store_true", help="keep full floats (default: half floats, half the size)")
    parser.add_argument(
        "--model-api", action="store_true", help="write planes NCHW that OpenVINO's Model API reads, too"
    )
    _wants(parser.add_argument_group("what the model wants (default: what the file says, or a trial)"))
    _answers(parser.add_argument_group("what it answers (default: what the graph says)"))
    about = parser.add_argument_group("where it is from")
    about.add_argument("--licence", help="licence of the model, an SPDX name")
    about.add_argument("--origin", help="where you found it")
    about.add_argument("--note", default="", help="a paragraph for the README")
    proof = parser.add_argument_group("proof")
    proof.add_argument("--pictures", type=Path, metavar="DIR", help="compare on these (default: four that come along)")
    proof.add_argument(
        "--least-iou", type=_share, default=0.99, metavar="X", help="what the masks have to agree by (default: 0.99)"
    )
    proof.add_argument("--no-proof", action="store_true", help="do not compare with the original, and try nothing")
    int8 = parser.add_argument_group("int8")
    int8.add_argument("--int8", action="store_true", help="quantise, and keep that if it is faster and as good")
    int8.add_argument("--calibrate", type=Path, metavar="DIR", help="photographs such as your camera sees, for --int8")
    int8.add_argument(
        "--max-loss", type=_share, default=0.02, metavar="X", help="mask IoU that int8 may lose (default: 0.02)"
    )


def _wants(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--size", type=_size, metavar="WxH", help="size of its pictures, when it leaves that open")
    group.add_argument("--layout", choices=["NHWC", "NCHW"], help="order of the axes of its picture")
    group.add_argument("--color-order", choices=["RGB", "BGR"])
    group.add_argument("--mean", type=_numbers, metavar="M[,M,M]", help="taken from each value 0..255")
    group.add_argument("--scale", type=_divisors, metavar="S[,S,S]", help="each value is then divided by it")


def _answers(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--output", metavar="NAME", help="which of its outputs: its name or number")
    group.add_argument("--kind", choices=[str(kind) for kind in OutputKind if kind is not OutputKind.IMAGE])
    group.add_argument(
        "--activation", choices=[str(entry) for entry in Activation], help="what makes probabilities of logits"
    )
    group.add_argument(
        *("--classes", "--keep"),
        type=_words,
        default=(),
        metavar="C[,C…]",
        help="which classes the mask shows: names (person) or numbers",
    )
    group.add_argument("--labels", type=Path, metavar="FILE", help="names of its classes, one in each line")


def run(args: argparse.Namespace) -> int:
    """Convert, and print what was found.

    Raises:
        UsageError: the options do not fit together or the format is not supported.
        ModelError: the model cannot be converted.
    """
    from edgeseg.convert import photographs
    from edgeseg.convert.job import Options, convert
    from edgeseg.convert.quantise import Int8Options

    if args.int8 != (args.calibrate is not None):
        raise UsageError(
            "--int8 and --calibrate DIR belong together", hint="int8 needs photographs to measure ranges on"
        )
    options = Options(
        name=args.name,
        size=args.size,
        output=args.output,
        classes=args.classes,
        said=_said(args),
        note=args.note,
        fp16=not args.fp32,
        prove=not args.no_proof,
        least_iou=args.least_iou,
        pictures=photographs.find(args.pictures, "--pictures") if args.pictures else (),
        int8=Int8Options(photographs.find(args.calibrate, "--calibrate"), max_loss=args.max_loss)
        if args.int8
        else None,
        model_api=args.model_api,
        replace=args.force,
    )
    convert(args.model, args.to, options, _say)
    return EXIT_OK


def _said(args: argparse.Namespace) -> dict[str, Any]:
    """The fields of the recipe that the options name."""
    fields = {
        "layout": args.layout,
        "color_order": args.color_order,
        "mean_values": args.mean,
        "scale_values": args.scale,
        "kind": OutputKind(args.kind) if args.kind else None,
        "activation": Activation(args.activation) if args.activation else None,
        "labels": _labels(args.labels) if args.labels else None,
        "licence": args.licence,
        "origin": args.origin,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()  # the steps take seconds each


def _labels(file: Path) -> tuple[str, ...]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"--labels: {file} cannot be read: {getattr(exc, 'strerror', None) or exc}") from exc
    names = tuple(line.strip() for line in lines if line.strip())
    if not names:
        raise UsageError(f"--labels: {file} is empty")
    return names


def _numbers(text: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError as exc:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers") from exc
    if len(numbers) not in {1, 3}:
        raise argparse.ArgumentTypeError(f"{text!r} is neither one number nor three")
    if not all(math.isfinite(number) for number in numbers):
        raise argparse.ArgumentTypeError(f"{text!r} holds what is no finite number")
    return numbers


def _divisors(text: str) -> tuple[float, ...]:
    if 0.0 in _numbers(text):
        raise argparse.ArgumentTypeError("nothing can be divided by 0")
    return _numbers(text)


def _words(text: str) -> tuple[str, ...]:
    words = tuple(word.strip() for word in text.split(","))
    if not all(words):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of classes")
    return words


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from exc
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 0 and 1")
    return share


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 256x144")
    return int(width), int(height)
