"""``edgeseg eval`` with models that do what their name says, on pictures of a few pixels."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgeseg.commands import eval as command
from edgeseg.errors import EXIT_MODEL, EXIT_USAGE, ModelError, UsageError
from edgeseg.types import U8
from tests.tiny_models import HEIGHT, WIDTH, box, bright_model, echo_model, quarters_model, write_mask, write_picture

BOX = box(HEIGHT, WIDTH, (4, 12), (8, 24))


@pytest.fixture
def images(tmp_path: Path) -> list[str]:
    """Three pictures with their truth; the second model of each test should find the third one harder."""
    for name, truth, picture in (
        ("easy", BOX, BOX),
        ("half", BOX, box(HEIGHT, WIDTH, (4, 12), (8, 16))),
        ("dim", BOX, (BOX * 0.4).astype(np.uint8)),
    ):
        write_picture(tmp_path / "images" / f"{name}.png", picture)
        write_mask(tmp_path / "masks" / f"{name}.png", truth)
    return ["--images", str(tmp_path / "images"), "--masks", str(tmp_path / "masks")]


def run(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(argument) for argument in arguments]))


def figures(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    assert run(*arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_ranks_models_by_iou(tmp_path: Path, images: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    weak, strong = bright_model(tmp_path / "weak"), bright_model(tmp_path / "strong", gain=2)
    found = figures(capsys, weak, strong, *images)["images"]
    assert [model["model"] for model in found["models"]] == ["strong", "weak"]
    strong_one, weak_one = found["models"]
    ious = {entry["picture"]: entry["iou"] for entry in strong_one["pictures"]}
    assert ious == pytest.approx({"easy": 1, "half": 0.5, "dim": 1})
    assert strong_one["iou"] == pytest.approx(2.5 / 3)
    assert weak_one["iou"] == pytest.approx(1.5 / 3)
    assert weak_one["pictures"][0]["picture"] == "dim"
    assert weak_one["difference"] > strong_one["difference"]

    assert run(weak, strong, *images) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("3 pictures; boundary within 0.80%")
    assert lines[1].split() == ["model", "IoU", "mean", "IoU", "boundary", "F", "difference", "worst", "picture"]
    assert lines[2].split()[:3] == ["strong", "0.8333", "0.8333"]
    assert lines[3].split()[0] == "weak"
    assert lines[3].endswith("0.000 (dim)")
    assert len({len(line) for line in lines[2:4]}) == 1, "columns are not aligned"


def test_a_limit_takes_some_of_the_pictures(
    tmp_path: Path, images: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    bright = bright_model(tmp_path / "bright")
    assert len(figures(capsys, bright, *images, "--limit", 2)["images"]["models"][0]["pictures"]) == 2
    assert len(figures(capsys, bright, *images, "--limit", 9)["images"]["models"][0]["pictures"]) == 3


def test_a_wider_tolerance_forgives_more(tmp_path: Path, images: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    bright = bright_model(tmp_path / "bright")
    narrow, wide = (
        figures(capsys, bright, *images, "--tolerance", share)["images"]["models"][0]["boundary_f"]
        for share in ("0.01", "0.3")
    )
    assert narrow < wide


def test_each_picture_is_the_first_to_a_model_that_remembers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, picture in (("1", np.full((HEIGHT, WIDTH), 255, np.uint8)), ("2", BOX)):
        write_picture(tmp_path / "images" / f"{name}.png", picture)
        write_mask(tmp_path / "masks" / f"{name}.png", picture)
    folders = ("--images", tmp_path / "images", "--masks", tmp_path / "masks")
    found = figures(capsys, echo_model(tmp_path / "echo"), *folders)["images"]["models"][0]
    assert found["iou"] == pytest.approx(1), "the mask of the picture before was still there"


def test_refined_masks_are_what_the_daemon_shows(
    tmp_path: Path, images: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A veil of 30 % is not kept either way, and the smooth step takes it away altogether."""
    write_picture(tmp_path / "images" / "easy.png", np.maximum(BOX, 70))
    bright = bright_model(tmp_path / "bright")
    raw, refined = (figures(capsys, bright, *images, *more)["images"]["models"][0] for more in ((), ("--refined",)))
    easy = [next(entry for entry in model["pictures"] if entry["picture"] == "easy") for model in (raw, refined)]
    assert easy[0]["difference"] > 0.15
    assert easy[1]["difference"] < 0.08


