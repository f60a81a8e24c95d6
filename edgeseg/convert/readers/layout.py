"""Which way round a model takes pictures, and filling in the sizes that it leaves open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgeseg.errors import UsageError
from edgeseg.ovruntime import reason

_CHANNELS = (3, 4)  # a picture's, and those of a picture with the mask of the frame before


def settle(path: Path, model: Any, usual: str, size: tuple[int, int] | None) -> str:
    """The layout of the picture that ``model`` takes, "NHWC" or "NCHW"; ``usual`` where its shape does not tell.

    An open number of pictures becomes one. With ``size`` (width, height), the open sides of the picture are fixed in
    ``model``; even the number of its axes may be open. Sides that the file fixes stay: whoever asked for others is told
    so by the caller.

    Raises:
        UsageError: the model does not work at this size.
    """
    index, shape = _picture(model)
    if index is None:
        return usual
    layout = usual if shape.rank.is_dynamic else _layout(shape, usual)
    if shape.is_static or (size is None and shape.rank.is_dynamic):
        return layout
    width, height = size or (-1, -1)
    wanted = [1, height, width, 3] if layout == "NHWC" else [1, 3, height, width]
    if size is None:
        wanted[1:] = [-1, -1, -1]
    if shape.rank.is_static:
        wanted = [side.get_length() if side.is_static else number for side, number in zip(shape, wanted, strict=True)]
    try:
        model.reshape({index: wanted})
    except RuntimeError as exc:
        raise UsageError(f"{path} cannot take {_sides(size)} pictures: {reason(exc)}") from exc
    return layout


def _sides(size: tuple[int, int] | None) -> str:
    return f"{size[0]}x{size[1]}" if size else "single"


def _picture(model: Any) -> tuple[int | None, Any]:
    """The first input that can be a picture, and its shape."""
    for index, port in enumerate(model.inputs):
        shape = port.get_partial_shape()
        if (shape.rank.is_dynamic and len(model.inputs) == 1) or (shape.rank.is_static and len(shape) == 4):
            return index, shape
    return None, None


def _layout(shape: Any, usual: str) -> str:
    """By the axis of three channels, or else of four; ``usual`` where that does not tell."""
    first, last = (side.get_length() if side.is_static else 0 for side in (shape[1], shape[3]))
    for channels in _CHANNELS:
        if (first == channels) != (last == channels):
            return "NCHW" if first == channels else "NHWC"
    return usual
