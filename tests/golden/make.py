"""Writes the golden pictures anew: ``python -m tests.golden.make``. Look at each of them before you commit it."""

from __future__ import annotations

import cv2

from tests.golden.scene import FOLDER, GOLDENS, render


def main() -> None:
    for name in GOLDENS:
        cv2.imwrite(str(FOLDER / f"{name}.png"), render(name)[..., ::-1])
    for stale in FOLDER.glob("*.png"):
        if stale.stem not in GOLDENS:
            stale.unlink()


if __name__ == "__main__":
    main()
