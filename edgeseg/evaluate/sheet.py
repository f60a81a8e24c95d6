"""A contact sheet: pictures in rows; the picture, the truth and each model's answer in columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edgeseg.errors import UsageError
from edgeseg.evaluate.classes import IGNORE, Labels
from edgeseg.types import U8

CELL = (320, 240)
_GAP, _LINE, _HEAD = 8, 24, 32
_FACE, _SIZE = cv2.FONT_HERSHEY_SIMPLEX, 0.5
_PAPER, _INK, _SOFT = (250, 250, 250), (0, 0, 0), (70, 70, 70)
_KEPT, _EXTRA, _MISSED = (60, 190, 90), (230, 60, 50), (50, 110, 255)  # R'G'B'

Colours = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Cell:
    """One picture, R'G'B' u8 [h, w, 3], with a line under it."""

    picture: U8
    caption: str


def draw(head: Sequence[str], rows: Sequence[Sequence[Cell]], legend: Sequence[tuple[str, tuple[int, int, int]]]) -> U8:
    """The sheet as R'G'B', u8 [h, w, 3]: ``legend`` on top, then one name for each column, then the rows."""
    width = _GAP + len(head) * (CELL[0] + _GAP)
    lines = _lines(legend, width)
    begin = _HEAD * (len(lines) + 1)
    sheet = np.full((begin + len(rows) * (CELL[1] + _LINE + _GAP), width, 3), _PAPER, np.uint8)
    for line, entries in enumerate(lines):
        for x, text, colour in entries:
            cv2.rectangle(sheet, (x, line * _HEAD + 9), (x + 14, line * _HEAD + 23), colour, cv2.FILLED)
            _write(sheet, text, (x + 20, line * _HEAD + 21), width - x - 20)
    for column, text in enumerate(head):
        _write(sheet, text, (_GAP + column * (CELL[0] + _GAP), begin - 11), CELL[0], _INK)
    for row, cells in enumerate(rows):
        top = begin + row * (CELL[1] + _LINE + _GAP)
        for column, cell in enumerate(cells):
            left = _GAP + column * (CELL[0] + _GAP)
            _place(sheet[top : top + CELL[1], left : left + CELL[0]], cell.picture)
            _write(sheet, cell.caption, (left, top + CELL[1] + 17), CELL[0])
    return sheet


def mask_legend() -> list[tuple[str, tuple[int, int, int]]]:
    """What the colours of ``show_mask`` mean."""
    return [("kept, and right", _KEPT), ("kept, and should not be", _EXTRA), ("should be kept, and is not", _MISSED)]


def show_mask(rgb: U8, alpha: U8, truth: U8) -> U8:
    """The picture in grey with the mask over it, coloured by whether it is right; all of the same size."""
    kept, wanted = alpha >= 128, truth >= 128
    grey = np.repeat(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    shown: U8 = (grey * 0.55).astype(np.uint8)
    for where, colour in ((kept & wanted, _KEPT), (kept & ~wanted, _EXTRA), (~kept & wanted, _MISSED)):
        shown[where] = (grey[where] * 0.45 + np.array(colour) * 0.55).astype(np.uint8)
    return shown


def show_classes(rgb: U8, labels: Labels, colours: Colours) -> U8:
    """The picture with each class painted over it in its colour; ``colours`` is u8 [256, 3], R'G'B'."""
    grey = np.repeat(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    return np.asarray(grey * 0.35 + colours[np.clip(labels, 0, 255)] * 0.65, np.uint8)


def palette(colours: Sequence[tuple[int, int, int]] = ()) -> Colours:
    """256 colours: those that are given, then others that differ from their neighbours; "ignore" is white."""
    numbers = np.arange(256)
    # Hues a golden angle apart; OpenCV counts them from 0 to 179.
    hsv = np.stack([numbers * 111.246 % 180, 120 + numbers % 2 * 120, 120 + numbers % 3 * 60], axis=1)
    made: Colours = cv2.cvtColor(hsv.astype(np.uint8)[None], cv2.COLOR_HSV2RGB)[0]
    made[0] = (0, 0, 0)
    for index, colour in enumerate(colours[:256]):
        made[index] = colour
    made[IGNORE] = (255, 255, 255)
    return made


def check_target(path: Path) -> None:
    """See before hours of work whether ``path`` can be written.

    Raises:
        UsageError: its folder does not exist, or OpenCV does not write such files.
    """
    if path.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise UsageError(f"--sheet: {path} is no .png, .jpg or .webp")
    if not path.parent.is_dir():
        raise UsageError(f"--sheet: {path.parent} is no folder")


def write(path: Path, sheet: U8) -> None:
    """Write the sheet.

    Raises:
        UsageError: the disk would not have it.
    """
    done, encoded = cv2.imencode(path.suffix.lower(), sheet[..., ::-1])
    try:
        if not done:
            raise OSError(0, "it is too large for this format")
        path.write_bytes(encoded.tobytes())
    except OSError as exc:
        raise UsageError(f"--sheet: {path} cannot be written: {exc.strerror}") from exc


def _place(target: U8, picture: U8) -> None:
    """The whole picture in the middle of ``target``."""
    height, width = picture.shape[:2]
    factor = min(target.shape[1] / width, target.shape[0] / height)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    scaled = cv2.resize(picture, size, interpolation=method)
    left, top = (target.shape[1] - size[0]) // 2, (target.shape[0] - size[1]) // 2
    target[...] = (225, 225, 225)
    target[top : top + size[1], left : left + size[0]] = scaled


def _lines(
    legend: Sequence[tuple[str, tuple[int, int, int]]], width: int
) -> list[list[tuple[int, str, tuple[int, int, int]]]]:
    """The legend's entries with their distance from the left, in as many lines as it takes."""
    lines: list[list[tuple[int, str, tuple[int, int, int]]]] = [[]]
    x = _GAP
    for text, colour in legend:
        room = 40 + _width(text)
        if lines[-1] and x + room > width:
            lines.append([])
            x = _GAP
        lines[-1].append((x, text, colour))
        x += room
    return lines


def _width(text: str) -> int:
    return int(cv2.getTextSize(text, _FACE, _SIZE, 1)[0][0])


def _write(sheet: U8, text: str, at: tuple[int, int], room: int, ink: tuple[int, int, int] = _SOFT) -> None:
    """Write one line, cut off at ``room`` pixels. OpenCV's letters are ASCII only."""
    text = text.encode("ascii", "replace").decode()
    while _width(text) > room and len(text) > 4:
        text = text[:-4] + "..."
    cv2.putText(sheet, text, at, _FACE, _SIZE, ink, 1, cv2.LINE_AA)
