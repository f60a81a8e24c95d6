"""How far masks and pictures are from a slow reference in floating point, ``tests/reference``.

Every effect, size, colour and kernel on a picture of the bundled clip; masks on clip, photographs and, where it is
there, the test material's clip of walkers. Nothing is timed.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np
import script
from cost import ROOT
from report import table

sys.path.insert(0, str(ROOT))

from edgeseg.backends.openvino import OpenVinoBackend
from edgeseg.masks import MaskRefiner, RefineSettings
from edgeseg.recipes import find_model, load_recipe
from edgeseg.sampling import Sampler
from edgeseg.types import U8, Frame
from tests.reference import material
from tests.reference.cases import CASES, available, kernel, overlap, psnr, render, worst
from tests.reference.effects import rounded
from tests.reference.masks import Masks
from tests.reference.model import probability, sampled
from tests.shared import has_shared, shared

MODELS = ("selfie", "selfie-landscape")
WALKERS = ("video", "one-by-one-person-detection.mp4")
QUICK = ("360p", "854x480")
SAME = 999.0  # instead of infinity, which JSON does not have


def effects(sizes: Iterable[str], colours: Iterable[str]) -> dict[str, Any]:
    """The worst plane's PSNR in dB by effect and size, over kernels and colours; and by kernel, over everything."""
    by_effect: dict[str, dict[str, float]] = {effect: dict.fromkeys(sizes, SAME) for effect in CASES}
    by_kernel = dict.fromkeys(available(), SAME)
    picture, alpha = next(material.clip_pictures(material.CLIP, (0,))), material.mask()
    for size in sizes:
        for colour in colours:
            frame = material.frame_of(picture, material.SIZES[size], material.COLOURS[colour])
            for effect, case in CASES.items():
                expected = rounded(case.reference(frame, alpha / 255))
                for name in by_kernel:
                    with kernel(name):
                        product = case.product()
                    found = worst(render(product, frame, alpha), expected)
                    by_effect[effect][size] = min(by_effect[effect][size], found)
                    by_kernel[name] = min(by_kernel[name], found)
    return {"effects": by_effect, "kernels": by_kernel}


def masks(name: str, frames: Iterable[Frame]) -> dict[str, float]:
    """The worst that becomes of ``frames`` with the model ``name`` in f32, step by step and on the whole way.

    Differences are in levels of 255.
    """
    recipe, backend = load_recipe(find_model(name)), OpenVinoBackend("f32")
    backend.load(recipe, "CPU")
    sampler, settings, case = Sampler(recipe), RefineSettings(), CASES["replace, colour"]
    product, steps = case.product(), []
    for frame in frames:
        tensor, exact = sampler.sample(frame), sampled(frame, recipe.width, recipe.height)
        answer, expected = backend.infer(tensor), probability(tensor[0].astype(np.float64), recipe)
        alpha = MaskRefiner(settings).refine(answer, frame.pts).alpha
        answers = answer / 255, probability(exact, recipe), probability(np.rint(exact), recipe)
        refined, whole, of_bytes = (Masks(settings).mask(plane) for plane in answers)
        picture = rounded(case.reference(frame, whole))
        steps.append(
            {
                "tensor_db": min(psnr(tensor[0, ..., channel], exact[..., channel]) for channel in range(3)),
                "answer_iou": overlap(answer / 255, expected),
                "answer_levels": -farthest(answer, expected),
                "refined_iou": overlap(alpha / 255, refined),
                "refined_levels": -farthest(alpha, refined),
                "way_iou": overlap(alpha / 255, whole),
                "way_levels": -farthest(alpha, whole),
                "way_db": worst(render(product, frame, alpha), picture),
                "bytes_iou": overlap(of_bytes, whole),
                "bytes_levels": -255 * float(np.abs(of_bytes - whole).max()),
                "bytes_db": worst(rounded(case.reference(frame, of_bytes)), picture),
            }
        )
    backend.close()
    return {key: abs(min(SAME, *(step[key] for step in steps))) for key in steps[0]}


def farthest(alpha: U8, expected: np.ndarray) -> float:
    return float(np.abs(alpha - 255 * expected).max())


def materials() -> dict[str, list[U8]]:
    """R'G'B' pictures by what they are."""
    photographs = list(material.photographs().values())
    found = {
        "clip": list(material.clip_pictures(material.CLIP, tuple(range(0, 240, 40)))),
        "portraits": photographs[:2],
        "people far away": photographs[2:],
    }
    if has_shared(*WALKERS):
        found["walkers"] = list(material.clip_pictures(shared(*WALKERS), tuple(range(300, 1300, 150))))
    return found


def measure(setting: script.Setting) -> dict[str, Any]:
    sizes, colours = (QUICK, list(material.COLOURS)[:1]) if setting.quick else (material.SIZES, material.COLOURS)
    found = effects(sizes, colours)
    ways = {}
    for name in MODELS:
        for what, pictures in materials().items():
            setting.say(f"{name}, {what}")
            frames = [material.frame_of(rgb, (1280, 720), material.COLOURS["BT.709 limited"]) for rgb in pictures]
            ways[f"{name}: {what} ({len(frames)})"] = masks(name, frames)
    return {"colours": list(colours), **found, "masks": ways}


def text(results: dict[str, Any]) -> str:
    sizes = list(next(iter(results["effects"].values())))
    rows = [[effect, *(db(found[size]) for size in sizes)] for effect, found in results["effects"].items()]
    ways = [
        [way, db(found["tensor_db"])]
        + [f"{found[f'{step}_iou']:.4f} ({found[f'{step}_levels']:.1f})" for step in ("answer", "refined", "way")]
        + [db(found["way_db"])]
        + [f"{found['bytes_iou']:.4f} ({found['bytes_levels']:.1f})", db(found["bytes_db"])]
        for way, found in results["masks"].items()
    ]
    names = ["model: pictures", "tensor, dB"]
    kernels = ", ".join(f"{name} {db(found)} dB" for name, found in results["kernels"].items())
    return "\n".join(
        [
            f"Pictures: PSNR in dB of the worst plane, over {', '.join(results['colours'])} and all kernels "
            f"(the worst of each: {kernels}):",
            "",
            *table(["effect", *sizes], rows),
            "",
            "Masks at 720p: IoU, and in brackets the largest difference in levels of 255. *Answer* and *refined* are "
            "one step each, from the product's own tensor and answer; the *whole way* is from the frame to the picture "
            "(`replace`). *Bytes* is the reference against itself, the model's exact input rounded to whole numbers:",
            "",
            *table([*names, "answer", "refined", "whole way", "whole way, dB", "bytes", "bytes, dB"], ways),
        ]
    )


def db(value: float) -> str:
    return "the same" if math.isclose(value, SAME) else f"{value:.1f}"


if __name__ == "__main__":
    sys.exit(script.main("exactness", __doc__, measure, text, rounds=1))
