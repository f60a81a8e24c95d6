"""Very small models with recipes, and pictures of which one knows what they have to answer."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edgeseg.ovruntime import ov
from edgeseg.recipes import dump_recipe
from edgeseg.types import U8, OutputKind, Recipe

WIDTH, HEIGHT = 32, 16


def bright_model(folder: Path, *, gain: float = 1.0, width: int = WIDTH, height: int = HEIGHT) -> Path:
    """A model that keeps what is bright: ``gain`` times the mean of the three channels, as a probability."""
    ops = ov.opset13
    picture = ops.parameter([1, height, width, 3], np.float32)
    mean = ops.reduce_mean(picture, np.array([3]), keep_dims=True)
    answer = ops.clamp(ops.multiply(mean, np.float32(gain)), 0.0, 1.0)
    return _save(ov.Model([ops.result(answer)], [picture], "bright"), folder, width=width, height=height)


def echo_model(folder: Path) -> Path:
    """A model that reads its own last mask: bright pixels, and half of what was kept in the frame before."""
    ops = ov.opset13
    picture = ops.parameter([1, HEIGHT, WIDTH, 4], np.float32)
    parts = ops.split(picture, np.int64(3), 4)
    answer = ops.maximum(parts.output(0), ops.multiply(parts.output(3), np.float32(0.75)))
    return _save(ov.Model([ops.result(answer)], [picture], "echo"), folder, prior_channel=True)


def quarters_model(folder: Path) -> Path:
    """A model of four classes, by how bright a pixel is: i64 [1, h, w], 0 for the darkest quarter to 3."""
    ops = ov.opset13
    picture = ops.parameter([1, HEIGHT, WIDTH, 3], np.uint8)
    mean = ops.reduce_mean(ops.convert(picture, "f32"), np.array([3]))
    answer = ops.convert(ops.floor(ops.divide(mean, np.float32(64))), "i64")
    return _save(
        ov.Model([ops.result(answer)], [picture], "quarters"),
        folder,
        kind=OutputKind.LABELS,
        scale_values=(1.0,),
        keep=(3,),
        labels=("black", "dark", "light", "white"),
    )


def _save(model: object, folder: Path, *, width: int = WIDTH, height: int = HEIGHT, **facts: object) -> Path:
    folder.mkdir(parents=True)
    ov.save_model(model, str(folder / "model.xml"), compress_to_fp16=False)
    recipe = Recipe(folder.name, str(folder / "model.xml"), width, height, **facts)  # type: ignore[arg-type]
    (folder / "model.yaml").write_text(dump_recipe(recipe))
    return folder


def write_picture(path: Path, grey: U8) -> None:
    """``grey``, u8 [h, w], as a picture in colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.repeat(grey[..., None], 3, axis=2))


def write_mask(path: Path, mask: U8) -> None:
    """``mask``, u8 [h, w], as a picture of one channel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), mask)


def box(height: int, width: int, rows: tuple[int, int], columns: tuple[int, int], inside: int = 255) -> U8:
    """u8 [height, width], ``inside`` in a rectangle and 0 around it."""
    picture = np.zeros((height, width), np.uint8)
    picture[slice(*rows), slice(*columns)] = inside
    return picture
