"""Makes the photographs that ``edgeseg convert`` proves models on, with the person's mask beside each of them.

They are two frames of the clip, one of them mirrored, and two in which the same figure stands smaller before another
photograph. Run ``make_clip.py`` first.
"""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
from motion import person_alpha

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "edgeseg" / "convert" / "pictures"
WIDTH, HEIGHT = 640, 360
# Where the figure of a frame is drawn into the other photograph: scale, and pixels to the right and down.
PLACES = {40: (0.9, -60.0, 36.0), 200: (0.55, 40.0, 162.0)}

Picture = npt.NDArray[np.uint8]


def frames() -> dict[int, Picture]:
    """The frames that are used, u8 [360, 640, 3] in B'G'R'."""
    wanted = {0, 120, *PLACES}
    with av.open(str(HERE / "clip.mp4")) as container:
        return {
            n: np.asarray(
                cv2.resize(picture.to_ndarray(format="bgr24"), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8
            )
            for n, picture in enumerate(container.decode(video=0))
            if n in wanted
        }


def moved(picture: Picture, place: tuple[float, float, float]) -> Picture:
    matrix = np.array([[place[0], 0, place[1]], [0, place[0], place[2]]])
    return np.asarray(cv2.warpAffine(picture, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_AREA), np.uint8)


def main() -> None:
    TARGET.mkdir(exist_ok=True)
    found = frames()
    pairs = [
        (found[0], person_alpha(0, WIDTH, HEIGHT)),
        (found[120][:, ::-1], person_alpha(120, WIDTH, HEIGHT)[:, ::-1]),
    ]
    backdrop = cv2.imread(str(HERE / "background.jpg"))
    assert backdrop is not None, "run demo/make_clip.py: background.jpg is missing"
    behind = cv2.resize(backdrop, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    for n, place in PLACES.items():
        alpha = moved(person_alpha(n, WIDTH, HEIGHT), place)
        share = alpha[..., None] / 255
        mixed = moved(found[n], place) * share + behind * (1 - share)
        pairs.append((np.asarray(np.rint(mixed), np.uint8), alpha))
    for number, (picture, alpha) in enumerate(pairs, 1):
        cv2.imwrite(str(TARGET / f"{number}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 88])
        truth = np.where(alpha >= 128, 255, 0).astype(np.uint8)
        cv2.imwrite(str(TARGET / f"{number}.png"), truth, [cv2.IMWRITE_PNG_BILEVEL, 1])


if __name__ == "__main__":
    main()
