"""Makes docs/images from what the daemon really puts out for frame 60 of the demo clip."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

HERE = Path(__file__).resolve().parent
IMAGES = HERE.parent / "docs" / "images"
FRAME = 60
EFFECTS: dict[str, dict[str, Any]] = {
    "replace: picture": {"effect": {"type": "replace", "picture": str(HERE / "background.jpg")}},
    "replace: magenta": {"effect": {"type": "replace", "color": "magenta"}},
    "blur": {"effect": "blur"},
    "overlay": {"effect": {"type": "overlay", "color": "cyan"}},
    "matte": {"effect": "matte"},
    "blur, mask inverted": {"effect": "blur", "mask": {"invert": True}},
}

Picture = npt.NDArray[np.uint8]


def frame_of(file: Path) -> Picture:
    """Frame 60 as u8 [h, w, 3], B'G'R'."""
    with av.open(str(file)) as container:
        for n, picture in enumerate(container.decode(video=0)):
            if n == FRAME:
                return np.asarray(picture.to_ndarray(format="bgr24"), np.uint8)
    sys.exit(f"{file} has fewer than {FRAME + 1} frames")


def put_out(stream: dict[str, Any]) -> Picture:
    """Frame 60 of what the daemon records with these settings, at a bit rate that adds nothing of its own."""
    with tempfile.TemporaryDirectory() as folder:
        config = {
            "http": {"port": 0},
            "streams": {
                "picture": {
                    "source": {"url": str(HERE / "clip.mp4"), "realtime": False, "audio": False},
                    "encoder": {"bitrate": "20M"},
                    "record": folder,
                    **stream,
                }
            },
        }
        file = Path(folder, "config.yaml")
        file.write_text(json.dumps(config))
        subprocess.run([sys.executable, "-m", "edgeseg", "run", "-c", str(file)], check=True, capture_output=True)
        return frame_of(next(Path(folder).glob("*.mp4")))


def label(picture: Picture, text: str) -> Picture:
    cv2.putText(picture, text, (12, 26), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0, 0, 0), 4, cv2.LINE_AA)
    cv2.putText(picture, text, (12, 26), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 255, 255), 1, cv2.LINE_AA)
    return picture


def small(picture: Picture, width: int) -> Picture:
    return np.asarray(cv2.resize(picture, (width, width * 9 // 16), interpolation=cv2.INTER_AREA), np.uint8)


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    results = {name: put_out(stream) for name, stream in EFFECTS.items()}
    pair = [small(frame_of(HERE / "clip.mp4"), 640), small(results["replace: picture"], 640)]
    cv2.imwrite(str(IMAGES / "before-after.jpg"), np.hstack(pair), [cv2.IMWRITE_JPEG_QUALITY, 85])
    tiles = [label(small(picture, 480), name) for name, picture in results.items()]
    sheet = np.vstack([np.hstack(tiles[:3]), np.hstack(tiles[3:])])
    cv2.imwrite(str(IMAGES / "effects.jpg"), sheet, [cv2.IMWRITE_JPEG_QUALITY, 82])


if __name__ == "__main__":
    main()
