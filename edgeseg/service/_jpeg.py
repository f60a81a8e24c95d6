"""A composited frame as a JPEG file."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edgeseg.types import U8, Colour, Frame, Matrix

# Weights of red and blue in luma (ITU-R BT.601 and BT.709).
_KR_KB = {Matrix.BT601: (0.299, 0.114), Matrix.BT709: (0.2126, 0.0722)}


def encode_jpeg(frame: Frame, quality: int = 90) -> bytes:
    """``frame`` as JPEG with the colours that its own matrix and range mean. A few milliseconds at 720p."""
    ok, encoded = cv2.imencode(".jpg", to_bgr(frame), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise RuntimeError(f"opencv could not encode a {frame.width}x{frame.height} jpeg")
    return bytes(encoded.data)


def to_bgr(frame: Frame) -> U8:
    """u8 [height, width, 3] in blue, green, red order.

    OpenCV's own I420 conversion knows BT.601 limited range only, hence the matrix.
    """
    height, width = frame.y.shape
    chroma_rows, chroma_columns = frame.u.shape
    doubled = (2 * chroma_columns, 2 * chroma_rows)  # one more than the picture where its size is odd
    u, v = (cv2.resize(plane, doubled, interpolation=cv2.INTER_LINEAR)[:height, :width] for plane in (frame.u, frame.v))
    bgr = cv2.transform(cv2.merge([frame.y, u, v]), yuv_to_bgr(frame.colour))
    return np.asarray(bgr, dtype=np.uint8)


def yuv_to_bgr(colour: Colour) -> npt.NDArray[np.float32]:
    """f32 [3, 4]: (y, u, v, 1) in 0..255 to (b, g, r) in 0..255."""
    kr, kb = _KR_KB[colour.matrix]
    kg = 1 - kr - kb
    luma, chroma, black = (1.0, 1.0, 0.0) if colour.full_range else (255 / 219, 255 / 224, 16.0)
    from_u, from_v = 2 * (1 - kb) * chroma, 2 * (1 - kr) * chroma
    linear = np.array(
        [
            [luma, from_u, 0.0],
            [luma, -from_u * kb / kg, -from_v * kr / kg],
            [luma, 0.0, from_v],
        ]
    )
    offset = -linear @ np.array([black, 128.0, 128.0])
    return np.column_stack([linear, offset]).astype(np.float32)
