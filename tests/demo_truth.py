"""What is true of the bundled clip: where it lies, and where the person is in each of its frames."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

DEMO = Path(__file__).resolve().parents[1] / "demo"
CLIP = DEMO / "clip.mp4"
BACKGROUND = DEMO / "background.jpg"


def _motion() -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo_motion", DEMO / "motion.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


motion = _motion()
person_alpha = motion.person_alpha
FRAMES: int = motion.FRAMES
FPS: int = motion.FPS
SIZE: tuple[int, int] = (motion.WIDTH, motion.HEIGHT)
