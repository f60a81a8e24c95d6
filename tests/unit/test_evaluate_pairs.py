"""Pictures find their truth, and are read as they are stored."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeseg import pictures
from edgeseg.colour import rgb_from_i420
from edgeseg.errors import UsageError
from edgeseg.evaluate.pairs import COLOUR, as_frame, find_pairs, read_classes, read_mask
from edgeseg.types import U8
from tests.tiny_models import box, write_mask, write_picture


def palette_png(labels: U8) -> bytes:
    """A PNG with a palette whose colours say nothing about the numbers, as Pascal VOC's truth is stored."""
    height, width = labels.shape
    colours = np.random.default_rng(0).integers(0, 256, (256, 3), np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in labels)

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = [(b"IHDR", header), (b"PLTE", colours.tobytes()), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def turned(jpeg: bytes) -> bytes:
    """The same JPEG with an EXIF note that the camera was held upside down (orientation 3)."""
    note = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0\0\0\0\0"
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(note) + 2) + note + jpeg[2:]


def test_names_before_the_dot_match_in_the_order_of_numbers(tmp_path: Path) -> None:
    for name in ("10.png", "9.png", "7.png", "b.png", "no mask.png"):
        write_picture(tmp_path / "images" / name, box(4, 4, (0, 2), (0, 2)))
    for name in ("9.bmp", "10.png", "7.PNG", "b.png", "no picture.png"):
        write_mask(tmp_path / "masks" / name, box(4, 4, (0, 2), (0, 2)))
    (tmp_path / "images" / "b.txt").write_text("no picture")
    pairs = find_pairs(tmp_path / "images", tmp_path / "masks")
    assert [(pair.name, pair.mask.name) for pair in pairs] == [
        ("b", "b.png"),
        ("7", "7.PNG"),
        ("9", "9.bmp"),
        ("10", "10.png"),
    ]


def test_folders_that_do_not_fit(tmp_path: Path) -> None:
    images, masks = tmp_path / "images", tmp_path / "masks"
    with pytest.raises(UsageError, match=r"--images: .*images is no folder"):
        find_pairs(images, masks)
    write_picture(images / "1.png", box(4, 4, (0, 2), (0, 2)))
    masks.mkdir()
    with pytest.raises(UsageError, match=r"--masks: no picture lies in .*masks \(looked for \.bmp"):
        find_pairs(images, masks)
    write_mask(masks / "1_mask.png", box(4, 4, (0, 2), (0, 2)))
    with pytest.raises(UsageError, match=r"none of the 1 masks in .* is called as one of the 1 pictures"):
        find_pairs(images, masks)
    write_picture(images / "1.bmp", box(4, 4, (0, 2), (0, 2)))
    with pytest.raises(UsageError, match=r"1\.bmp and 1\.png in .* have the same name"):
        find_pairs(images, masks)


def test_how_the_camera_was_held_is_not_asked(tmp_path: Path) -> None:
    done, jpeg = cv2.imencode(".jpg", box(16, 16, (0, 8), (0, 16))[..., None].repeat(3, axis=2))
    assert done
    for name, content in (("plain.jpg", jpeg.tobytes()), ("turned.jpg", turned(jpeg.tobytes()))):
        (tmp_path / name).write_bytes(content)
    assert cv2.imread(str(tmp_path / "turned.jpg")).argmax() != cv2.imread(str(tmp_path / "plain.jpg")).argmax()
    np.testing.assert_array_equal(pictures.read(tmp_path / "turned.jpg"), pictures.read(tmp_path / "plain.jpg"))


def test_pictures_are_rgb(tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "red.png"), np.full((2, 2, 3), (0, 0, 255), np.uint8))
    assert pictures.read(tmp_path / "red.png")[0, 0].tolist() == [255, 0, 0]


def test_a_mask_of_another_size_is_brought_to_that_of_the_picture(tmp_path: Path) -> None:
    write_mask(tmp_path / "half.png", box(20, 30, (5, 15), (10, 20)))
    whole = read_mask(tmp_path / "half.png", (60, 40))
    assert whole.shape == (40, 60)
    np.testing.assert_array_equal(whole >= 128, box(40, 60, (10, 30), (20, 40)) >= 128)
    small = read_mask(tmp_path / "half.png", (15, 10))
    assert small.shape == (10, 15)
    assert 0.9 < small.sum() / 255 / (50 / 2) < 1.1


def test_masks_may_have_three_equal_channels_and_no_colours(tmp_path: Path) -> None:
    write_picture(tmp_path / "grey.png", box(4, 4, (0, 2), (0, 2)))
    np.testing.assert_array_equal(read_mask(tmp_path / "grey.png", (4, 4)), box(4, 4, (0, 2), (0, 2)))
    (tmp_path / "palette.png").write_bytes(palette_png(np.eye(4, dtype=np.uint8)))
    with pytest.raises(UsageError, match=r"palette\.png is no mask: it is in colours"):
        read_mask(tmp_path / "palette.png", (4, 4))
    assert cv2.imwrite(str(tmp_path / "deep.png"), np.zeros((4, 4), np.uint16))
    with pytest.raises(UsageError, match=r"deep\.png is no mask: it holds uint16"):
        read_mask(tmp_path / "deep.png", (4, 4))


def test_classes_are_the_numbers_of_a_palette_or_grey(tmp_path: Path) -> None:
    labels = np.arange(20, dtype=np.uint8).reshape(4, 5) * 13
    (tmp_path / "palette 100%d.png").write_bytes(palette_png(labels))
    write_mask(tmp_path / "grey.png", labels)
    write_mask(tmp_path / "grey.bmp", labels)
    for name in ("palette 100%d.png", "grey.png", "grey.bmp"):
        np.testing.assert_array_equal(read_classes(tmp_path / name, (5, 4)), labels, err_msg=name)
    doubled = read_classes(tmp_path / "grey.png", (10, 8))
    np.testing.assert_array_equal(doubled, labels.repeat(2, axis=0).repeat(2, axis=1))


def test_classes_in_colours_are_refused(tmp_path: Path) -> None:
    write_picture(tmp_path / "colours.png", box(4, 4, (0, 2), (0, 2)))
    with pytest.raises(UsageError, match=r"colours\.png is no map of classes: its pixels are rgb24"):
        read_classes(tmp_path / "colours.png", (4, 4))


@pytest.mark.parametrize(
    "read", [pictures.read, lambda path: read_mask(path, (4, 4)), lambda p: read_classes(p, (4, 4))]
)
@pytest.mark.parametrize("content", [b"", b"just some text, renamed", None], ids=["empty", "text", "absent"])
def test_what_is_no_picture_is_named(tmp_path: Path, read: object, content: bytes | None) -> None:
    path = tmp_path / "broken.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"broken\.png is no picture that can be read"):
        read(path)  # type: ignore[operator]


@pytest.mark.parametrize("size", [(8, 6), (9, 7), (1, 1)])
def test_a_picture_becomes_a_frame_of_the_same_size(size: tuple[int, int]) -> None:
    width, height = size
    rgb = np.full((height, width, 3), (200, 90, 30), np.uint8)
    frame = as_frame(rgb)
    assert (frame.width, frame.height) == size
    assert frame.u.shape == frame.v.shape == ((height + 1) // 2, (width + 1) // 2)
    assert frame.colour == COLOUR
    back = rgb_from_i420(frame.y, frame.u, frame.v, frame.colour)
    np.testing.assert_allclose(back, rgb, atol=3)
