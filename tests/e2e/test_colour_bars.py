"""Colour bars through the whole daemon: the colours come out as they went in, and the tags say how to read them."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from edgeseg.colour import rgb_from_yuv, yuv_of
from edgeseg.types import Colour, Matrix
from tests.e2e.daemon import Daemon
from tests.equipment.read_clip import Picture, read_pictures
from tests.equipment.third_party import install
from tests.equipment.write_clip import Planes, blank, write_clip

pytestmark = pytest.mark.e2e

_WIDTH, _HEIGHT = 640, 360
# R'G'B' bars of 75 %, as test generators draw them, and grey steps below them.
_BARS = [(180 * r, 180 * g, 180 * b) for g, r, b in itertools.product((1, 0), repeat=3)]
_GREYS = [(level, level, level) for level in (0, 36, 73, 109, 146, 182, 219, 255)]
# H.273 code points of a consistent set for each matrix: primaries, transfer, matrix.
_TAGS = {Matrix.BT601: (6, 6, 6), Matrix.BT709: (1, 1, 1)}
# CIE 1976; 1 is what a trained eye can just see. Eight bits and H.264 cost about half of it.
_MOST_DELTA_E = 2.0
_MODEL_YAML = "name: all\nfile: model.bin\nwidth: 64\nheight: 64\n"
_KEEPER = """
import numpy as np
from tests.fakes_backend import StubBackend


class KeepsAll(StubBackend):
    def __init__(self, precision="auto", streams=1, cache_dir=None):
        super().__init__(precision, streams, cache_dir, answer=lambda p: np.full(p.shape[:2], 255, np.uint8))
"""
WAYS: dict[str, dict[str, Any]] = {
    "passthrough": {"effect": "passthrough", "allow_uncovered": True},
    "a mask that keeps all": {"effect": {"type": "replace", "color": "#00ff00"}},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("full_range", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", list(Matrix))
def test_bars_come_out_as_they_went_in(tmp_path: Path, matrix: Matrix, full_range: bool, way: str) -> None:
    primaries, transfer, _ = _TAGS[matrix]
    colour = Colour(matrix, full_range, primaries, transfer)
    clip = tmp_path / "clip.mp4"
    write_clip(clip, [(Fraction(n, 25), _bars(colour)) for n in range(10)], colour=colour, crf=4)
    recording = _through_the_daemon(tmp_path, clip, WAYS[way])
    assert _tags_of(recording) == (primaries, transfer, _TAGS[matrix][2], 2 if full_range else 1)
    sent, got = read_pictures(clip)[-1], read_pictures(recording)[-1]
    distances = []
    for row, colours in ((_HEIGHT // 4, _BARS), (3 * _HEIGHT // 4, _GREYS)):
        for index, rgb in enumerate(colours):
            column = (2 * index + 1) * _WIDTH // 16
            assert _delta_e(_rgb(sent, row, column, colour), rgb) < _MOST_DELTA_E, "the clip itself is wrong"
            found = _rgb(got, row, column, colour)
            distances.append(_delta_e(found, rgb))
            assert distances[-1] < _MOST_DELTA_E, f"{found} for {rgb}"
    print(f"farthest colour: {max(distances):.2f}")


@pytest.mark.parametrize(("height", "matrix"), [(360, Matrix.BT601), (720, Matrix.BT709)])
def test_bars_without_tags_get_the_ones_that_players_assume(tmp_path: Path, height: int, matrix: Matrix) -> None:
    """And so nobody has to assume any more; what nobody knows stays unspecified (2)."""
    planes = blank(height * 16 // 9, height, yuv_of(_BARS[2], Colour(matrix)))
    clip = tmp_path / "clip.mp4"
    write_clip(clip, [(Fraction(n, 25), planes) for n in range(5)], colour=None)
    recording = _through_the_daemon(tmp_path, clip, WAYS["passthrough"])
    primaries, transfer, number, extent = _tags_of(recording)
    assert (number in {Matrix.BT601: {5, 6}, Matrix.BT709: {1}}[matrix], extent) == (True, 1)
    assert (primaries, transfer) == (2, 2)


def _through_the_daemon(folder: Path, clip: Path, way: dict[str, Any]) -> Path:
    (folder / "model").mkdir()
    (folder / "model" / "model.yaml").write_text(_MODEL_YAML)
    (folder / "model" / "model.bin").write_bytes(b"none is needed")
    env = install(folder, {"backends": {"all": "keeps_all:KeepsAll"}}, keeps_all=_KEEPER)
    stream = {
        "source": {"url": str(clip), "realtime": False},
        "model": {"name": str(folder / "model"), "backend": "all"},
        "encoder": {"bitrate": "8M"},
        "record": {"directory": str(folder / "recordings"), "segment_s": 600},
        **way,
    }
    with Daemon(folder, {"s": stream}, env=env) as daemon:
        assert daemon.wait_end(60) == 0
    assert " error " not in daemon.log(), daemon.log()
    (recording,) = (folder / "recordings").glob("*.mp4")
    return recording


def _tags_of(file: Path) -> tuple[int, int, int, int]:
    """Primaries, transfer, matrix and range, as a decoder sees them."""
    with av.open(str(file)) as container:
        picture = next(container.decode(video=0))
        assert isinstance(picture, av.VideoFrame)
        tags = picture.color_primaries, picture.color_trc, picture.colorspace, picture.color_range
        primaries, transfer, matrix, extent = map(int, tags)
        return primaries, transfer, matrix, extent


def _bars(colour: Colour) -> Planes:
    planes = blank(_WIDTH, _HEIGHT)
    for part, colours in enumerate((_BARS, _GREYS)):
        for index, rgb in enumerate(colours):
            for plane, value in zip(planes, yuv_of(rgb, colour), strict=True):
                height, width = plane.shape[0] // 2, plane.shape[1] // 8
                plane[part * height : (part + 1) * height, index * width : (index + 1) * width] = value
    return planes


def _rgb(picture: Picture, row: int, column: int, colour: Colour) -> tuple[float, ...]:
    """The colour round a place, read as ``colour`` says."""
    yuv = [
        float(picture.y[row - 8 : row + 8, column - 8 : column + 8].mean()),
        *(
            float(plane[row // 2 - 4 : row // 2 + 4, column // 2 - 4 : column // 2 + 4].mean())
            for plane in (picture.u, picture.v)
        ),
    ]
    return tuple(rgb_from_yuv(colour.matrix, colour.full_range) @ np.array([*yuv, 1.0]))


def _delta_e(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """The distance of two R'G'B' colours in CIE L*a*b* (D65), read as sRGB."""
    return float(np.linalg.norm(_lab(one) - _lab(other)))


def _lab(rgb: tuple[float, ...]) -> np.ndarray:
    value = np.clip(np.array(rgb) / 255, 0, 1)
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    xyz /= np.array([0.9505, 1.0, 1.0890])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])
