"""The contact sheet shows what it says."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeseg.errors import UsageError
from edgeseg.evaluate import sheet
from edgeseg.evaluate.classes import IGNORE
from edgeseg.types import U8
from tests.tiny_models import box

WHITE = np.full((240, 320, 3), 255, np.uint8)


def colour_at(picture: U8, y: int, x: int) -> str:
    red, green, blue = (int(level) for level in picture[y, x])
    return {red: "red", green: "green", blue: "blue"}[max(red, green, blue)] if len({red, green, blue}) > 1 else "grey"


def test_right_wrong_and_missed_differ() -> None:
    alpha, truth = box(240, 320, (0, 240), (0, 200)), box(240, 320, (0, 240), (100, 300))
    shown = sheet.show_mask(WHITE, alpha, truth)
    assert [colour_at(shown, 100, x) for x in (50, 150, 250, 310)] == ["red", "green", "blue", "grey"]


def test_rows_and_columns_are_where_they_belong() -> None:
    cells = [[sheet.Cell(np.full_like(WHITE, 10 * (1 + row * 2 + column)), "a") for column in (0, 1)] for row in (0, 1)]
    drawn = sheet.draw(["one", "two"], cells, [("legend", (255, 0, 0))])
    plain = sheet.draw(["one", "two"], [], [("legend", (255, 0, 0))])
    width, height = sheet.CELL
    assert drawn.shape[1] == plain.shape[1] > 2 * width
    top = plain.shape[0]
    step = (drawn.shape[0] - top) // 2
    for row in (0, 1):
        for column in (0, 1):
            y, x = top + row * step + height // 2, width // 2 + column * (width + 8) + 8
            assert drawn[y, x].tolist() == [10 * (1 + row * 2 + column)] * 3
    assert [255, 0, 0] in drawn[:30].reshape(-1, 3).tolist()


def test_a_picture_of_another_shape_is_shown_whole() -> None:
    tall = np.zeros((400, 100, 3), np.uint8)
    tall[:10], tall[-10:] = (255, 0, 0), (0, 0, 255)
    drawn = sheet.draw(["one"], [[sheet.Cell(tall, "")]], [])
    columns = drawn[:, 8 + sheet.CELL[0] // 2].astype(int)
    reds, blues = (np.flatnonzero((columns == colour).all(axis=1)) for colour in ((255, 0, 0), (0, 0, 255)))
    assert blues.max() - reds.min() == sheet.CELL[1] - 1


def test_a_long_name_stays_in_its_column_and_a_long_legend_wraps() -> None:
    names = ["x" * 200, "two"]
    drawn = sheet.draw(names, [], [])
    between = drawn[:, 8 + sheet.CELL[0] : 16 + sheet.CELL[0]]
    assert np.all(between == 250), "the first name runs into the second column"
    one_line = sheet.draw(names, [], [("word", (255, 0, 0))])
    several = sheet.draw(names, [], [("a long word", (255, 0, 0))] * 20)
    assert several.shape[0] > 2 * one_line.shape[0]
    assert several.shape[1] == one_line.shape[1]


def test_colours_of_classes_differ_and_given_ones_are_kept() -> None:
    colours = sheet.palette([(1, 2, 3), (4, 5, 6)])
    assert colours[:2].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert colours[IGNORE].tolist() == [255, 255, 255]
    made = sheet.palette().astype(int)[:21]
    distances = np.abs(made[:, None] - made).sum(axis=2) + 1000 * np.eye(21, dtype=int)
    assert distances.min() > 30
    shown = sheet.show_classes(WHITE, np.arange(320)[None].repeat(240, axis=0) // 160, colours)
    assert shown[0, 0].tolist() != shown[0, 319].tolist()


def test_it_is_written_as_it_was_drawn(tmp_path: Path) -> None:
    drawn = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    sheet.write(tmp_path / "sheet.png", drawn)
    read = cv2.imread(str(tmp_path / "sheet.png"))
    assert read is not None
    np.testing.assert_array_equal(read[..., ::-1], drawn)


def test_where_it_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--sheet: .*sheet\.pdf is no \.png"):
        sheet.check_target(tmp_path / "sheet.pdf")
    with pytest.raises(UsageError, match=r"--sheet: .*absent is no folder"):
        sheet.check_target(tmp_path / "absent" / "sheet.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(UsageError, match=r"folder\.png cannot be written: Is a directory"):
        sheet.write(tmp_path / "folder.png", WHITE)