def test_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = np.repeat(np.arange(4, dtype=np.uint8), WIDTH // 4)[None].repeat(HEIGHT, axis=0)
    write_picture(tmp_path / "images" / "steps.png", truth * 64 + 32)
    wrong = truth.copy()
    wrong[: HEIGHT // 2, : WIDTH // 4] = 1
    wrong[-4:] = 9
    write_mask(tmp_path / "masks" / "steps.png", wrong)
    folders = ("--images", tmp_path / "images", "--masks", tmp_path / "masks", "--classes")
    model = quarters_model(tmp_path / "quarters")
    found = figures(capsys, model, *folders, "--ignore", "9")["classes"]["models"][0]
    assert found["pixels"] == WIDTH * (HEIGHT - 4)
    assert found["accuracy"] == pytest.approx(1 - 8 * 8 / (32 * 12))
    assert found["classes"] == pytest.approx({"0": 1 / 3, "1": 12 / 20, "2": 1, "3": 1})

    assert run(model, *folders, "--ignore", "9", "--sheet", tmp_path / "sheet.png") == 0
    printed = capsys.readouterr().out
    assert "quarters    83.33%    0.7333        4  83.33% (steps)" in printed
    assert "0 black    0.3333" in printed
    drawn = cv2.imread(str(tmp_path / "sheet.png"))
    assert drawn is not None
    assert drawn.shape[1] > 3 * 320


def test_the_sheet_shows_the_worst_pictures(
    tmp_path: Path, images: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    bright = bright_model(tmp_path / "bright")
    sheets = []
    for count in (1, 2):
        assert run(bright, *images, "--sheet", tmp_path / "sheet.png", "--worst", count) == 0
        sheets.append(cv2.imread(str(tmp_path / "sheet.png")))
    row = sheets[1].shape[0] - sheets[0].shape[0]
    assert row > 240
    missed = sheets[0][-row:][100, 340 + 330 + 100 : 340 + 330 + 200].astype(int)  # the dim one: everything is missed
    assert (missed[:, 0] > missed[:, 2] + 50).any(), "nothing blue"
    assert not (missed[:, 2] > missed[:, 0] + 50).any(), "something red"


def clip(path: Path, frames: list[U8]) -> Path:
    """Uncompressed grey pictures, ten a second."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("rawvideo", rate=10)
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], "yuv420p"
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame.repeat(3).reshape(*frame.shape, 3), format="rgb24")
            for packet in stream.encode(picture.reformat(format="yuv420p")):
                container.mux(packet)
    return path


def test_flicker_of_a_clip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the picture rests, only a model that remembers goes on changing; what moves is no flicker."""
    still = box(64, 128, (16, 48), (0, 32), inside=255)
    moving = [still | box(64, 128, (0, 64), (96, 128), inside=255 * (n % 2)) for n in range(6)]
    models = [bright_model(tmp_path / "bright"), echo_model(tmp_path / "echo")]
    path = clip(tmp_path / "clip.nut", [np.full((64, 128), 255, np.uint8)] + [still] * 6)
    found = {entry["model"]: entry for entry in figures(capsys, *models, "--clip", path)["clip"]["models"]}
    assert found["bright"]["frames"] == 7
    assert found["bright"]["flicker"] < 0.002, "only where an enlarged pixel reaches across the edge"
    assert found["echo"]["flicker"] > 0.02, "its mask fades for a while after the picture has come to rest"
    assert 0.7 < found["bright"]["still"] < 1

    path = clip(tmp_path / "moving.nut", moving)
    found = figures(capsys, models[0], "--clip", path, "--frames", 4)["clip"]["models"][0]
    assert found["frames"] == 4
    assert found["flicker"] < 0.01, "what moves is no flicker"
    assert 0.5 < found["still"] < 0.8

    assert run(*models, "--clip", path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("6 frames;")
    assert lines[1].split() == ["model", "flicker", "flips", "still", "pixels"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), r"nothing to evaluate on \(give --images and --masks, or --clip\)"),
        (("--images", "x"), "--images is nothing without --masks"),
        (("--masks", "x"), "--masks is nothing without --images"),
        (("--clip", "x", "--classes"), "--classes is about pictures"),
        (("--clip", "x", "--sheet", "x.png"), "--sheet is about pictures"),
        (("--clip", "x", "--images", "x", "--masks", "x", "--classes"), "--classes and --clip do not go together"),
        (("--images", "x", "--masks", "x", "--ignore", "3"), r"--ignore is about classes \(add --classes\)"),
        (("--images", "x", "--masks", "x", "--sheet", "/absent/x.png"), "--sheet: /absent is no folder"),
        (("--images", "/absent", "--masks", "x"), "--images: /absent is no folder"),
        (("--clip", "/absent.mp4"), r"--clip: /absent\.mp4 does not exist"),
    ],
    ids=str,
)
def test_options_that_do_not_fit(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as caught:
        run(bright_model(tmp_path / "bright"), *arguments)
    assert caught.value.exit_code == EXIT_USAGE


@pytest.mark.parametrize(
    "arguments",
    [("--frames", "0"), ("--limit", "x"), ("--tolerance", "2"), ("--tolerance", "x"), ("--ignore", "a,3")],
    ids=str,
)
def test_numbers_that_cannot_be(arguments: tuple[str, str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run("any", *arguments)
    assert caught.value.code == EXIT_USAGE


def test_models_that_cannot_be(tmp_path: Path, images: list[str]) -> None:
    with pytest.raises(ModelError, match="no model is called 'selfi'") as caught:
        run("selfi", *images)
    assert caught.value.exit_code == EXIT_MODEL
    bright = bright_model(tmp_path / "bright")
    with pytest.raises(UsageError, match="is named twice"):
        run(bright, bright, *images)
    (bright / "model.xml").write_text("<net>")
    for more in ((), ("--classes",)):
        with pytest.raises(ModelError, match=r"model\.xml cannot be read"):
            run(bright, *images, *more)
    with pytest.raises(UsageError, match="no backend is called 'nonsense'"):
        run(bright_model(tmp_path / "other"), *images, "--backend", "nonsense")


def test_two_folders_of_the_same_name_are_told_apart(
    tmp_path: Path, images: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    models = [bright_model(tmp_path / "a" / "bright"), bright_model(tmp_path / "b" / "bright", gain=2)]
    found = figures(capsys, *models, *images)["images"]["models"]
    assert [model["model"] for model in found] == [str(models[1]), str(models[0])]


def test_clips_that_cannot_be(tmp_path: Path) -> None:
    bright = bright_model(tmp_path / "bright")
    (tmp_path / "text.mp4").write_text("no clip")
    with pytest.raises(UsageError, match=r"--clip: .*text\.mp4") as caught:
        run(bright, "--clip", tmp_path / "text.mp4")
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match=r"one\.nut has 1 frames, and flicker is between two"):
        run(bright, "--clip", clip(tmp_path / "one.nut", [BOX]))
