"""Pascal VOC 2012: 20 classes and the background. Ground truth marks borders with 255, which no model answers."""

from __future__ import annotations

from edgeseg.labels.table import LabelTable, bit_colors

TABLE = LabelTable(
    "Pascal VOC",
    (
        "background",
        *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
        *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
    ),
    bit_colors(21),
)
